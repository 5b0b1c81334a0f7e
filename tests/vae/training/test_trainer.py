"""Every estimator trains, every state resumes bit for bit, and a division of the batch changes nothing."""

import os
import shutil
import socket
import subprocess
import sys
import textwrap
from functools import partial

import pytest
import torch
from torch._dynamo.utils import counters

from gumbel_tutorial import vae
from gumbel_tutorial.estimators import ESTIMATORS
from gumbel_tutorial.vae.data.binarisation import FIXED_SEED
from gumbel_tutorial.vae.runs.build import make_splits, make_trainer
from gumbel_tutorial.vae.runs.config import Config
from gumbel_tutorial.vae.training.sharing import Share

SMALL = {
    "num_latents": 3,
    "num_categories": 2,
    "batch_size": 20,
    "steps": 1000,
    "learning_rate": 3e-3,
}
CLASSES = {"model": "semi-supervised", "num_categories": 10, "hidden": (7,)}
MODELS = ("autoencoder", "structured-prediction")


@pytest.fixture(scope="module")
def digits():
    return make_splits(Config(), None, download=False).train


def seeded():
    return torch.Generator().manual_seed(0)


def trainer(digits, **settings):
    config = Config(**{**SMALL, **settings})
    return make_trainer(config, digits, torch.device("cpu"), Share(0, 1))


def of_one_layer(digits, model, name="exact"):
    # Without a baseline REINFORCE does not get anywhere in so few steps.
    options = {"baseline": 20.0} if name == "reinforce" else {}
    # One layer: MuProp, REBAR and RELAX are costly inside one another.
    layers = {"num_layers": 1} if model == "structured-prediction" else {}
    settings = {"model": model, "batch_size": 50, "learning_rate": 0.03, **layers}
    return trainer(digits, estimator=name, options=options, **settings)


@pytest.fixture(scope="module")
def decoders(digits):
    """Return for each model the state of a decoder that was trained with its encoder."""
    found = {}
    for model in MODELS:
        run = of_one_layer(digits, model)
        for _ in range(150):
            run.advance()
        found[model] = run.model.decoder.state_dict()
    return found


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("name", list(ESTIMATORS))
def test_every_estimator_by_name_lowers_the_loss(name, model, digits, decoders):
    run = of_one_layer(digits, model, name)
    # The decoder knows its codes, and stays: what the loss falls by, the estimator has done.
    run.model.decoder.load_state_dict(decoders[model])
    run.model.decoder.requires_grad_(False)

    def loss():
        with torch.no_grad():
            return vae.discrete_loss(run.model, digits.pixels[:500], generator=seeded())

    before = loss()
    for _ in range(120):
        run.advance()
    assert loss() < before - 0.5


@pytest.mark.parametrize("name", [n for n in ESTIMATORS if n != "vimco"])
def test_every_estimator_nests(name, digits):
    num_categories = 2 if name in ("arm", "disarm") else 3
    run = trainer(
        digits,
        estimator=name,
        model="structured-prediction",
        num_categories=num_categories,
    )
    before = [p.clone() for p in run.model.parameters()]
    run.advance()
    after = list(run.model.parameters())
    assert all(p.isfinite().all() for p in after)
    assert all(not torch.equal(a, b) for a, b in zip(before, after, strict=True))


@pytest.mark.parametrize(
    "settings",
    [
        {"estimator": "gumbel_softmax"},
        {"estimator": "reinforce_moving_average", "model": "structured-prediction"},
        {"estimator": "relax", "binarisation": "dynamic", "learn_prior": True},
        {
            "estimator": "rloo",
            "hidden": (7,),
            "decoder_hidden": (5, 4),
            "decay": "second-half",
        },
        {**CLASSES, "estimator": "gumbel_softmax", "labelled_per_class": 3},
        {**CLASSES, "estimator": "reinforce_moving_average", "class_samples": 2},
    ],
)
def test_a_state_continues_bit_for_bit(settings, digits):
    whole, first = trainer(digits, **settings), trainer(digits, **settings)
    expected = [whole.advance() for _ in range(90)]
    for _ in range(70):  # beyond the end of an epoch of 65 steps
        first.advance()
    state = {name: value.clone() for name, value in first.state().items()}
    second = trainer(digits, **settings)
    for _ in range(3):
        second.advance()
    second.load(state)
    assert [second.advance() for _ in range(20)] == expected[70:]
    for name, value in whole.state().items():
        assert torch.equal(second.state()[name], value), name


