"""Bounds against enumeration: what bounds the evidence, what does not, and by how much."""

import math

import pytest
import torch

from gumbel_tutorial import categorical, concrete, noise, vae
from gumbel_tutorial.nn import gumbel_softmax


@pytest.fixture
def tiny():
    """Return a model small enough to enumerate, an image, and its nine codes."""
    torch.manual_seed(0)
    model = vae.CategoricalVAE(6, num_latents=2, num_categories=3, hidden=(8,)).double()
    codes = torch.stack(
        [torch.stack([a, b]) for a in torch.eye(3) for b in torch.eye(3)]
    ).double()
    return model, torch.tensor([1.0, 0, 1, 1, 0, 0]).double(), codes


def test_the_kl_is_that_of_the_categorical_law_against_the_uniform_one(torch_generator):
    logits = torch.randn(7, 4, 5, generator=torch_generator)
    expected = categorical.kl(logits, torch.zeros_like(logits)).sum(-1)
    torch.testing.assert_close(vae.categorical_kl(logits), expected)
    certain = torch.tensor([[0.0, -torch.inf]]).expand(6, 2)
    assert vae.categorical_kl(certain).item() == pytest.approx(6 * math.log(2))


def test_the_reconstruction_loss_is_minus_the_log_likelihood(torch_generator):
    pixel_logits = torch.randn(3, 5, generator=torch_generator)
    images = torch.randint(2, (3, 5), generator=torch_generator).float()
    law = torch.distributions.Bernoulli(logits=pixel_logits)
    expected = -law.log_prob(images).sum(-1)
    torch.testing.assert_close(vae.reconstruction_loss(pixel_logits, images), expected)
    assert vae.reconstruction_loss(pixel_logits, images[0]).shape == (3,)
    assert vae.reconstruction_loss(pixel_logits[0], images).shape == (3,)


def test_the_enumerated_bound_lies_below_the_evidence_by_the_divergence(tiny):
    model, x, codes = tiny
    logits = model.encode(x)
    log_q = (categorical.log_probs(logits) * codes).sum((-1, -2))
    log_joint = -vae.reconstruction_loss(model.decode(codes), x) - 2 * math.log(3)
    evidence = log_joint.logsumexp(0)
    bound = -(log_q.exp() * vae.negative_bound(model.decode(codes), x, logits)).sum()
    divergence = (log_q.exp() * (log_q - log_joint + evidence)).sum()
    torch.testing.assert_close(bound + divergence, evidence)
    assert bound < evidence


def test_sampled_codes_have_the_enumerated_bound(tiny, torch_generator):
    model, x, codes = tiny
    logits = model.encode(x)
    log_q = (categorical.log_probs(logits) * codes).sum((-1, -2))
    exact = (log_q.exp() * vae.negative_bound(model.decode(codes), x, logits)).sum()
    many = logits.expand(20_000, 2, 3)
    drawn = gumbel_softmax(many, hard=True, generator=torch_generator)
    losses = vae.negative_bound(model.decode(drawn), x, many)
    error = losses.std() / math.sqrt(len(losses))
    assert abs(losses.mean() - exact) < 4 * error
    # The twin: relaxed codes have another mean.
    soft = gumbel_softmax(many, 1.0, generator=torch_generator)
    assert (
        abs(vae.negative_bound(model.decode(soft), x, many).mean() - exact) > 4 * error
    )


def test_a_prior_of_its_own_enters_the_divergence(torch_generator):
    logits = torch.randn(7, 4, 5, generator=torch_generator)
    prior = torch.randn(4, 5, generator=torch_generator)
    expected = categorical.kl(logits, prior.expand(7, 4, 5)).sum(-1)
    torch.testing.assert_close(vae.categorical_kl(logits, prior), expected)
    assert (vae.categorical_kl(prior, prior).abs() < 1e-6).all()


