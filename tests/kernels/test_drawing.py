"""Categories drawn by the kernels: the laws of index and maximum, and what logits they take."""

import numpy as np
import pytest
import torch
from scipy import stats

from gumbel_tutorial import checks, kernels
from gumbel_tutorial.book import statistics
from gumbel_tutorial.kernels import drawing, launch
from gumbel_tutorial.kernels.launch import Cells, alignment, new_seed

pytestmark = pytest.mark.cuda
FAILURE_RATE = 1e-6
WEIGHTS = np.array([0.5, 0.3, 0.1, 0.07, 0.03])


def by_row(rows, seed):
    return drawing.largest_of_row(rows, seed)


def by_cells(rows, seed):
    # Few and small cells, and many rows in a program: two chunks, of which the second is not full. A device
    # needs the warps, or its compiler takes a minute; the interpreter has none.
    return drawing.largest_of_cells(rows, seed, Cells(4, 4, 2, warps=8, rows=1024))


def by_default_cells(rows, seed):
    return drawing.largest_of_cells(rows, seed)


DRAWS = 10_240
SPREAD = {by_row: 5, by_cells: 20}


def example(device, way):
    """Return the logits of the weights, spread over categories that else are closed."""
    logits = torch.full((SPREAD[way],), -torch.inf)
    logits[:: SPREAD[way] // 5] = torch.as_tensor(np.log(WEIGHTS), dtype=torch.float32)
    return logits.to(device).expand(DRAWS, -1)


@pytest.fixture(params=[by_row, by_cells])
def draws(request, device, seed):
    """Return maxima, and indices among the open categories."""
    way = request.param
    maximum, index = (x.cpu().numpy() for x in way(example(device, way), seed))
    step = SPREAD[way] // 5
    assert (index % step == 0).all()
    return maximum, index // step


def test_index_and_maximum_have_their_laws_and_are_independent(draws):
    maximum, index = draws
    counts = np.bincount(index, minlength=5)
    assert statistics.chi_square_p_value(counts, WEIGHTS) > FAILURE_RATE
    tilted = WEIGHTS**1.2 / (WEIGHTS**1.2).sum()
    assert statistics.chi_square_p_value(counts, tilted) < FAILURE_RATE

    # The weights sum to one, so the maximum is a standard Gumbel.
    assert stats.kstest(maximum, stats.gumbel_r.cdf).pvalue > FAILURE_RATE
    assert stats.kstest(maximum - 0.1, stats.gumbel_r.cdf).pvalue < FAILURE_RATE

    assert independence_p_value(maximum, index) > FAILURE_RATE
    # Less the logit of the winner, it tells who has won.
    assert independence_p_value(maximum - np.log(WEIGHTS)[index], index) < FAILURE_RATE


def independence_p_value(number, index):
    above = number > np.median(number)
    table = [np.bincount(index[above == side], minlength=5) for side in (False, True)]
    return stats.chi2_contingency(table).pvalue


def test_the_perturbed_maximum_is_that_of_the_noise_shown(device, seed, generator):
    for size in (3, 40, 1000, 9000):
        logits = torch.randn(3, size, device=device, generator=generator)
        perturbed = logits + drawing.noise_of_rows(logits, seed)
        maximum, index = drawing.largest_of_row(logits, seed)
        assert torch.equal(index, perturbed.argmax(1))
        torch.testing.assert_close(maximum, perturbed.amax(1))


def test_a_heavy_cell_wins_by_its_sum_and_not_by_its_largest_logit(device, seed):
    # A cell of 4 equal logits against one of a single logit: 4 to 1, where the largest alone says 1 to 1.
    logits = torch.full((4096, 16), -torch.inf, device=device)
    logits[:, 0::4] = 0
    logits[:, 1] = 0
    _, index = drawing.largest_of_cells(
        logits, seed, Cells(4, 4, 1, warps=8, rows=1024)
    )
    hits = int((index == 1).sum())
    assert stats.binomtest(hits, 4096, 1 / 5).pvalue > FAILURE_RATE
    assert stats.binomtest(hits, 4096, 1 / 2).pvalue < FAILURE_RATE
    counts = torch.bincount(index, minlength=16)[0::4].cpu().numpy()
    assert statistics.chi_square_p_value(counts, np.full(4, 0.25)) > FAILURE_RATE


def test_rows_of_a_million_categories_are_drawn_from(device, generator):
    size = 1_000_000 if device.type == "cuda" else 100_000
    logits = torch.full((1, size), -torch.inf, device=device)
    logits[0, -1] = 0
    for cells in (False, True):
        index, maximum = kernels.gumbel_max(logits, generator=generator, cells=cells)
        assert index.tolist() == [size - 1]
        assert -3 < maximum.item() < 17
    logits[0] = 0
    index = kernels.sample(logits, generator=generator)
    assert 0 <= index.item() < size


@pytest.mark.parametrize(
    ("size", "dtype"), [(5001, torch.float32), (5000, torch.bfloat16)]
)
def test_long_rows_by_deep_cells_have_the_law(size, dtype, device, generator):
    assert launch.cells(size, alignment(size), dtype.itemsize).depth == 32
    logits = torch.full((40, size), -torch.inf, dtype=dtype, device=device)
    logits[:, 4096], logits[:, size - 1] = 2, 0
    index = kernels.sample(logits, generator=generator)
    hits = int((index == 4096).sum())
    assert hits + int((index == size - 1).sum()) == 40
    share = 1 / (1 + np.exp(-2))
    assert stats.binomtest(hits, 40, share).pvalue > FAILURE_RATE
    assert stats.binomtest(hits, 40, 1 - share).pvalue < FAILURE_RATE


@pytest.mark.parametrize("begin", [0, 1, 2, 3])
@pytest.mark.parametrize("size", [13, 16])
def test_rows_that_begin_anywhere_are_drawn_from_within(begin, size, device, seed):
    # What lies before and after a row is far larger than all of it, and must not be seen.
    memory = torch.full((1000, 20), 50.0, device=device)
    rows = memory[:, begin : begin + size]
    rows[:] = -torch.inf
    open_places = [0, 4, size - 1]
    rows[:, open_places] = 0
    plan = Cells(4, 8, 1, warps=8, rows=1024)
    maximum, index = drawing.largest_of_cells(rows, seed, plan)
    counts = torch.bincount(index, minlength=size).cpu().numpy()
    assert counts[open_places].sum() == 1000
    assert (
        statistics.chi_square_p_value(counts[open_places], np.full(3, 1 / 3))
        > FAILURE_RATE
    )
    assert (
        stats.kstest(maximum.cpu().numpy(), stats.gumbel_r(np.log(3)).cdf).pvalue
        > FAILURE_RATE
    )


def test_addresses_beyond_two_to_the_31_elements_are_read(device, seed):
    # Two rows so far apart: pages that nothing touches take no memory, at least not on a CPU.
    if device.type == "cuda" and torch.cuda.mem_get_info()[0] < 6e9:
        pytest.skip("needs 6 GB of the device's memory")
    stride = 2**31 + 64
    rows = torch.empty(stride + 64, dtype=torch.bfloat16, device=device).as_strided(
        (2, 8), (stride, 1)
    )
    for row, place in ((0, 3), (1, 5)):
        rows[row] = -torch.inf
        rows[row, place] = 0
    for way in (by_row, by_default_cells):
        assert way(rows, seed)[1].tolist() == [3, 5]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_every_dtype_is_compared_in_float32(dtype, device, generator):
    # Equal logits: rounded to its dtype, noise would tie, and the first of equals would win.
    logits = torch.zeros(512, 64, dtype=dtype, device=device)
    index, maximum = kernels.gumbel_max(logits, generator=generator)
    assert maximum.dtype == torch.float32
    assert len(maximum.unique()) == 512
    rounded = maximum.to(torch.bfloat16)
    assert len(rounded.unique()) < 400
    counts = torch.bincount(index // 8, minlength=8).cpu().numpy()
    assert statistics.chi_square_p_value(counts, np.full(8, 1 / 8)) > FAILURE_RATE


def test_leading_shapes_views_and_masks_are_taken(device, generator):
    def draw(logits):
        generator.manual_seed(0)
        return kernels.gumbel_max(logits, generator=generator)

    wide = torch.randn(4, 5, 50, device=device, generator=generator)
    wide[..., ::3] = -torch.inf
    sliced, turned = wide[..., 7:40], wide.movedim(-1, 0).contiguous().movedim(0, -1)
    for view in (sliced, turned, wide.expand(2, 4, 5, 50), wide[0, 0]):
        index, maximum = draw(view)
        assert index.shape == maximum.shape == view.shape[:-1]
        assert index.dtype == torch.int64
        again = draw(view.clone(memory_format=torch.contiguous_format))
        assert torch.equal(index, again[0])
        assert torch.isfinite(view.gather(-1, index[..., None])).all()
    index = kernels.sample(torch.empty(0, 7, device=device), generator=generator)
    assert index.shape == (0,)


def test_one_category_is_always_drawn(device, generator):
    index, maximum = kernels.gumbel_max(
        torch.ones(64, 1, device=device), generator=generator
    )
    assert (index == 0).all()
    assert abs(maximum.mean().item() - 1.577) < 1


def test_the_generator_is_all_that_a_draw_depends_on(device, generator):
    logits = torch.zeros(32, 100, device=device)
    state = generator.get_state()
    first, second = (kernels.sample(logits, generator=generator) for _ in range(2))
    generator.set_state(state)
    assert torch.equal(kernels.sample(logits, generator=generator), first)
    assert not torch.equal(first, second)
    if device.type == "cpu":
        torch.manual_seed(3)
        first = kernels.sample(logits)
        torch.manual_seed(3)
        assert torch.equal(kernels.sample(logits), first)


def test_calls_do_not_share_their_noise(device, generator):
    seeds = torch.stack([new_seed(device, generator) for _ in range(4096)])
    assert len(seeds.unique(dim=0)) == 4096
    # Each of the 96 bits that are used is set in half of the calls.
    numbers = seeds.cpu().numpy().astype(np.int64).view(np.uint64)
    bits = (numbers[:, :, None] >> np.arange(64, dtype=np.uint64)) & np.uint64(1)
    assert np.abs(bits.mean(0) - 0.5).max() < 5.5 * 0.5 / 64


def test_what_the_kernels_do_not_take_is_refused(device, generator):
    good = torch.zeros(2, 3, device=device)
    for bad, message in (
        (good.double(), "logits must be float32, bfloat16 or float16 on a CUDA device"),
        (good[:, :0], "with at least one category, got torch.float32 of shape"),
        (good * torch.nan, "logits must not be NaN"),
        (good - torch.inf, "logits must leave a category open in every row"),
        (good + torch.inf, "logits must be below"),
    ):
        with pytest.raises(ValueError, match=message):
            kernels.sample(bad, generator=generator)
    with pytest.raises(TypeError, match="logits must have a floating dtype"):
        kernels.sample(good.long(), generator=generator)
    with pytest.raises(
        TypeError, match=r"generator must be a torch.Generator, got int"
    ):
        kernels.sample(good, generator=0)


@pytest.mark.parametrize("value", [torch.nan, -torch.inf])
def test_unchecked_faults_give_an_index_that_exists(value, device, generator):
    logits = torch.full((3, 700), value, device=device)
    with checks.check_values(False):
        for cells in (False, True):
            index, _ = kernels.gumbel_max(logits, generator=generator, cells=cells)
            assert ((index >= 0) & (index < 700)).all()
