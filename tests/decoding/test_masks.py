"""Masks: which tokens stay open, and that what is drawn under them is the conditional law."""

import numpy as np
import pytest
import torch

from gumbel_tutorial import categorical, decoding

PROBS = np.array([0.05, 0.4, 0.15, 0.3, 0.1])
LOGITS = np.log(PROBS)


def kept(mask):
    return np.flatnonzero(mask).tolist()


def test_top_k_leaves_the_k_likeliest_open_and_their_ties():
    assert kept(decoding.top_k_mask(LOGITS, 2)) == [1, 3]
    assert kept(decoding.top_k_mask(LOGITS, 5)) == [0, 1, 2, 3, 4]
    assert kept(decoding.top_k_mask(np.array([0.0, 1.0, 0.0, -1.0]), 2)) == [0, 1, 2]


@pytest.mark.parametrize(
    ("mass", "tokens"),
    [
        (1e-9, [1]),
        (0.4 - 1e-9, [1]),
        (0.4 + 1e-9, [1, 3]),
        (0.7 + 1e-9, [1, 2, 3]),
        (0.96, [0, 1, 2, 3, 4]),
        (1, [0, 1, 2, 3, 4]),
    ],
)
def test_a_nucleus_is_the_fewest_tokens_that_reach_the_mass(mass, tokens):
    assert kept(decoding.nucleus_mask(LOGITS, mass)) == tokens


@pytest.mark.parametrize(
    ("share", "tokens"),
    [(1, [1]), (0.75 - 1e-9, [1, 3]), (0.75 + 1e-9, [1]), (0.25, [1, 2, 3, 4])],
)
def test_min_p_is_relative_to_the_likeliest(share, tokens):
    assert kept(decoding.min_p_mask(LOGITS, share)) == tokens


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_every_mask_takes_batches_exclusions_and_half_precision(dtype):
    logits = torch.tensor([[0.0, 2.0, 1.0, -torch.inf], [3.0, 0.0, 0.0, 0.0]]).to(dtype)
    assert decoding.top_k_mask(logits, 2).tolist() == [
        [False, True, True, False],
        [True, True, True, True],
    ]
    assert decoding.nucleus_mask(logits, 1).tolist() == [
        [True, True, True, False],
        [True, True, True, True],
    ]
    assert decoding.min_p_mask(logits, 0.3).tolist() == [
        [False, True, True, False],
        [True, False, False, False],
    ]


def test_excluding_tokens_conditions_the_law():
    mask = decoding.nucleus_mask(LOGITS, 0.8)
    masked = categorical.probs(decoding.apply_mask(LOGITS, mask))
    np.testing.assert_allclose(masked, np.where(mask, PROBS, 0) / PROBS[mask].sum())


def test_the_place_of_the_temperature_matters_to_nucleus_and_min_p_alone():
    for temperature in (0.5, 2.0):
        scaled = LOGITS / temperature
        np.testing.assert_array_equal(
            decoding.top_k_mask(scaled, 2), decoding.top_k_mask(LOGITS, 2)
        )
    assert kept(decoding.nucleus_mask(LOGITS / 0.5, 0.7)) == [1, 3]
    assert kept(decoding.nucleus_mask(LOGITS, 0.75)) == [1, 2, 3]
    assert kept(decoding.nucleus_mask(LOGITS / 0.5, 0.75)) == [1, 3]
    assert kept(decoding.min_p_mask(LOGITS / 2, 0.5)) == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: decoding.top_k_mask(LOGITS, 0),
            "k must be a whole number of at least 1, got 0",
        ),
        (lambda: decoding.top_k_mask(LOGITS, 6), "k must be at most the 5 open"),
        (lambda: decoding.nucleus_mask(LOGITS, 0), "mass must lie in .0, 1., got 0"),
        (
            lambda: decoding.nucleus_mask(LOGITS, 1.1),
            "mass must lie in .0, 1., got 1.1",
        ),
        (
            lambda: decoding.min_p_mask(LOGITS, np.nan),
            "share must lie in .0, 1., got nan",
        ),
        (
            lambda: decoding.apply_mask(LOGITS, np.zeros(5, bool)),
            "logits must leave a category open in every row",
        ),
    ],
)
def test_what_is_out_of_range_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_what_is_no_number_is_refused():
    with pytest.raises(TypeError, match="mass must be a number, got str"):
        decoding.nucleus_mask(LOGITS, "half")
