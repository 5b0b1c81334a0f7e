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


def test_the_divergence_from_the_uniform_prior_has_the_derivatives_of_the_general_one(
    torch_generator,
):
    logits = torch.randn(3, 2, 4, generator=torch_generator).double().requires_grad_()
    assert torch.autograd.gradcheck(vae.categorical_kl, logits)
    assert torch.autograd.gradgradcheck(vae.categorical_kl, logits)
    uniform = torch.zeros(2, 4).double()
    general = vae.categorical_kl(logits, uniform)
    torch.testing.assert_close(vae.categorical_kl(logits), general)
    (expected,) = torch.autograd.grad(general.sum(), logits)
    (found,) = torch.autograd.grad(vae.categorical_kl(logits).sum(), logits)
    torch.testing.assert_close(found, expected)
    each = torch.func.vmap(torch.func.grad(vae.categorical_kl))(logits.detach())
    torch.testing.assert_close(each, expected)


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


INF = torch.inf
# Beside an excluded category each is what it is for the categories that are left.
ONE_OF_THREE = torch.tensor([[0.3, -INF, 0.1]])
ONE_OF_TWO = torch.tensor([[0.3, 0.1]])


def slopes(function, *arguments):
    """Return the value of a function and its gradients, which have to be finite."""
    leaves = [a.clone().requires_grad_() for a in arguments]
    value = function(*leaves)
    gradients = torch.autograd.grad(value.sum(), leaves, allow_unused=True)
    assert all(g is None or g.isfinite().all() for g in gradients)
    return value.detach(), gradients


@pytest.mark.parametrize("prior", [None, torch.tensor([[0.2, -0.4, 1.0]])])
def test_an_excluded_category_has_no_part_in_a_divergence(prior):
    left = None if prior is None else prior.log_softmax(-1)[:, [0, 2]]
    # log 3 against log 2: the prior has given a share of its mass to the category that q excludes.
    own = ONE_OF_TWO.log_softmax(-1)
    log_p = -math.log(3) if left is None else left
    code = torch.tensor([[1.0, 0.0, 0.0]])
    exact, _ = slopes(lambda x: vae.categorical_kl(x, prior), ONE_OF_THREE)
    torch.testing.assert_close(exact, (own.exp() * (own - log_p)).sum().reshape(()))
    plug_in, (_, by_code) = slopes(
        lambda x, z: vae.plug_in_kl(z, x, prior), ONE_OF_THREE, code
    )
    ratio = own - log_p
    torch.testing.assert_close(plug_in, ratio[0, 0])
    # A code that is 0 at an open category has the ratio there for its derivative all the same.
    torch.testing.assert_close(by_code[0, [0, 2]], ratio[0])


def test_a_category_that_the_prior_alone_excludes_makes_the_divergence_infinite():
    prior, logits = ONE_OF_THREE, torch.zeros(1, 3)
    assert vae.categorical_kl(logits, prior) == INF
    # Its probability rounds to 0.
    assert vae.categorical_kl(torch.tensor([[0.0, -200.0, 0.0]]), prior) == INF
    # Excluded by both it counts nothing.
    both = vae.categorical_kl(ONE_OF_THREE, prior)
    assert both.abs() < 1e-6
    for place, expected in ((0, -math.log(3) - prior.log_softmax(-1)[0, 0]), (1, INF)):
        code = torch.eye(3)[place].unsqueeze(0)
        assert vae.plug_in_kl(code, logits, prior) == pytest.approx(float(expected))
    # No draw of q is there.
    code = torch.tensor([[0.0, 1.0, 0.0]])
    for given in (None, prior):
        assert vae.plug_in_kl(code, ONE_OF_THREE, given) == -INF


