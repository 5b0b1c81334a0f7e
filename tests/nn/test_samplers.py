"""Sample-level estimators: exact one-hot draws that carry the derivative of the estimator of their name."""

from functools import partial

import numpy as np
import pytest
import torch

from gumbel_tutorial import estimators, noise
from gumbel_tutorial.book import statistics
from gumbel_tutorial.nn import (
    gapped_straight_through,
    gumbel_rao,
    reinmax,
    straight_through,
)

FAILURE_RATE = 1e-4


def straight_through_of_probs(logits, **options):
    return straight_through(probs=logits.softmax(-1), **options)


def straight_through_of_logits(logits, tau=1, dim=-1, **options):
    return straight_through(logits=logits, tau=tau, dim=dim, **options)


TEMPERED = {
    "straight_through": straight_through_of_logits,
    "reinmax": reinmax,
    "gumbel_rao": gumbel_rao,
    "gapped_straight_through": gapped_straight_through,
}
SAMPLERS = {**TEMPERED, "straight_through_of_probs": straight_through_of_probs}


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture(params=SAMPLERS.values(), ids=SAMPLERS)
def sampler(request):
    return request.param


@pytest.fixture(params=TEMPERED.values(), ids=TEMPERED)
def tempered(request):
    return request.param


@pytest.mark.parametrize("name", TEMPERED)
@pytest.mark.parametrize("tau", [1.0, 1.7])
def test_the_gradient_is_the_estimators(name, tau):
    logits = torch.randn(6, 2, 4, dtype=torch.float64, generator=seeded())
    logits[0, 0, 1] = -torch.inf
    weights = torch.randn(6, 2, 4, dtype=torch.float64, generator=seeded(1))

    def loss(z):
        return ((z * weights).sum(-1) ** 3).sum(-1)

    first, second = (logits.clone().requires_grad_() for _ in range(2))
    ours = loss(TEMPERED[name](first, tau, generator=seeded(2)))
    theirs = estimators.get(name).function(
        loss, second, generator=seeded(2), temperature=tau
    )
    assert torch.equal(ours, theirs)
    ours.sum().backward()
    theirs.sum().backward()
    torch.testing.assert_close(first.grad, second.grad, rtol=1e-12, atol=1e-12)
    assert first.grad.abs().sum() > 0
    assert first.grad[0, 0, 1] == 0


def test_probabilities_get_the_slope_at_the_sample_itself():
    probs = torch.tensor([0.2, 0.0, 0.8], requires_grad=True)
    sample = straight_through(probs=probs, generator=seeded())
    (sample * torch.tensor([1.0, 2.0, 3.0])).sum().backward()
    assert probs.grad.tolist() == [1.0, 2.0, 3.0]


@pytest.mark.parametrize(
    "dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16]
)
def test_samples_are_exactly_one_hot_and_follow_the_law(sampler, dtype):
    row = torch.tensor([6.0, 3.0, 1.0]).log().to(dtype)
    logits = row.expand(20_000, 3).clone().requires_grad_()
    sample = sampler(logits, generator=seeded())
    assert sample.dtype == dtype
    assert ((sample == 0) | (sample == 1)).all()
    assert (sample.sum(-1) == 1).all()
    counts = np.bincount(sample.argmax(-1), minlength=3)
    probs = row.double().softmax(-1).numpy()
    assert statistics.chi_square_p_value(counts, probs) > FAILURE_RATE
    # The twin: the argmax of the probabilities is one category.
    most = np.bincount(logits.argmax(-1), minlength=3)
    assert statistics.chi_square_p_value(most, probs) < 1e-8


@pytest.mark.parametrize("dim", [0, 1, 2, -2])
def test_categories_may_lie_on_any_dim(tempered, dim):
    logits = torch.randn(2, 3, 4, generator=seeded())
    last = logits.movedim(dim, -1)
    tau = torch.ones(last.shape[:-1]).unsqueeze(-1) + torch.rand(last[..., :1].shape)
    first, second = logits.clone().requires_grad_(), last.clone().requires_grad_()
    ours = tempered(first, tau.movedim(-1, dim), dim, generator=seeded(1))
    expected = tempered(second, tau, generator=seeded(1))
    assert torch.equal(ours.movedim(dim, -1), expected)
    (ours.movedim(dim, -1) ** 3 * last).sum().backward()
    (expected**3 * last).sum().backward()
    torch.testing.assert_close(first.grad.movedim(dim, -1), second.grad)


