"""Order conditions: what a table is exact for, and the one of least variance."""

import itertools

import numpy as np
import pytest
import torch
from helpers.estimators import seeded

from gumbel_tutorial.laboratory.measurement import exact_gradient
from gumbel_tutorial.laboratory.order import (
    corner_estimates,
    degree,
    free_dimension,
    least_variance_table,
    linear_residual,
    mean_square,
    product_residual,
)

PROBS = torch.tensor([0.4, 0.3, 0.2, 0.1], dtype=torch.float64)
EYE = torch.eye(4, dtype=torch.float64)


def jacobian(probs):
    return probs.diag() - probs.outer(probs)


def zgr_table(probs):
    """Return half the sum of pi_j (e_i - e_j)(e_i - e_j)^T over j."""
    eye = torch.eye(len(probs), dtype=probs.dtype)
    steps = eye[:, None] - eye
    return torch.einsum("j,ijk,ijl->ikl", probs, steps, steps) / 2


def mean(table, probs, f):
    """Return the mean estimate, by enumeration of the corners."""
    return probs @ corner_estimates(f, table)


def error(table, probs, f):
    return mean(table, probs, f) - exact_gradient(f, probs.log())


def test_the_linear_residual_is_the_error_for_each_entry_of_the_sample():
    table = torch.randn(4, 4, 4, dtype=torch.float64, generator=seeded())
    residual = linear_residual(table, PROBS)
    for entry in range(4):
        found = error(table, PROBS, lambda z, entry=entry: z[..., entry])
        torch.testing.assert_close(residual[:, entry], found)


def test_the_product_residual_is_the_error_for_each_product_of_two_entries():
    table = torch.randn(4, 4, 4, dtype=torch.float64, generator=seeded())
    residual = product_residual(table, PROBS)
    for i, j in itertools.product(range(4), repeat=2):
        found = error(table, PROBS, lambda z, i=i, j=j: z[..., i] * z[..., j])
        torch.testing.assert_close(residual[i, j], found)


def test_degrees_of_tables_that_are_known_by_hand():
    straight_through = jacobian(PROBS).expand(4, 4, 4)
    steps = EYE - PROBS
    darn = steps[:, :, None] * steps[:, None]
    assert degree(EYE.expand(4, 4, 4), PROBS) == 0
    assert degree(straight_through, PROBS) == 1
    assert degree(darn, PROBS) == 1
    assert degree((straight_through + darn) / 2, PROBS) == 2


def test_a_tolerance_turns_a_residual_into_an_error_of_measurement():
    table = zgr_table(PROBS) + 1e-3
    assert degree(table, PROBS) == 0
    assert degree(table, PROBS, tolerance=0.01) == 2


@pytest.mark.parametrize("size", [2, 3, 5])
def test_a_table_of_degree_two_is_exact_for_every_quadratic(size):
    probs = torch.rand(size, dtype=torch.float64, generator=seeded()).softmax(0)
    weights = torch.randn(size, size, dtype=torch.float64, generator=seeded(1))

    def quadratic(z):
        return ((z @ weights) * z).sum(-1) + z @ weights[0]

    for table in (zgr_table(probs), least_variance_table(probs)):
        assert degree(table, probs) == 2
        assert error(table, probs, quadratic).abs().max() < 1e-12
        assert error(table, probs, lambda z: quadratic(z) ** 2).abs().max() > 1e-4


def least_squares(probs):
    """Return the least mean square of degree two by another road: every condition as a row of a system."""
    size = len(probs)
    unit = torch.eye(size**3, dtype=torch.float64).reshape(-1, size, size, size)
    zero = torch.zeros(size, size, size, dtype=torch.float64)
    conditions = []
    for residual in (linear_residual, product_residual):
        constant = residual(zero, probs).flatten()
        columns = [residual(table, probs).flatten() - constant for table in unit]
        conditions.append((torch.stack(columns, 1), -constant))
    rows, right = (torch.cat(parts) for parts in zip(*conditions, strict=True))
    scale = probs.sqrt().repeat_interleave(size**2)
    found = np.linalg.lstsq((rows / scale).numpy(), right.numpy(), rcond=1e-10)[0]
    return (torch.from_numpy(found) / scale).reshape(size, size, size)


@pytest.mark.parametrize("size", [2, 3, 4])
def test_the_currents_are_the_solution_of_least_squares(size):
    probs = torch.rand(size, dtype=torch.float64, generator=seeded(2)).softmax(0)
    expected = least_squares(probs)
    torch.testing.assert_close(least_variance_table(probs), expected)
    # The twin: another table of the same degree is not that solution, unless there is one only.
    others = zgr_table(probs)
    assert torch.allclose(others, expected) == (size == 2)


def test_least_variance_is_less_than_that_of_zgr_and_more_than_three_quarters():
    for seed in range(20):
        probs = (
            2 * torch.randn(6, dtype=torch.float64, generator=seeded(seed))
        ).softmax(0)
        ratio = mean_square(least_variance_table(probs), probs) / mean_square(
            zgr_table(probs), probs
        )
        assert 0.75 < ratio < 1


def test_the_mean_square_is_that_of_estimates_for_normal_slopes():
    table, draws = zgr_table(PROBS), 200_000
    slopes = torch.randn(draws, 4, dtype=torch.float64, generator=seeded())
    winner = torch.multinomial(PROBS, draws, replacement=True, generator=seeded(1))
    squares = (table[winner] @ slopes[..., None]).square().sum((1, 2))
    error = squares.std() / draws**0.5
    z = (squares.mean() - mean_square(table, PROBS)) / error
    assert abs(z) < 4.9  # one in a million
    twin = (squares.mean() - table.square().sum((1, 2)).mean()) / error
    assert abs(twin) > 4.9


def test_a_rare_category_keeps_its_digits():
    probs = torch.tensor([1 - 2e-12, 1e-12, 1e-12], dtype=torch.float64)
    table = least_variance_table(probs)
    assert degree(table, probs, tolerance=1e-15) == 2
    assert table.isfinite().all()


@pytest.mark.parametrize(
    ("table", "probs", "message"),
    [
        (EYE, PROBS, "table must have shape"),
        (zgr_table(PROBS), PROBS[None], "probs must have shape"),
        (zgr_table(PROBS), 2 * PROBS, "probs must sum to one"),
    ],
)
def test_wrong_arguments_are_refused(table, probs, message):
    with pytest.raises(ValueError, match=message):
        degree(table, probs)


def test_a_tolerance_must_be_positive():
    with pytest.raises(ValueError, match="tolerance must be positive"):
        degree(zgr_table(PROBS), PROBS, tolerance=0.0)


def test_estimates_at_the_corners_are_matrix_times_slope():
    table = torch.randn(4, 4, 4, dtype=torch.float64, generator=seeded())
    found = corner_estimates(lambda z: z[..., 0] ** 3 + z[..., 1] * z[..., 2], table)
    expected = [3 * table[0, :, 0], table[1, :, 2], table[2, :, 1], 0 * table[3, :, 0]]
    torch.testing.assert_close(found, torch.stack(expected))


@pytest.mark.parametrize("size", [2, 3, 4])
def test_one_table_is_symmetric_and_the_others_are_the_circulations(size):
    probs = torch.rand(size, dtype=torch.float64, generator=seeded(3)).softmax(0)
    assert free_dimension(probs) == size * (size - 1) * (size - 2) // 2
    assert free_dimension(probs, symmetric=True) == 0
