"""The speculative step draws the target's law, with old noise used rightly and with fresh noise."""

import mpmath
import numpy as np
import pytest
import torch

from gumbel_tutorial import categorical, decoding, noise
from gumbel_tutorial.book import statistics

FAILURE_RATE = 1e-6
DRAWS = 400_000
TARGET, DRAFT = np.array([0.1, 0.6, 0.3]), np.array([0.5, 0.3, 0.2])


def p_value(index, probs):
    return statistics.chi_square_p_value(
        np.bincount(index, minlength=len(probs)), probs
    )


def some_pairs(rng):
    yield np.log(DRAFT), np.log(TARGET)
    for num_categories in (2, 4, 9):
        yield tuple(1.5 * rng.standard_normal((2, num_categories)))
    with np.errstate(divide="ignore"):
        yield np.log([0.5, 0.0, 0.3, 0.2]), np.log([0.0, 0.2, 0.3, 0.5])


@pytest.mark.parametrize("fresh", [False, True])
def test_the_result_has_the_law_of_the_target(fresh, rng):
    for draft, target in some_pairs(rng):
        gumbels, others = noise.gumbel((2, DRAWS, len(draft)), generator=rng)
        index, accepted = decoding.speculative_step(
            draft,
            target,
            gumbels,
            noise.uniform(DRAWS, generator=rng),
            residual_noise=others if fresh else None,
        )
        assert p_value(index, categorical.probs(target)) > FAILURE_RATE
        rate = 1 - decoding.total_variation(draft, target)
        error = np.sqrt(rate * (1 - rate) / DRAWS)
        assert abs(accepted.mean() - rate) < 5 * error


def test_noise_that_drew_the_draft_and_draws_the_residual_too_is_biased(rng):
    gumbels = noise.gumbel((DRAWS, 3), generator=rng)
    index, _ = decoding.speculative_step(
        np.log(DRAFT),
        np.log(TARGET),
        gumbels,
        noise.uniform(DRAWS, generator=rng),
        residual_noise=gumbels,
    )
    assert p_value(index, TARGET) < FAILURE_RATE


def test_nothing_is_rejected_of_a_draft_that_is_the_target(rng):
    logits = rng.standard_normal(50).astype(np.float32)
    index, accepted = decoding.speculative_step(
        logits,
        logits + np.float32(7.3),
        noise.gumbel((1000, 50), generator=rng, dtype="float32"),
        noise.uniform(1000, generator=rng),
    )
    assert accepted.all()
    assert index.shape == (1000,)


def test_the_residual_is_drawn_by_what_the_losers_lost_by(rng):
    """In exponentials, term by term, and in a hundred digits."""
    draft, target = np.log(DRAFT), np.log(TARGET)
    gumbels = noise.gumbel((2000, 3), generator=rng)
    index, accepted = decoding.speculative_step(
        draft, target, gumbels, np.full(2000, 1 - 1e-9)
    )
    exponentials = np.vectorize(lambda g: mpmath.exp(-mpmath.mpf(g)))(gumbels)
    winner = (exponentials / DRAFT).argmin(-1)
    first = (exponentials / DRAFT).min(-1, keepdims=True)
    residual = np.maximum(TARGET - DRAFT, 0)
    behind = (exponentials - DRAFT * first)[:, 1:] / residual[1:]
    expected = np.where(winner == 0, 1 + behind.argmin(-1), winner)
    np.testing.assert_array_equal(index, expected)
    np.testing.assert_array_equal(accepted, winner != 0)


def test_torch_takes_the_same_step():
    rng = np.random.default_rng(3)
    draft, target = rng.standard_normal((2, 200, 6))
    gumbels, uniform = rng.gumbel(size=(200, 6)), rng.random(200)
    ours = decoding.speculative_step(draft, target, gumbels, uniform)
    tensors = decoding.speculative_step(
        *map(torch.from_numpy, (draft, target, gumbels, uniform))
    )
    for expected, tensor in zip(ours, tensors, strict=True):
        np.testing.assert_array_equal(tensor.numpy(), expected)


def test_what_does_not_fit_is_refused():
    arguments = [np.zeros(3), np.zeros(3), np.zeros(3), np.array(0.5)]
    for place, wrong, message in (
        (1, np.zeros(4), "logits must have one entry for each of the 3 categories"),
        (2, np.full(3, np.nan), "noise must be finite"),
        (3, np.array(1.0), "uniform must lie in .0, 1."),
    ):
        given = [*arguments[:place], wrong, *arguments[place + 1 :]]
        with pytest.raises(ValueError, match=message):
            decoding.speculative_step(*given)
