"""A model of one's own: it says what a loss is, and the rest works with it."""

import pytest
import torch
from helpers.vae import seeded, training_digits
from torch import nn

from gumbel_tutorial import vae
from gumbel_tutorial.estimators import ESTIMATORS


class Mine(vae.LatentModel):
    """An autoencoder in six lines."""

    def __init__(self, num_categories=3):
        super().__init__()
        self.layers = [(2, num_categories)]
        self.encoder = nn.Linear(64, 2 * num_categories)
        self.decoder = nn.Linear(2 * num_categories, 64)

    def loss(self, batch, estimators, *, noise, generator):
        assert noise is None
        logits = self.encoder(batch.pixels).unflatten(-1, self.layers[0])

        def rebuilt(codes):
            pixels = self.decoder(codes.flatten(-2))
            return vae.reconstruction_loss(pixels, batch.pixels)

        (estimator,) = estimators
        return estimator(rebuilt, logits, generator=generator) + vae.categorical_kl(
            logits
        )


def fit(model, estimator, steps=2, **more):
    images = training_digits()
    return vae.fit(
        *(model, images, images.pixels[:100]),
        **{"steps": steps, "generator": seeded(), "estimator": estimator, **more},
    )


@pytest.mark.parametrize("name", [name for name in ESTIMATORS if name != "vimco"])
def test_an_own_model_trains_by_every_estimator(name):
    torch.manual_seed(0)
    model = Mine(2 if name in ("arm", "disarm") else 3)
    before = [p.clone() for p in model.parameters()]
    fit(model, name)
    for old, new in zip(before, model.parameters(), strict=True):
        assert new.isfinite().all()
        assert not torch.equal(old, new)


def test_an_own_model_learns():
    torch.manual_seed(0)
    history = fit(Mine(), "rloo", steps=300, learning_rate=0.03, evaluate_every=20)
    assert history.test[-1] < history.test[0] - 5


def test_an_own_model_is_what_the_same_autoencoder_is():
    torch.manual_seed(0)
    mine, model = Mine(), vae.CategoricalVAE(64, 2, 3, hidden=())
    model.encoder[0].load_state_dict(mine.encoder.state_dict())
    model.decoder[0].load_state_dict(mine.decoder.state_dict())
    histories = [fit(each, "gumbel_softmax", steps=20) for each in (mine, model)]
    assert histories[0].test == pytest.approx(histories[1].test, rel=1e-5)


def test_a_bound_of_several_samples_needs_a_model_that_knows_it():
    message = "estimator must be of a one-sample bound for Mine, got vimco"
    with pytest.raises(ValueError, match=message):
        fit(Mine(), "vimco")


class Noisy(Mine):
    """A model that takes Gaussian noise, and labels."""

    num_classes = 10

    def noise_shape(self, num_images, *, labelled=False):
        return (num_images, 5) if labelled else (num_images, 4)

    def loss(self, batch, estimators, *, noise, generator):
        self.noise = noise
        return super().loss(batch, estimators, noise=None, generator=generator)

    def supervised_loss(self, labelled, *, weight, noise):
        self.labelled, self.weight, self.labelled_noise = labelled, weight, noise
        return self.decoder.bias.sum() * labelled.labels


def test_the_noise_of_a_model_is_drawn_for_it():
    model = Noisy()
    labelled = vae.choose_labelled(training_digits(), 1, seed=0)
    fit(model, "reinforce", steps=1, labelled=labelled)
    # The last loss is that of the evaluation.
    assert model.noise.shape == (100, 4)
    assert model.labelled_noise.shape == (10, 5)
    assert model.weight == 10 / 1300
    assert torch.equal(model.labelled.labels.sort().values, torch.arange(10))
    assert abs(model.noise.std() - 1) < 4.5 / (2 * 400) ** 0.5


@pytest.mark.parametrize(
    "call",
    [
        lambda m: m.log_weights(torch.ones(1, 64), 2, generator=seeded()),
        lambda m: m.sample(3, generator=seeded()),
        lambda m: m.classify(torch.ones(1, 64)),
        lambda m: m.supervised_loss(training_digits(), weight=1.0, noise=None),
    ],
)
def test_what_a_model_has_not_is_named(call):
    with pytest.raises(TypeError, match="model must define .*, got Mine"):
        call(Mine())


def test_a_model_without_a_loss_cannot_be():
    class Nothing(vae.LatentModel):
        layers = ((2, 3),)

    with pytest.raises(TypeError, match="abstract"):
        Nothing()
