"""Grey levels made binary: the laws, against wrong ones too, and what is refused."""

import sys

import numpy as np
import pytest
import torch

from gumbel_tutorial.book.statistics import standard_error
from gumbel_tutorial.vae.data.binarisation import (
    BINARISATIONS,
    FIXED_SEED,
    binarise,
    dynamic,
    fixed,
    threshold,
)

# Not by attribute: a function of the package may bear the name of the module.
MODULE = sys.modules[binarise.__module__]


def grey_levels(num_images):
    """Return images of 64 grey levels, black and white among them."""
    return torch.linspace(0, 1, 64).expand(num_images, 64)


def is_binarised(draws, num_images=4_000):
    """Test the law: every grey level within five standard errors of its share of ones, or exactly.

    A right sampler fails with probability 62 * 5.7e-7 = 4e-5.
    """
    levels = grey_levels(num_images)[0].numpy()
    draws = draws.double().numpy()
    gap = np.abs(draws.mean(axis=0) - levels)
    if not set(np.unique(draws)) <= {0.0, 1.0} or gap[0] > 0 or gap[-1] > 0:
        return False
    error = np.maximum(standard_error(draws), 0.5 / num_images)
    return bool((gap[1:-1] <= 5 * error[1:-1]).all())


def test_a_pixel_is_set_with_probability_its_grey_level(torch_generator):
    levels = grey_levels(4_000)
    assert is_binarised(fixed(levels, seed=1))
    assert is_binarised(dynamic(levels, generator=torch_generator))
    assert is_binarised(dynamic(levels.double(), generator=torch_generator))


def test_wrong_binarisations_are_rejected(torch_generator):
    levels = grey_levels(4_000)
    draws = torch.rand(levels.shape, generator=torch_generator)
    assert is_binarised((draws < levels).float())
    wrong = [
        (draws < levels**1.1).float(),  # a curve of the screen applied
        (draws < levels * 0.97).float(),
        (draws < 1 - levels).float(),
        (draws[:1] < levels).float(),  # one noise for all images
        threshold(levels),
        levels,
    ]
    assert [is_binarised(pixels) for pixels in wrong] == [False] * len(wrong)


def test_pixels_are_set_independently(torch_generator):
    halves = torch.full((4_000, 8), 0.5)
    for draws in (fixed(halves), dynamic(halves, generator=torch_generator)):
        correlations = np.corrcoef(draws.numpy().T) - np.eye(8)
        assert np.abs(correlations).max() < 5 / 4_000**0.5
        neighbours = np.corrcoef(draws[:-1].reshape(-1), draws[1:].reshape(-1))[0, 1]
        assert abs(neighbours) < 5 / draws.numel() ** 0.5


def test_fixed_is_decided_by_its_seed():
    levels = grey_levels(50)
    state = torch.get_rng_state()
    assert torch.equal(fixed(levels), fixed(levels, seed=FIXED_SEED))
    assert torch.equal(torch.get_rng_state(), state)
    assert not torch.equal(fixed(levels), fixed(levels, seed=FIXED_SEED + 1))


def test_fixed_does_not_depend_on_its_blocks(monkeypatch):
    levels = grey_levels(50)
    whole = fixed(levels)
    monkeypatch.setattr(MODULE, "_PIXELS_AT_ONCE", 100)
    assert torch.equal(fixed(levels), whole)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_the_dtype_of_the_pixels_does_not_shift_the_law(dtype):
    # Noise rounded to bfloat16 would change some 60 of these pixels.
    levels = grey_levels(1_000).bfloat16()
    draws = fixed(levels.to(dtype))
    assert torch.equal(draws.float(), fixed(levels.float()))


def test_dynamic_draws_anew_and_is_decided_by_its_generator(torch_generator):
    levels = grey_levels(50)
    first = dynamic(levels, generator=torch_generator)
    second = dynamic(levels, generator=torch_generator)
    assert not torch.equal(first, second)
    torch_generator.manual_seed(20170424)
    assert torch.equal(dynamic(levels, generator=torch_generator), first)


def test_the_threshold_is_one_half_and_belongs_to_white():
    below = np.nextafter(np.float32(0.5), np.float32(0))
    assert threshold(torch.tensor([0.0, below, 0.5, 1.0])).tolist() == [0, 0, 1, 1]


def test_binarise_is_each_by_name(torch_generator):
    levels = grey_levels(50)
    assert torch.equal(binarise(levels, "fixed"), fixed(levels))
    assert torch.equal(binarise(levels, "fixed", seed=0), fixed(levels, seed=0))
    drawn = binarise(levels, "dynamic", generator=torch_generator)
    torch_generator.manual_seed(20170424)
    assert torch.equal(drawn, dynamic(levels, generator=torch_generator))
    assert torch.equal(binarise(levels, "threshold"), (levels >= 0.5).float())
    assert binarise(levels, "grey") is levels
    assert BINARISATIONS == ("fixed", "dynamic", "threshold", "grey")


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("shape", [(), (0, 784), (2, 3, 4)])
def test_shape_and_dtype_are_kept(dtype, shape, torch_generator):
    pixels = torch.ones(shape, dtype=dtype)
    for how in BINARISATIONS:
        generator = torch_generator if how == "dynamic" else None
        result = binarise(pixels, how, generator=generator)
        assert result.dtype == dtype
        assert torch.equal(result, pixels)


def test_binarise_refuses_what_it_would_ignore(torch_generator):
    levels = grey_levels(2)
    with pytest.raises(
        ValueError, match="one of fixed, dynamic, threshold, grey, got 'x'"
    ):
        binarise(levels, "x")
    with pytest.raises(TypeError, match="seed must be None unless how is 'fixed'"):
        binarise(levels, "grey", seed=1)
    with pytest.raises(TypeError, match="generator must be None unless how is 'dyn"):
        binarise(levels, "fixed", generator=torch_generator)
    with pytest.raises(TypeError, match="generator must be given when how is 'dyn"):
        binarise(levels, "dynamic")
    with pytest.raises(TypeError, match="generator must be a torch.Generator, got int"):
        dynamic(levels, generator=3)


@pytest.mark.parametrize("how", BINARISATIONS)
def test_what_are_no_grey_levels_is_refused(how, torch_generator):
    generator = torch_generator if how == "dynamic" else None
    for wrong in (255.0, -0.1, float("nan")):
        with pytest.raises(ValueError, match=r"pixels must lie in \[0, 1\], got"):
            binarise(torch.tensor([0.5, wrong]), how, generator=generator)
    with pytest.raises(TypeError, match="pixels must have a floating dtype"):
        binarise(torch.tensor([0, 1]), how, generator=generator)
    with pytest.raises(TypeError, match="pixels must be a torch.Tensor, got ndarray"):
        binarise(np.zeros(3), how, generator=generator)


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
def test_on_a_cuda_device(torch_generator):
    levels = grey_levels(4_000).cuda()
    assert torch.equal(fixed(levels).cpu(), fixed(levels.cpu()))
    generator = torch.Generator("cuda").manual_seed(0)
    assert is_binarised(dynamic(levels, generator=generator).cpu())
    with pytest.raises(ValueError, match="generator must be on device cuda:0, got one"):
        dynamic(levels, generator=torch_generator)