@pytest.mark.parametrize("prior", [None, torch.tensor([[0.5, 0, -1], [0, 2, 0]])])
def test_the_plug_in_is_the_divergence_in_the_mean_at_discrete_codes_alone(
    prior, torch_generator
):
    logits = torch.tensor([[1.0, 0.0, -2.0], [0.3, 0.0, 3.0]])
    exact = vae.categorical_kl(logits, prior)
    many = logits.expand(50_000, 2, 3)
    for hard in (True, False):
        codes = gumbel_softmax(many, 1.0, hard, generator=torch_generator)
        values = vae.plug_in_kl(codes, many, prior)
        error = values.std() / math.sqrt(len(values))
        assert (abs(values.mean() - exact) < 4.5 * error) == hard


@pytest.fixture
def one_bit():
    """Return a prior, a posterior and pixel probabilities of one bit, and one white pixel."""
    logits = torch.tensor([[0.8, -0.8]], dtype=torch.float64)
    return logits, torch.tensor([0.05, 0.9], dtype=torch.float64)


def test_the_relaxed_densities_bound_the_evidence_of_the_relaxed_model(
    one_bit, torch_generator
):
    logits, white = one_bit
    tau = 0.7
    # The evidence of the relaxed model, p(x | y) = y . white, by its own prior: exactly 0.475 for K = 2.
    prior_codes = noise.gumbel((200_000, 1, 2), generator=torch_generator).double()
    y = concrete.relax(torch.zeros_like(prior_codes), prior_codes, tau)
    evidence = -(y[:, 0] @ white).mean().log()
    gumbels = noise.gumbel((200_000, 1, 2), generator=torch_generator).double()
    many = logits.expand(200_000, 1, 2)
    log_codes = concrete.log_relax(many, gumbels, tau)
    reconstruction = -(log_codes.exp()[:, 0] @ white).log()
    losses = reconstruction + vae.relaxed_kl(log_codes, many, tau)
    error = losses.std() / math.sqrt(len(losses))
    assert losses.mean() > evidence - 4 * error
    # Its importance weights have the evidence for their mean, as those of no plug-in have.
    weights = (-losses).exp()
    spread = weights.std() / math.sqrt(len(weights))
    assert abs(weights.mean() - (-evidence).exp()) < 4.5 * spread
    plug_in = (-reconstruction - vae.plug_in_kl(log_codes.exp(), many)).exp()
    assert abs(plug_in.mean() - (-evidence).exp()) > 4.5 * spread


def test_temperatures_of_prior_and_posterior_may_differ(torch_generator):
    logits = torch.randn(5, 3, 4, generator=torch_generator)
    gumbels = noise.gumbel_like(logits, generator=torch_generator)
    log_codes = concrete.log_relax(logits, gumbels, 0.5)
    prior = torch.randn(3, 4, generator=torch_generator)
    ours = vae.relaxed_kl(
        log_codes, logits, 0.5, prior_logits=prior, prior_temperature=2.0
    )
    own = concrete.log_density_in_log_space(log_codes, logits, 0.5)
    other = concrete.log_density_in_log_space(log_codes, prior.expand(5, 3, 4), 2.0)
    torch.testing.assert_close(ours, (own - other).sum(-1))


def test_the_multi_sample_bound_is_streamed(torch_generator):
    stored = torch.randn(1000, 6, generator=torch_generator).double() * 30 - 500
    position = 0

    def log_weights(count):
        nonlocal position
        position += count
        return stored[position - count : position]

    one, many = vae.multi_sample_bound(log_weights, 1000, at_once=64)
    assert position == 1000
    torch.testing.assert_close(one, -stored.mean(0))
    torch.testing.assert_close(many, math.log(1000) - stored.logsumexp(0))
    assert (many <= one).all()
    for name, arguments in (("num_samples", (0,)), ("at_once", (5,))):
        options = {"at_once": 0} if name == "at_once" else {}
        with pytest.raises(ValueError, match=f"{name} must be a whole number"):
            vae.multi_sample_bound(log_weights, *arguments, **options)


def test_log_weights_of_another_number_are_refused():
    with pytest.raises(ValueError, match="log_weights must return 10 samples, got 7"):
        vae.multi_sample_bound(lambda _: torch.zeros(7, 2), 10)