@pytest.mark.parametrize("bad", [INF, torch.nan, -INF])
def test_logits_that_are_no_law_are_refused(bad):
    wrong = (
        torch.tensor([[bad, 0.0], [0.0, 0.0]])
        if bad != -INF
        else torch.full((2, 2), bad)
    )
    right, codes = torch.zeros(2, 2), torch.eye(2)
    calls = {
        "logits": [
            lambda: vae.categorical_kl(wrong),
            lambda: vae.plug_in_kl(codes, wrong),
            lambda: vae.relaxed_kl(codes.log_softmax(-1), wrong, 1.0),
            lambda: vae.negative_bound(torch.zeros(3), torch.zeros(3), wrong),
        ],
        "prior_logits": [
            lambda: vae.categorical_kl(right, wrong),
            lambda: vae.plug_in_kl(codes, right, wrong),
            lambda: vae.relaxed_kl(
                codes.log_softmax(-1), right, 1.0, prior_logits=wrong
            ),
        ],
    }
    for name, each in calls.items():
        for call in each:
            with pytest.raises(ValueError, match=f"^{name} must "):
                call()


@pytest.mark.parametrize("place", ["log_codes", "logits", "prior_logits"])
def test_relaxed_densities_on_a_face_of_the_simplex_are_refused(place):
    arguments = {
        "log_codes": torch.zeros(1, 2).log_softmax(-1),
        "logits": torch.zeros(1, 2),
    }
    arguments[place] = torch.tensor([[0.0, -INF]])
    with pytest.raises(ValueError, match=f"{place} must be finite, got -inf"):
        vae.relaxed_kl(**arguments, temperature=0.5)


@pytest.mark.parametrize(
    ("logit", "pixel", "loss"),
    [
        (INF, 1, 0),
        (INF, 0, INF),
        (-INF, 0, 0),
        (-INF, 1, INF),
        (INF, 0.5, INF),
        (-INF, 0.5, INF),
    ],
)
def test_a_certain_pixel_costs_nothing_or_everything(logit, pixel, loss):
    logits = torch.tensor([[0.7, logit], [0.7, 0.0]])
    images = torch.tensor([[0.25, pixel], [0.25, pixel]])
    found, (gradient,) = slopes(lambda x: vae.reconstruction_loss(x, images), logits)
    # The twin of the row without the certain pixel.
    usual = vae.reconstruction_loss(logits[:, :1], images[:, :1])
    assert found[0] == usual[0] + loss
    torch.testing.assert_close(found[1], usual[1] + math.log(2))
    torch.testing.assert_close(gradient[:, 0], logits[:, 0].sigmoid() - 0.25)
    per_row = torch.func.vmap(vae.reconstruction_loss)(logits, images)
    assert torch.equal(per_row, found)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        ([[-0.5, 1.0]], r"pixels must lie in \[0, 1\], got -0.5"),
        ([[0.5, 255.0]], r"pixels must lie in \[0, 1\], got 255.0"),
        ([[torch.nan, 1.0]], r"pixels must lie in \[0, 1\], got nan"),
        ([[1.0]], r"pixels must be 2 per image, got shape \(1, 1\)"),
        ([[1.0, 0.0, 1.0]], r"pixels must be 2 per image, got shape \(1, 3\)"),
    ],
)
def test_pixels_without_a_probability_are_refused(images, message):
    images = torch.tensor(images)
    with pytest.raises(ValueError, match=message):
        vae.reconstruction_loss(torch.zeros(1, 2), images)
    with pytest.raises(ValueError, match=message):
        vae.negative_bound(torch.zeros(1, 2), images, torch.zeros(3, 4))


def test_pixels_of_whole_numbers_are_refused():
    with pytest.raises(TypeError, match="pixels must have a floating dtype"):
        vae.reconstruction_loss(torch.zeros(1, 2), torch.ones(1, 2, dtype=torch.long))


def test_a_sample_that_cannot_be_makes_one_bound_infinite_and_not_the_other():
    weights = torch.tensor([[-3.0, -INF], [-INF, -INF]]).repeat(4, 1)
    one, many = vae.multi_sample_bound(lambda n: weights[:n], 6, at_once=2)
    assert one.tolist() == [INF, INF]
    assert many[0] == pytest.approx(3 + math.log(2))
    assert many[1] == INF


@pytest.mark.parametrize(
    ("bad", "message"),
    [(INF, "be below \\+inf, got inf"), (torch.nan, "not be NaN, got nan")],
)
def test_log_weights_without_a_bound_are_refused(bad, message):
    with pytest.raises(ValueError, match=f"log_weights must {message}"):
        vae.multi_sample_bound(lambda n: torch.full((n, 2), bad), 10)