@pytest.mark.parametrize("dim", [0, 1])
def test_noise_is_an_argument(tempered, dim):
    logits = torch.randn(4, 3, generator=seeded())
    shape = (11, 4, 3) if tempered is gumbel_rao else (4, 3)
    gumbels = noise.gumbel_like(logits.expand(shape), generator=seeded(1))
    sample = tempered(logits, dim=dim, noise=gumbels)
    first = gumbels[0] if tempered is gumbel_rao else gumbels
    assert torch.equal(sample.argmax(dim), (logits + first).argmax(dim))
    assert (sample.sum(dim) == 1).all()


def test_gumbel_rao_draws_its_inner_noise_given_the_winner():
    # With one category far ahead in probability, yet not drawn, free noise would favour it.
    logits = torch.tensor([4.0, 0.0], requires_grad=True)
    gumbels = torch.zeros(1001, 2)
    gumbels[0] = torch.tensor([0.0, 5.0])
    gumbels[1:] = noise.gumbel_like(torch.zeros(1000, 2), generator=seeded())
    sample = gumbel_rao(logits, 0.1, num_inner=1000, noise=gumbels)
    assert sample.tolist() == [0.0, 1.0]
    with pytest.raises(ValueError, match=r"noise must have shape \(3, 2\)"):
        gumbel_rao(logits, num_inner=2, noise=gumbels)


def test_masked_categories_are_never_drawn_and_get_no_gradient(tempered):
    logits = torch.randn(1000, 5, generator=seeded(), requires_grad=True)
    mask = torch.rand(1000, 5, generator=seeded(1)) < 0.5
    mask[:, 2] = True
    sample = tempered(logits, mask=mask, generator=seeded(2))
    assert (sample[~mask] == 0).all()
    (sample * torch.arange(5)).sum().backward()
    assert logits.grad.isfinite().all()
    assert (logits.grad[~mask] == 0).all()


def test_a_large_common_offset_changes_nothing(tempered):
    logits = torch.tensor([[0.0, 1.0, 2.0]]).expand(100, 3)
    offset = tempered(logits + 2.0**20, generator=seeded())
    assert torch.equal(offset, tempered(logits, generator=seeded()))


LOGITS = torch.zeros(2, 3)
PROBS = torch.full((2, 3), 1 / 3)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (straight_through, TypeError, "give logits or probs by name, got neither"),
        (
            partial(straight_through, logits=LOGITS, probs=PROBS),
            TypeError,
            "give logits or probs by name, got both",
        ),
        (partial(straight_through, LOGITS), TypeError, "positional"),
        (
            partial(straight_through, probs=PROBS * 2),
            ValueError,
            "probs must sum to one in every row, got 2.0",
        ),
        (
            partial(straight_through, probs=torch.tensor([1.5, -0.5])),
            ValueError,
            "probs must lie in [0, 1], got 1.5",
        ),
        (
            partial(straight_through, probs=torch.tensor([torch.nan, 1.0])),
            ValueError,
            "probs must lie in [0, 1], got nan",
        ),
        (
            partial(straight_through, probs=[0.5, 0.5]),
            TypeError,
            "probs must be a torch tensor, got list",
        ),
        (
            partial(straight_through, probs=PROBS, tau=0.5),
            ValueError,
            "tau must come with logits, not with probs, got 0.5",
        ),
        (
            partial(straight_through, probs=PROBS, mask=torch.ones(3).bool()),
            ValueError,
            "mask must come with logits, not with probs",
        ),
        (
            partial(straight_through, probs=PROBS, dim=2),
            ValueError,
            "dim must name one of the 2 axes of probs",
        ),
        (partial(reinmax, LOGITS, 0.5), ValueError, "tau must be at least 1, got 0.5"),
        (partial(reinmax, LOGITS, 0), ValueError, "tau must be positive, got 0"),
        (
            partial(gapped_straight_through, LOGITS, gap=0.0),
            ValueError,
            "gap must be positive, got 0.0",
        ),
        (
            partial(gumbel_rao, LOGITS, num_inner=0),
            ValueError,
            "num_inner must be a whole number of at least 1, got 0",
        ),
        (
            partial(gapped_straight_through, torch.full((3,), torch.nan)),
            ValueError,
            "logits must not be NaN",
        ),
        (
            partial(reinmax, LOGITS.numpy()),
            TypeError,
            "logits must be a torch tensor, got ndarray",
        ),
        (
            partial(reinmax, LOGITS, noise=torch.zeros(3), generator=seeded()),
            ValueError,
            "generator must be None where noise is given",
        ),
    ],
)
def test_bad_arguments_are_refused_by_name_and_value(call, error, message):
    with pytest.raises(error) as raised:
        call()
    assert message in str(raised.value)
