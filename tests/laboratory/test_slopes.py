"""Tables of slopes, read off draws."""

import pytest
import torch
from helpers.estimators import seeded

from gumbel_tutorial.laboratory.slopes import slope_table

LOGITS = torch.tensor([1.0, 0.3, -0.3], dtype=torch.float64)
PROBS = LOGITS.softmax(0)
EYE = torch.eye(3, dtype=torch.float64)


def read(name, num_draws=200, **options):
    return slope_table(name, LOGITS, num_draws, generator=seeded(), **options)


def test_darn_is_read_off_without_error():
    table = read("darn")
    steps = EYE - PROBS
    torch.testing.assert_close(table.mean, steps[:, :, None] * steps[:, None])
    assert table.error.max() < 1e-15
    assert table.spread.max() < 1e-15


def test_rows_are_estimates_and_columns_slopes():
    # With another reference the matrices of DARN are not symmetric.
    reference = torch.tensor([0.5, 0.5, 0.0], dtype=torch.float64)
    found = read("darn", reference=reference).mean
    expected = (EYE - PROBS)[:, :, None] * (EYE - reference)[:, None]
    torch.testing.assert_close(found, expected)
    assert not torch.allclose(found.mT, expected)


def test_averaging_given_the_winner_keeps_the_mean_and_shrinks_the_spread():
    hard = read("straight_through_gumbel_softmax", 40_000, temperature=0.5)
    rao = read("gumbel_rao", 40_000, temperature=0.5, num_inner=10)
    error = (hard.error**2 + rao.error**2).sqrt()
    z = (hard.mean - rao.mean).abs() / error
    assert z.max() < 5.5  # of 27 numbers, one in a million
    torch.testing.assert_close(rao.spread, hard.spread / 10, rtol=0.1, atol=0)


def test_a_single_precision_row_is_read_in_double():
    table = slope_table("straight_through", LOGITS.float(), 200, generator=seeded())
    assert table.mean.dtype == torch.float64


def cubed_slope(f, logits, *, generator):
    """Return an estimate that is no linear function of the slope."""
    sample = torch.multinomial(
        logits.softmax(-1).detach(), 1, generator=generator
    ).squeeze(-1)
    leaf = EYE[sample].requires_grad_()
    losses = f(leaf)
    (slope,) = torch.autograd.grad(losses.sum(), leaf)
    return losses.detach() + (slope**3 * logits).sum(-1)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("gumbel_softmax", {}, "take its slope at a one-hot sample"),
        ("decoupled_straight_through", {}, "take its slope at a one-hot sample"),
        ("reinforce", {}, "differentiate f at its sample"),
        ("rloo", {}, "evaluate f once"),
        ("muprop", {}, "evaluate f once"),
        (cubed_slope, {}, "be linear in the slope"),
    ],
)
def test_what_is_no_slope_at_the_sample_is_refused(name, options, message):
    with pytest.raises(ValueError, match=f"estimator must {message}"):
        read(name, **options)


def test_every_category_must_come_up_twice():
    with pytest.raises(ValueError, match="num_draws must be enough"):
        read("straight_through", 2)


def test_logits_are_those_of_one_variable():
    with pytest.raises(ValueError, match="logits must have shape"):
        slope_table("darn", LOGITS[None], 10, generator=seeded())


def test_a_tolerance_is_for_what_was_drawn_at_random():
    assert read("darn").tolerance(PROBS) == 1e-10
    drawn = read("gumbel_rao", 2000, temperature=0.5)
    more = read("gumbel_rao", 8000, temperature=0.5)
    ratio = drawn.tolerance(PROBS) / more.tolerance(PROBS)
    assert 1.5 < ratio < 2.7  # about two, as the errors
