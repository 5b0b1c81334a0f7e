"""Every estimator trains, every state resumes bit for bit, and a division of the batch changes nothing."""

import os
import socket
import subprocess
import sys
import textwrap

import pytest
import torch

from gumbel_tutorial import vae
from gumbel_tutorial.estimators import ESTIMATORS
from gumbel_tutorial.vae.config import Config, make_splits, make_trainer
from gumbel_tutorial.vae.sharing import Share

SMALL = {
    "num_latents": 3,
    "num_categories": 2,
    "batch_size": 20,
    "steps": 1000,
    "learning_rate": 3e-3,
}


@pytest.fixture(scope="module")
def digits():
    return make_splits(Config(), None, download=False).train.pixels


def seeded():
    return torch.Generator().manual_seed(0)


def trainer(digits, **settings):
    config = Config(**{**SMALL, **settings})
    return make_trainer(config, digits, torch.device("cpu"), Share(0, 1))


@pytest.mark.parametrize("task", ["autoencode", "predict"])
@pytest.mark.parametrize("name", list(ESTIMATORS))
def test_every_estimator_by_name_lowers_the_loss(name, task, digits):
    # Without a baseline REINFORCE does not get anywhere in a hundred steps.
    options = {"baseline": 20.0} if name == "reinforce" else {}
    # One layer: MuProp, REBAR and RELAX are costly inside one another.
    run = trainer(
        digits,
        estimator=name,
        options=options,
        task=task,
        num_layers=1,
        batch_size=50,
        learning_rate=0.03,
    )

    def loss():
        return vae.discrete_loss(run.model, digits, generator=seeded())

    before = loss()
    for _ in range(100):
        run.advance()
    assert loss() < before - 0.25


@pytest.mark.parametrize("name", [n for n in ESTIMATORS if n not in ("arm", "disarm")])
def test_every_estimator_nests(name, digits):
    run = trainer(digits, estimator=name, task="predict", num_categories=3)
    before = [p.clone() for p in run.model.parameters()]
    run.advance()
    after = list(run.model.parameters())
    assert all(p.isfinite().all() for p in after)
    assert all(not torch.equal(a, b) for a, b in zip(before, after, strict=True))


@pytest.mark.parametrize(
    "settings",
    [
        {"estimator": "gumbel_softmax"},
        {"estimator": "reinforce_moving_average", "task": "predict"},
        {"estimator": "relax", "binarisation": "dynamic", "learn_prior": True},
        {
            "estimator": "rloo",
            "hidden": (7,),
            "decoder_hidden": (5, 4),
            "decay": "second-half",
        },
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
    steps = len(digits) // 20
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


def test_options_that_an_estimator_lacks_are_refused(digits):
    with pytest.raises(TypeError, match="options must be among num_samples, got 'gap'"):
        trainer(digits, estimator="rloo", options={"gap": 1.0})


def test_options_win_over_the_schedule(digits):
    fixed, annealed = (
        trainer(digits, options=options, anneal_rate=1.0, anneal_every=1).surrogates
        for options in ({"temperature": 0.3}, {})
    )
    for tau in (1.0, 0.5):
        assert fixed.at(tau)[0].keywords["temperature"] == 0.3
        assert annealed.at(tau)[0].keywords["temperature"] == tau


def test_a_compiled_network_is_named_as_before(digits, monkeypatch):
    compiled = []
    monkeypatch.setattr(
        torch.nn.Module, "compile", lambda module: compiled.append(module)
    )
    run = trainer(digits, compile=True)
    assert compiled == run.model.networks
    assert set(run.state()) == set(trainer(digits).state())


def test_bfloat16_trains_in_bfloat16(digits):
    run = trainer(digits, bfloat16=True)
    seen = []
    run.model.decoder[0].register_forward_hook(lambda *a: seen.append(a[2].dtype))
    losses = [run.advance().loss for _ in range(60)]
    assert set(seen) == {torch.bfloat16}
    assert losses[-1] < losses[0]


PROCESS = textwrap.dedent("""
    import os, sys, torch, torch.distributed
    from gumbel_tutorial.vae.config import Config, make_splits, make_trainer
    from gumbel_tutorial.vae.sharing import Share

    torch.set_num_threads(1)
    rank = int(os.environ["RANK"])
    torch.distributed.init_process_group("gloo")
    config = Config(**eval(sys.argv[1]))
    images = make_splits(config, None, download=False).train.pixels
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
        {"estimator": "reinforce_moving_average", "task": "predict"},
        {"estimator": "unordered_set"},
        {"estimator": "rloo", "binarisation": "dynamic"},
        {"estimator": "muprop", "task": "predict", "num_categories": 3},
        {"estimator": "vimco", "hidden": (9,)},
        {"estimator": "disarm"},
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
    images = make_splits(Config(**settings), None, download=False).train.pixels
    alone = trainer(images, **settings)
    expected = torch.tensor([alone.advance().loss for _ in range(40)])
    torch.testing.assert_close(together, expected, rtol=1e-4, atol=1e-4)
    # The twin: noise of another seed has another curve.
    other = trainer(images, **{**settings, "seed": 1})
    different = torch.tensor([other.advance().loss for _ in range(40)])
    assert (different - expected).abs().max() > 0.1
