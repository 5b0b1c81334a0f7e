"""The categorical VAE: bounds against enumeration, learning on real digits, what it refuses."""

import math

import pytest
import torch

from gumbel_tutorial import categorical, vae
from gumbel_tutorial.gumbel_softmax import gumbel_softmax
from gumbel_tutorial.temperature import constant


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


def test_the_digits_are_binary_and_split_without_overlap():
    train, test = vae.digits()
    assert (tuple(train.pixels.shape), tuple(test.pixels.shape)) == (
        (1500, 64),
        (297, 64),
    )
    assert set(train.pixels.unique().tolist()) == {0.0, 1.0}
    assert set(train.labels.tolist()) == set(range(10))
    everything = torch.cat([train.pixels, test.pixels])
    other_train, other_test = vae.digits(num_test=100)
    assert torch.equal(everything, torch.cat([other_train.pixels, other_test.pixels]))
    with pytest.raises(ValueError, match=r"num_test must lie in 1 \.\.\. 1796, got 0"):
        vae.digits(num_test=0)


def train(steps, *, hard=False, seed=0, **options):
    torch.manual_seed(seed)
    images, held_back = vae.digits()
    model = vae.CategoricalVAE(64, num_latents=8, num_categories=8, hidden=(64,))
    history = vae.train(
        model,
        images.pixels,
        held_back.pixels,
        steps=steps,
        temperature=lambda step: constant(step, temperature=0.7),
        generator=torch.Generator().manual_seed(seed),
        hard=hard,
        **{"evaluate_every": steps // 4, **options},
    )
    return model, history


@pytest.mark.parametrize("hard", [False, True])
def test_training_lowers_the_bound_on_images_it_has_not_seen(hard):
    model, history = train(1200, hard=hard, learning_rate=3e-3)
    assert history.test[-1] < history.test[0] - 1
    assert history.test[-1] < 22
    assert len(history.steps) == len(history.temperature) == 4
    # The code is used: it tells some nats about its image.
    _, held_back = vae.digits()
    assert vae.categorical_kl(model.encode(held_back.pixels)).mean() > 1.5


def test_the_relaxed_objective_flatters_itself():
    _, history = train(1200, learning_rate=3e-3)
    assert history.relaxed[-1] < history.train[-1] - 0.3


def test_the_same_seeds_give_the_same_run():
    (first, one), (second, other) = train(40), train(40)
    assert one == other
    for ours, theirs in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_a_loss_that_is_not_finite_stops_the_run():
    images, _ = vae.digits()
    model = vae.CategoricalVAE(64, num_latents=2, num_categories=2, hidden=(4,))
    with torch.no_grad():
        model.decoder[-1].bias[0] = torch.inf
    with pytest.raises(
        FloatingPointError, match="loss must be finite, got .* at step 0"
    ):
        vae.train(
            model,
            images.pixels,
            images.pixels,
            steps=1,
            temperature=lambda step: constant(step),
            generator=torch.Generator(),
        )


def test_a_run_that_diverges_names_the_step():
    with pytest.raises(
        FloatingPointError, match="logits must be finite, got .* at step [1-9]"
    ):
        train(8, learning_rate=1e38)


def test_evaluating_does_not_change_the_training():
    (often, history), (rarely, other) = train(40), train(40, evaluate_every=39)
    assert (history.steps, other.steps) == ([10, 20, 30, 40], [39, 40])
    for ours, theirs in zip(often.parameters(), rarely.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_a_short_run_is_recorded_at_its_end():
    assert train(3, evaluate_every=100)[1].steps == [3]


@pytest.mark.parametrize("name", ["num_pixels", "num_latents", "num_categories"])
def test_sizes_must_be_positive(name):
    sizes = {"num_pixels": 4, "num_latents": 2, "num_categories": 3, name: 0}
    with pytest.raises(ValueError, match=f"{name} must be positive, got 0"):
        vae.CategoricalVAE(**sizes)


def test_no_activation_lies_on_the_logits():
    model = vae.CategoricalVAE(4, num_latents=2, num_categories=3)
    assert isinstance(model.encoder[-1], torch.nn.Linear)
    assert (model.encode(torch.randn(1000, 4)) < 0).any()
