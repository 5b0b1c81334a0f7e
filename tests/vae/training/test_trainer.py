"""A step: every estimator by name trains, labels count as they should, half precision where it may."""

import pytest
import torch
from helpers.vae import CLASSES, seeded, trainer, training_digits

from gumbel_tutorial import vae
from gumbel_tutorial.estimators import ESTIMATORS
from gumbel_tutorial.vae.runs.build import make_splits
from gumbel_tutorial.vae.runs.config import Config

MODELS = ("autoencoder", "structured-prediction")


def of_one_layer(model, name="exact"):
    # Without a baseline REINFORCE does not get anywhere in so few steps.
    options = {"baseline": 20.0} if name == "reinforce" else {}
    # One layer: MuProp, REBAR and RELAX are costly inside one another.
    layers = {"num_layers": 1} if model == "structured-prediction" else {}
    settings = {"model": model, "batch_size": 50, "learning_rate": 0.03, **layers}
    return trainer(estimator=name, options=options, **settings)


@pytest.fixture(scope="module")
def decoders():
    """Return for each model the state of a decoder that was trained with its encoder."""
    found = {}
    for model in MODELS:
        run = of_one_layer(model)
        for _ in range(150):
            run.step()
        found[model] = run.model.decoder.state_dict()
    return found


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("name", list(ESTIMATORS))
def test_every_estimator_by_name_lowers_the_loss(name, model, decoders):
    run = of_one_layer(model, name)
    # The decoder knows its codes, and stays: what the loss falls by, the estimator has done.
    run.model.decoder.load_state_dict(decoders[model])
    run.model.decoder.requires_grad_(False)

    def loss():
        with torch.no_grad():
            return vae.discrete_loss(
                run.model, training_digits().pixels[:500], generator=seeded()
            )

    before = loss()
    for _ in range(60):
        run.step()
    assert loss() < before - 0.35


@pytest.mark.parametrize("name", [n for n in ESTIMATORS if n != "vimco"])
def test_every_estimator_nests(name):
    num_categories = 2 if name in ("arm", "disarm") else 3
    run = trainer(
        estimator=name,
        model="structured-prediction",
        num_categories=num_categories,
    )
    before = [p.clone() for p in run.model.parameters()]
    run.step()
    after = list(run.model.parameters())
    assert all(p.isfinite().all() for p in after)
    assert all(not torch.equal(a, b) for a, b in zip(before, after, strict=True))


def test_a_batch_that_cannot_be_is_refused():
    for size, message in (
        (0, "batch_size must be a whole number of at least 1, got 0"),
        (10_000, "batch_size must be at most 1300 images, got 10000"),
    ):
        with pytest.raises(ValueError, match=message):
            trainer(batch_size=size)


def few_labels(count, **settings):
    """Return a trainer with the first ``count`` images for its labelled ones."""
    whole = trainer(**CLASSES, **settings)
    labelled = vae.Images(
        training_digits().pixels[:count], training_digits().labels[:count]
    )
    return vae.Trainer(
        *(whole.model, whole.estimators, whole.images, whole.recipe),
        generator=whole.generator,
        labelled=labelled,
    )


def test_labelled_batches_show_every_label():
    run = few_labels(50)  # batches of 20: two per epoch, and ten images left over
    epoch = [run.labelled_order.rows(step) for step in range(2)]
    assert len(torch.cat(epoch).unique()) == 40
    shown = torch.cat([run.labelled_order.rows(step) for step in range(40)])
    assert len(shown.unique()) == 50
    run = few_labels(7)
    assert run.labelled_order.rows(3).tolist() == list(range(7))


def test_labelled_images_count_as_in_a_mean_over_all():
    assert few_labels(13).objective.labelled_weight == 13 / 1300


def test_labelled_images_stay_when_pixels_are_drawn_anew():
    grey = make_splits(Config(binarisation="dynamic"), None, download=False).train
    run = trainer(grey, **CLASSES, binarisation="dynamic", labelled_per_class=1)
    first, again = (run.labelled_batch().pixels for _ in range(2))
    assert torch.equal(first, again)
    assert set(first.unique().tolist()) == {0.0, 1.0}