def test_an_epoch_shows_every_image_once(digits):
    run = trainer(digits)
    steps = len(digits.labels) // 20
    rows = torch.cat([run.rows(step) for step in range(steps)])
    assert len(rows.unique()) == len(rows) == steps * 20
    assert not torch.equal(run.rows(0), run.rows(steps))
    assert torch.equal(run.rows(0), rows[:20])


def test_a_state_of_another_model_is_refused(digits):
    run, other = trainer(digits), trainer(digits, num_latents=4)
    with pytest.raises(ValueError, match="state must be that of this model, got"):
        run.load(other.state())
    with pytest.raises(ValueError, match="state must be that of this model"):
        run.load({"step": torch.tensor(3)})


def refused(run, state, message):
    before = run.state()
    with pytest.raises(
        ValueError, match=f"state must be that of this model, {message}"
    ):
        run.load(state)
    after = run.state()
    assert set(after) == set(before)
    assert all(torch.equal(after[name], before[name]) for name in before)


def test_a_state_that_is_not_whole_is_refused_and_changes_nothing(digits):
    run, other = trainer(digits), trainer(digits)
    for each in (run, other, other):
        each.advance()
    state = other.state()
    short = torch.zeros(3)
    for name in ("optimizer.0.exp_avg", "model.decoder.0.bias", "generator"):
        refused(
            run, {**state, name: short}, rf"got shape \(3,\) instead of .* in {name}"
        )
        missing = {key: value for key, value in state.items() if key != name}
        refused(run, missing, f"got no {name}")
    refused(run, {**state, "step": torch.tensor(2.0)}, "got torch.float32 instead of")
    for name in ("other", "model.other", "optimizer.99.exp_avg", "optimizer.x"):
        refused(run, {**state, name: short}, f"got an unknown {name}")
    bare = {k: v for k, v in state.items() if not k.startswith("optimizer")}
    refused(run, bare, "got no optimizer.0.exp_avg")
    run.load({**bare, "step": torch.tensor(0)})
    assert not run.optimizer.state
    run.load(state)
    assert run.step == 2


def test_a_state_shares_no_memory_with_the_run(digits):
    run, other = trainer(digits), trainer(digits)
    run.advance()
    state = run.state()
    kept = {name: value.clone() for name, value in state.items()}
    other.load(state)
    for each in (run, other):
        each.advance()
    assert all(torch.equal(value, kept[name]) for name, value in state.items())


@pytest.mark.parametrize("name", ["relax", "exact"])
def test_a_parameter_without_a_gradient_has_a_state(name, digits):
    run, other = trainer(digits, estimator=name), trainer(digits, estimator=name)
    run.model.decoder.requires_grad_(False)
    run.advance()
    other.load(run.state())
    assert other.advance().step == 2


def test_a_batch_that_cannot_be_is_refused(digits):
    for size, message in (
        (0, "batch_size must be a whole number of at least 1, got 0"),
        (10_000, "batch_size must be at most 1300 images, got 10000"),
    ):
        with pytest.raises(ValueError, match=message):
            trainer(digits, batch_size=size)
    config = Config(**{**SMALL, "batch_size": 21})
    with pytest.raises(
        ValueError, match="batch_size must be a multiple of the 2 processes"
    ):
        make_trainer(config, digits, torch.device("cpu"), Share(0, 2))
    config = Config(**{**SMALL, "estimator": "relax"})
    with pytest.raises(ValueError, match="estimator must not be relax with several"):
        make_trainer(config, digits, torch.device("cpu"), Share(0, 2))


