"""The autoencoder: log-weights against enumeration, networks of one's own, what it refuses."""

import itertools
import math

import pytest
import torch

from gumbel_tutorial import vae
from gumbel_tutorial.estimators import get
from gumbel_tutorial.vae.data.images import Images


@pytest.mark.parametrize("name", ["num_pixels", "num_latents", "num_categories"])
def test_sizes_must_be_positive(name):
    sizes = {"num_pixels": 4, "num_latents": 2, "num_categories": 3, name: 0}
    with pytest.raises(
        ValueError, match=f"{name} must be a whole number of at least 1, got 0"
    ):
        vae.CategoricalVAE(**sizes)


def test_no_activation_lies_on_the_logits():
    model = vae.CategoricalVAE(4, num_latents=2, num_categories=3)
    assert isinstance(model.encoder[-1], torch.nn.Linear)
    assert (model.encode(torch.randn(1000, 4)) < 0).any()


def codes_of(num_latents, num_categories):
    """Return every code, shape (states, N, K)."""
    rows = torch.eye(num_categories)
    states = itertools.product(rows, repeat=num_latents)
    return torch.stack([torch.stack(state) for state in states])


@pytest.mark.parametrize("num_categories", [2, 3])
@pytest.mark.parametrize("learn_prior", [False, True])
def test_the_mean_weight_of_an_autoencoder_is_the_evidence(
    num_categories, learn_prior, torch_generator
):
    torch.manual_seed(1)
    model = vae.CategoricalVAE(6, 2, num_categories, hidden=(), learn_prior=learn_prior)
    if learn_prior:
        torch.nn.init.normal_(model.prior_logits)
    image = torch.tensor([[1.0, 0, 1, 1, 0, 0]])
    codes = codes_of(2, num_categories)
    prior = torch.zeros(2, num_categories) if not learn_prior else model.prior_logits
    log_prior = (codes * prior.log_softmax(-1)).sum((-1, -2))
    log_likelihood = -vae.reconstruction_loss(model.decode(codes), image)
    evidence = (log_prior + log_likelihood).logsumexp(0)
    with torch.no_grad():
        weights = model.log_weights(image, 50_000, generator=torch_generator).exp()
    error = weights.std() / math.sqrt(len(weights))
    assert abs(weights.mean() - evidence.exp()) < 4.5 * error


def test_decoders_start_at_the_frequencies_of_the_pixels():
    images = torch.tensor([[1.0, 0, 1, 0], [1.0, 0, 0, 0], [1.0, 1, 1, 0]])
    expected = torch.tensor([3.5, 1.5, 2.5, 0.5]) / 4
    model = vae.CategoricalVAE(4, 2, 3)
    model.start_at(images)
    torch.testing.assert_close(model.decoder[-1].bias.sigmoid(), expected)
    other = vae.StructuredPrediction(4, 2, 3)
    other.start_at(images)
    torch.testing.assert_close(other.decoder[-1].bias.sigmoid(), expected[2:])


def test_images_from_the_prior(torch_generator):
    for learn in (False, True):
        model = vae.CategoricalVAE(9, 2, 3, learn_prior=learn)
        images = model.sample(5, generator=torch_generator)
        assert images.shape == (5, 9)


def test_a_multi_sample_estimator_takes_the_divergence_in():
    torch.manual_seed(0)
    model = vae.CategoricalVAE(6, 2, 3, hidden=())
    images = (torch.rand(2000, 6) < 0.5).float()
    estimator = get("vimco").prepare(num_samples=5)
    seeds = [torch.Generator().manual_seed(s) for s in (1, 2)]
    with torch.no_grad():
        bound = model.loss(Images(images), [estimator], generator=seeds[0])
        weights = model.log_weights(images, 5, generator=seeds[1])
    other = math.log(5) - weights.logsumexp(0)
    error = (bound.var() + other.var()).sqrt() / math.sqrt(2000)
    assert abs(bound.mean() - other.mean()) < 5 * error


def test_refusals():
    with pytest.raises(ValueError, match="num_pixels must be even, got 5"):
        vae.StructuredPrediction(5, 2, 3)
    with pytest.raises(ValueError, match="num_layers must be a whole number"):
        vae.StructuredPrediction(4, 2, 3, num_layers=0)
    for widths in ({"hidden": (-3,)}, {"decoder_hidden": (4, 0)}):
        (name,) = widths
        with pytest.raises(ValueError, match=f"{name} must be a whole number of at"):
            vae.CategoricalVAE(4, 2, 3, **widths)
    with pytest.raises(ValueError, match="hidden must be a whole number of at least 1"):
        vae.StructuredPrediction(4, 2, 3, hidden=(-3,))