@pytest.mark.parametrize(
    ("labelled", "model", "estimator", "message"),
    [
        (
            True,
            "autoencoder",
            "rloo",
            "labelled must be None for CategoricalVAE, which does",
        ),
        (
            False,
            "semi-supervised",
            "rloo",
            "labelled must be given for SemiSupervisedVAE, got None",
        ),
        (
            True,
            "semi-supervised",
            "vimco",
            "estimator must be of a one-sample bound for SemiSup",
        ),
    ],
)
def test_labels_where_they_have_no_use_are_refused(labelled, model, estimator, message):
    settings = CLASSES if model == "semi-supervised" else {}
    run = trainer(**settings)
    estimators = vae.EstimatorLayers(estimator, run.model.layers)
    with pytest.raises(ValueError, match=message):
        vae.Trainer(
            *(run.model, estimators, run.images, run.recipe),
            generator=seeded(),
            labelled=training_digits() if labelled else None,
        )


def test_labels_out_of_their_range_are_refused():
    run = trainer(**CLASSES)
    bad = vae.Images(training_digits().pixels, training_digits().labels + 1)
    with pytest.raises(ValueError, match="labels must lie in 0 ... 9, got 10"):
        vae.Trainer(
            *(run.model, run.estimators, run.images, run.recipe),
            generator=seeded(),
            labelled=bad,
        )


def test_an_option_that_is_not_finite_is_refused_at_the_first_step():
    options = {"temperature": float("inf")}
    run = trainer(estimator="straight_through", options=options)
    with pytest.raises(ValueError, match="temperature must be positive and finite"):
        run.step()


def test_bfloat16_trains_in_bfloat16():
    run = trainer(bfloat16=True)
    seen = []
    run.model.decoder[0].register_forward_hook(lambda *a: seen.append(a[2].dtype))
    losses = [run.step().loss for _ in range(60)]
    assert set(seen) == {torch.bfloat16}
    assert losses[-1] < losses[0]


def test_bfloat16_keeps_the_divergence_in_float32():
    # A posterior near the prior: the divergence is a small difference of large sums.
    losses = []
    for bfloat16 in (False, True):
        run = trainer(bfloat16=bfloat16, num_latents=20, num_categories=10, options={})
        with run.precision(), torch.no_grad():
            logits = run.model.encode(training_digits().pixels[:500])
            kl = vae.categorical_kl(logits)
            codes = torch.nn.functional.one_hot(logits.argmax(-1), 10).float()
            plug_in = vae.plug_in_kl(codes, logits)
        assert kl.dtype == plug_in.dtype == torch.float32
        losses.append((kl.mean(), plug_in.mean()))
    for exact, half in zip(*losses, strict=True):
        torch.testing.assert_close(half, exact, rtol=0.02, atol=0.0)


@pytest.mark.parametrize("channels", [(), (3,)])
def test_few_labels_train_in_half_precision(channels):
    settings = {**CLASSES, "estimator": "exact", "channels": channels}
    half, full = (trainer(**settings, bfloat16=bfloat16) for bfloat16 in (True, False))
    for _ in range(30):
        assert half.step().loss == pytest.approx(full.step().loss, rel=0.02)
    assert all(p.dtype == torch.float32 for p in half.model.parameters())


def test_images_are_whatever_holds_them():
    run = trainer()
    parts = (run.model, run.estimators)
    pixels = training_digits().pixels
    for images in (pixels, pixels.numpy(), vae.Images(pixels)):
        other = vae.Trainer(*parts, images, run.recipe, generator=seeded())
        assert torch.equal(other.images.pixels, pixels)
    for bad, message in (
        (pixels - 0.5, r"pixels must lie in \[0, 1\], got -0.5"),
        (pixels[0], r"images must have shape \(n, num_pixels\), n at least 1, got"),
    ):
        with pytest.raises(ValueError, match=message):
            vae.Trainer(*parts, bad, run.recipe, generator=seeded())


def test_a_batch_keeps_the_labels_that_its_images_have():
    class Watched(vae.CategoricalVAE):
        def loss(self, batch, *arguments, **noise):
            self.seen = batch
            return super().loss(batch, *arguments, **noise)

    whole = trainer()
    model = Watched(64, 3, 2, hidden=())
    run = vae.Trainer(
        *(model, whole.estimators, training_digits(), whole.recipe), generator=seeded()
    )
    run.step()
    rows = run.order.rows(0)
    assert torch.equal(model.seen.labels, training_digits().labels[rows])
    assert torch.equal(model.seen.pixels, training_digits().pixels[rows])