def few_labels(digits, count, **settings):
    """Return a trainer with the first ``count`` images for its labelled ones."""
    whole = trainer(digits, **CLASSES, **settings)
    labelled = vae.Images(digits.pixels[:count], digits.labels[:count])
    return vae.Trainer(
        *(whole.model, whole.estimators, whole.images, whole.recipe),
        generator=whole.generator,
        labelled=labelled,
    )


def test_labelled_batches_show_every_label(digits):
    run = few_labels(
        digits, 50
    )  # batches of 20: two an epoch, and ten images left over
    epoch = [run._labelled_order.rows(step) for step in range(2)]
    assert len(torch.cat(epoch).unique()) == 40
    shown = torch.cat([run._labelled_order.rows(step) for step in range(40)])
    assert len(shown.unique()) == 50
    run = few_labels(digits, 7)
    assert run._labelled_order.rows(3).tolist() == list(range(7))


def test_labelled_images_count_as_in_a_mean_over_all(digits):
    assert few_labels(digits, 13).objective.labelled_weight == 13 / 1300


@pytest.mark.parametrize("binarisation", ["fixed", "dynamic"])
def test_the_pixels_drawn_once_have_a_seed_that_a_run_records(binarisation):
    settings = {"binarisation": binarisation}
    one, other = (Config(**settings, **seed) for seed in ({}, {"binarisation_seed": 3}))
    assert one.as_json()["binarisation_seed"] == FIXED_SEED
    for split, (first, second) in enumerate(
        zip(*(make_splits(c, None, download=False) for c in (one, other)), strict=True)
    ):
        same = binarisation == "dynamic" and split == 0
        assert torch.equal(first.pixels, second.pixels) == same
    message = "configuration must not change: binarisation_seed was 2008, got 3"
    with pytest.raises(ValueError, match=message):
        other.check_continues(one.as_json())


def test_labelled_images_stay_when_pixels_are_drawn_anew():
    grey = make_splits(Config(binarisation="dynamic"), None, download=False).train
    run = trainer(grey, **CLASSES, binarisation="dynamic", labelled_per_class=1)
    first, again = (run._labelled_batch().pixels for _ in range(2))
    assert torch.equal(first, again)
    assert set(first.unique().tolist()) == {0.0, 1.0}


@pytest.mark.parametrize(
    ("labelled", "model", "estimator", "message"),
    [
        (True, "autoencoder", "rloo", "labelled must be None unless the model is semi"),
        (False, "semi-supervised", "rloo", "labelled must be given with the semi-sup"),
        (True, "semi-supervised", "vimco", "estimator must be of a one-sample bound"),
    ],
)
def test_labels_where_they_have_no_use_are_refused(
    labelled, model, estimator, message, digits
):
    settings = CLASSES if model == "semi-supervised" else {}
    run = trainer(digits, **settings)
    estimators = vae.EstimatorLayers(estimator, run.model.layers)
    with pytest.raises(ValueError, match=message):
        vae.Trainer(
            *(run.model, estimators, run.images, run.recipe),
            generator=seeded(),
            labelled=digits if labelled else None,
        )


def test_labels_out_of_their_range_are_refused(digits):
    run = trainer(digits, **CLASSES)
    bad = vae.Images(digits.pixels, digits.labels + 1)
    with pytest.raises(ValueError, match="labels must lie in 0 ... 9, got 10"):
        vae.Trainer(
            *(run.model, run.estimators, run.images, run.recipe),
            generator=seeded(),
            labelled=bad,
        )


def test_fewer_labels_than_processes_are_refused():
    assert Share(0, 4).most(10) == 8
    message = "labelled must hold an image for each of the 4 processes, got 3"
    with pytest.raises(ValueError, match=message):
        Share(0, 4).most(3)


def test_options_that_an_estimator_lacks_are_refused(digits):
    with pytest.raises(TypeError, match="options must be among num_samples, got 'gap'"):
        trainer(digits, estimator="rloo", options={"gap": 1.0})


