"""What a model is worth: bounds, accuracy, and labels alone."""

import math

import pytest
import torch
from helpers.vae import seeded

from gumbel_tutorial import vae
from gumbel_tutorial.vae.data.images import Images


@pytest.mark.parametrize(
    "model", [vae.CategoricalVAE(4, 2, 3), vae.StructuredPrediction(4, 2, 3)]
)
def test_a_model_that_is_not_finite_has_no_bounds(model, torch_generator):
    for parameter in model.networks[0].parameters():
        torch.nn.init.constant_(parameter, torch.nan)
    with pytest.raises(FloatingPointError, match="logits must be finite, got nan"):
        vae.assess(
            model,
            torch.ones(5, 4),
            num_samples=3,
            temperature=1.0,
            generator=torch_generator,
        )


@pytest.fixture
def model():
    """Return a model small enough to sum and to integrate over: three classes, one coordinate."""
    torch.manual_seed(0)
    made = vae.SemiSupervisedVAE(6, 1, 3, hidden=(8,)).double()
    # Classes that look alike would hide which of them a loss is of.
    for network in (made.encoder, made.decoder):
        torch.nn.init.normal_(network.classes.weight, std=2.0)
    return made


@pytest.fixture
def images(torch_generator):
    return torch.randint(2, (4, 6), generator=torch_generator).double()


def test_accuracy_is_the_share_of_right_classes(model, images):
    labels = model.classify(images).argmax(-1)
    assert vae.accuracy(model, Images(images, labels)) == 1.0
    labels[0] = (labels[0] + 1) % 3
    assert vae.accuracy(model, Images(images, labels)) == 0.75


def test_labels_alone_teach_the_classifier_and_nothing_else(model, images):
    before = {name: weights.clone() for name, weights in model.named_parameters()}
    labelled = Images(images, torch.tensor([0, 2, 1, 2]))
    vae.learn_labels_alone(model, labelled, steps=200, learning_rate=0.05)
    assert vae.accuracy(model, labelled) == 1.0
    moved = {
        name.partition(".")[0]
        for name, weights in model.named_parameters()
        if not torch.equal(weights, before[name])
    }
    assert moved == {"classifier"}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"steps": 0, "learning_rate": 0.1}, "steps must be a whole number of at le"),
        ({"steps": 1, "learning_rate": -0.5}, "learning_rate must be positive, got -"),
    ],
)
def test_a_baseline_without_a_meaning_is_refused(settings, message, model, images):
    labelled = Images(images, torch.tensor([0, 2, 1, 2]))
    with pytest.raises(ValueError, match=message):
        vae.learn_labels_alone(model, labelled, **settings)


def test_a_model_without_classes_has_no_accuracy(images):
    labelled = Images(images, torch.tensor([0, 2, 1, 2]))
    model = vae.CategoricalVAE(6, 2, 3).double()
    assert "accuracy" not in model.metrics(labelled)
    message = "model must learn from labels, got CategoricalVAE, which does not"
    with pytest.raises(TypeError, match=message):
        vae.accuracy(model, labelled)


def test_images_without_labels_have_no_accuracy(model, images):
    assert "accuracy" not in model.metrics(Images(images))
    with pytest.raises(ValueError, match="labels must be given, got None"):
        vae.accuracy(model, Images(images))


def test_a_validation_is_the_two_losses_by_turns(model, images):
    found = vae.validate(model, images, 0.5, generator=seeded())
    generator = seeded()
    relaxed = vae.relaxed_loss(model, images, 0.5, generator=generator)
    assert found.relaxed == relaxed
    assert found.discrete == vae.discrete_loss(model, images, generator=generator)
    assert found.relaxed != found.discrete


def test_a_loss_that_is_not_a_number_is_refused(model, images):
    torch.nn.init.constant_(model.decoder.last.bias, torch.nan)
    with pytest.raises(FloatingPointError, match="loss must not be NaN"):
        vae.discrete_loss(model, images, generator=seeded())
    with pytest.raises(ValueError, match="log_weights must not be NaN"):
        assessed(model, images)


def assessed(model, images):
    return vae.assess(model, images, num_samples=3, temperature=1.0, generator=seeded())


def test_pixels_outside_their_range_have_no_bound(model, images):
    message = r"pixels must lie in \[0, 1\], got 2.0"
    with pytest.raises(ValueError, match="pixels must lie in"):
        assessed(model, images * 2)
    with pytest.raises(ValueError, match=message):
        vae.discrete_loss(model, images * 2, generator=seeded())


def test_an_own_model_without_log_weights_says_so(images):
    class Mine(vae.LatentModel):
        layers = ((2, 3),)

        def loss(self, batch, *_, **__):
            return batch.pixels.sum(-1)

    with pytest.raises(TypeError, match="model must define log_weights, got Mine"):
        assessed(Mine(), images)


# Grey pixels, and pixels that know nothing of each other


def test_grey_pixels_have_no_bound_and_binary_ones_of_the_same_model_do(model, images):
    grey = images.clone()
    grey[2, 3] = 0.25
    with pytest.raises(ValueError, match="pixels must be 0 or 1 for a bound.* got 0.2"):
        assessed(model, grey)
    assert assessed(model, images).multi_sample > 0


def test_the_loss_of_grey_pixels_is_the_mean_over_binary_images_drawn_from_them():
    grey = torch.tensor([0.2, 0.5, 0.9], dtype=torch.float64)
    pixel_logits = torch.tensor([-1.0, 0.3, 2.0], dtype=torch.float64)
    drawn = torch.cartesian_prod(*[torch.tensor([0.0, 1.0]).double()] * 3)
    chances = (drawn * grey + (1 - drawn) * (1 - grey)).prod(-1)
    mean = (chances * vae.reconstruction_loss(pixel_logits, drawn)).sum()
    torch.testing.assert_close(vae.reconstruction_loss(pixel_logits, grey), mean)
    # Its least value is no zero.
    entropy = torch.distributions.Bernoulli(grey).entropy().sum()
    torch.testing.assert_close(vae.reconstruction_loss(grey.logit(), grey), entropy)


def test_independent_pixels_cost_what_their_frequencies_say():
    train = torch.tensor([[1.0, 0.0], [1.0, 1.0], [1.0, 0.0]])
    test = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    first, second = 3.5 / 4, 1.5 / 4
    per_pixel = [first, 1 - first], [1 - second, second]
    expected = sum(-math.log(p) for pixel in per_pixel for p in pixel) / 2
    found = vae.independent_pixels(vae.CategoricalVAE(2), train, test)
    assert found == pytest.approx(expected)
    # A prediction of the lower half alone is measured by it alone.
    lower = sum(-math.log(p) for p in per_pixel[1]) / 2
    prediction = vae.StructuredPrediction(2, 2, 3)
    assert vae.independent_pixels(prediction, train, test) == pytest.approx(lower)


def test_a_loss_splits_into_reconstruction_and_divergence(model, images):
    found = vae.describe(model, images, 20.0)
    assert found["reconstruction"] + found["kl"] == pytest.approx(20.0)
    # A prediction has no prior, and its loss no second part.
    assert vae.describe(vae.StructuredPrediction(6, 2, 3), images, 20.0) == {}


def test_images_are_taken_in_the_precision_of_the_model(images):
    model = vae.CategoricalVAE(6, 2, 3)
    found = vae.discrete_loss(model, images.double(), generator=seeded())
    assert found == vae.discrete_loss(model, images.float(), generator=seeded())