@pytest.mark.parametrize(
    ("name", "option"),
    [
        ("gumbel_softmax", "temperature"),
        ("gumbel_rao", "temperature"),
        ("slope_annealed", "slope"),
    ],
)
def test_the_schedule_sets_what_options_may_not(name, option, digits):
    (estimator,) = trainer(digits, estimator=name).estimators.at(0.25)
    assert estimator.keywords[option] == (4 if option == "slope" else 0.25)
    message = f"options must leave the {option} of {name} to the temperature schedule"
    with pytest.raises(ValueError, match=f"{message}, got 0.3"):
        trainer(digits, estimator=name, options={option: 0.3})


# The compiler meets deprecated parts of torch, and gradients of tensors that are no leaves.
compiles = pytest.mark.filterwarnings("ignore")


@compiles
@pytest.mark.parametrize(
    "settings", [{}, {"model": "structured-prediction"}, CLASSES], ids=str
)
def test_compiled_networks_are_compiled_and_compute_the_same(
    settings, digits, monkeypatch
):
    # Captured by the compiler, and run without the minute that it takes to make code.
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="eager"))
    settings = {"num_latents": 4, "hidden": (5,), **settings}
    plain = trainer(digits, **settings)
    losses = [plain.advance().loss for _ in range(6)]
    counters.clear()
    torch.compiler.reset()
    run = trainer(digits, compile=True, **settings)
    begun = [run.advance().loss for _ in range(3)]
    assert counters["stats"]["unique_graphs"] >= len(run.model.networks)
    assert set(run.state()) == set(plain.state())
    resumed = trainer(digits, compile=True, **settings)
    resumed.load(run.state())
    found = begun + [resumed.advance().loss for _ in range(3)]
    assert found == pytest.approx(losses, rel=1e-5)


@compiles
@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="needs a C++ compiler")
def test_compiled_code_computes_the_same(digits):
    torch.compiler.reset()
    runs = [trainer(digits, compile=compiled) for compiled in (False, True)]
    plain, compiled = ([run.advance().loss for _ in range(20)] for run in runs)
    assert compiled == pytest.approx(plain, rel=1e-4)


def test_bfloat16_trains_in_bfloat16(digits):
    run = trainer(digits, bfloat16=True)
    seen = []
    run.model.decoder[0].register_forward_hook(lambda *a: seen.append(a[2].dtype))
    losses = [run.advance().loss for _ in range(60)]
    assert set(seen) == {torch.bfloat16}
    assert losses[-1] < losses[0]


def test_bfloat16_keeps_the_divergence_in_float32(digits):
    # A posterior near the prior: the divergence is a small difference of large sums.
    losses = []
    for bfloat16 in (False, True):
        run = trainer(
            digits, bfloat16=bfloat16, num_latents=20, num_categories=10, options={}
        )
        with run._precision(), torch.no_grad():
            logits = run.model.encode(digits.pixels[:500])
            kl = vae.categorical_kl(logits)
            codes = torch.nn.functional.one_hot(logits.argmax(-1), 10).float()
            plug_in = vae.plug_in_kl(codes, logits)
        assert kl.dtype == plug_in.dtype == torch.float32
        losses.append((kl.mean(), plug_in.mean()))
    for exact, half in zip(*losses, strict=True):
        torch.testing.assert_close(half, exact, rtol=0.02, atol=0.0)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"final_temperature": 2.0}, "final_temperature must be at most the temp"),
        ({"anneal_rate": float("inf")}, "anneal_rate must be finite and not negative"),
        ({"anneal_rate": float("nan")}, "anneal_rate must be finite and not negative"),
        ({"seed": -1}, "seed must be a whole number of at least 0, got -1"),
        ({"seed": 2**31}, r"seed must be below 2\*\*31, got 2147483648"),
        (
            {"model": "structured-prediction", "decoder_hidden": (3,)},
            "decoder_hidden must be \\(\\) with model structured-prediction",
        ),
        (
            {"model": "structured-prediction", "learn_prior": True},
            "learn_prior must be False with model structured-p",
        ),
        ({"num_layers": 3}, "num_layers must be 2 with model autoencoder, got 3"),
        ({"alpha": 2.0}, "alpha must be 1.0 with model autoencoder, got 2.0"),
        (
            {"channels": (4,)},
            r"channels must be \(\) with model autoencoder, got \(4,\)",
        ),
        (
            {"model": "semi-supervised", "alpha": -1.0},
            "alpha must be finite and not negative, got -1.0",
        ),
        (
            {"model": "semi_supervised"},
            "model must be one of autoencoder, .*, semi-supervised, got 'semi_sup",
        ),
        ({"decay": "first-half"}, "decay must be one of none, second-half, got 'fi"),
        (
            {"model": "semi-supervised", "num_categories": 3},
            "num_categories must be 10 with model semi-supervised, got 3",
        ),
        (
            {"model": "semi-supervised", "labelled_per_class": 0},
            "labelled_per_class must be a whole number of at least 1, got 0",
        ),
        (
            {"estimator": "relax", "options": {"control": 1.0}},
            "options must not set the control of relax",
        ),
    ],
)
def test_settings_without_a_meaning_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        Config(**settings)


def test_a_temperature_that_stays_may_lie_anywhere():
    assert Config(anneal_rate=0.0, temperature=0.1).temperature == 0.1


@pytest.mark.parametrize("channels", [(), (3,)])
def test_few_labels_train_in_half_precision(channels, digits):
    settings = {**CLASSES, "estimator": "exact", "channels": channels}
    half, full = (
        trainer(digits, **settings, bfloat16=bfloat16) for bfloat16 in (True, False)
    )
    for _ in range(30):
        assert half.advance().loss == pytest.approx(full.advance().loss, rel=0.02)
    assert all(p.dtype == torch.float32 for p in half.model.parameters())


def test_an_option_that_is_not_finite_is_refused_at_the_first_step(digits):
    options = {"temperature": float("inf")}
    run = trainer(digits, estimator="straight_through", options=options)
    with pytest.raises(ValueError, match="temperature must be positive and finite"):
        run.advance()


PROCESS = textwrap.dedent("""
    import os, sys, torch, torch.distributed
    from gumbel_tutorial.vae.runs.build import make_splits, make_trainer
    from gumbel_tutorial.vae.runs.config import Config
    from gumbel_tutorial.vae.training.sharing import Share

    torch.set_num_threads(1)
    rank = int(os.environ["RANK"])
    torch.distributed.init_process_group("gloo")
    config = Config(**eval(sys.argv[1]))
    images = make_splits(config, None, download=False).train
    run = make_trainer(config, images, torch.device("cpu"), Share(rank, 2))
    losses = [run.advance().loss for _ in range(40)]
    if rank == 0:
        print(losses)
    torch.distributed.destroy_process_group()
""")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings",
    [
        {"estimator": "gumbel_softmax"},
        {"estimator": "reinforce_moving_average", "model": "structured-prediction"},
        {"estimator": "unordered_set"},
        {"estimator": "rloo", "binarisation": "dynamic"},
        {"estimator": "muprop", "model": "structured-prediction", "num_categories": 3},
        {"estimator": "vimco", "hidden": (9,)},
        {"estimator": "disarm"},
        {
            **CLASSES,
            "channels": (3,),
            "estimator": "gumbel_rao",
            "binarisation": "dynamic",
            "labelled_per_class": 1,
            "class_samples": 2,
        },
    ],
    ids=lambda settings: settings["estimator"],
)
def test_two_processes_with_half_a_batch_each_are_one(settings, tmp_path):
    script = tmp_path / "process.py"
    script.write_text(PROCESS)
    settings = {**SMALL, **settings}
    shared = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": free_port()}
    processes = [
        subprocess.Popen(
            [sys.executable, str(script), repr(settings)],
            env={**os.environ, **shared, "RANK": str(rank)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    outputs = [process.communicate(timeout=300) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], outputs
    together = torch.tensor(eval(outputs[0][0]))
    images = make_splits(Config(**settings), None, download=False).train
    alone = trainer(images, **settings)
    expected = torch.tensor([alone.advance().loss for _ in range(40)])
    torch.testing.assert_close(together, expected, rtol=1e-4, atol=1e-4)
    # The twin: noise of another seed has another curve.
    other = trainer(images, **{**settings, "seed": 1})
    different = torch.tensor([other.advance().loss for _ in range(40)])
    assert (different - expected).abs().max() > 0.1
