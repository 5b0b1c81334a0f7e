"""Kernels that draw: the noise itself, Gumbel-Max with its sums, and the maximum over cells."""

import triton
import triton.language as tl

from gumbel_tutorial.kernels.device.gumbel_noise import (
    LN_2,
    MINUS_LN_LN_2,
    gumbels_of_64_bits,
    gumbels_of_categories,
    log2,
)
from gumbel_tutorial.kernels.device.random_bits import CELL, CHOICE
from gumbel_tutorial.kernels.device.tiles import (
    largest_of,
    load_tile,
    store_share,
    store_tile,
    temperatures,
    tile_of,
)

LOG2_E = tl.constexpr(1.4426950408889634)


@triton.jit
def noise_kernel(
    out,
    seed,
    num_rows,
    num_categories,
    ROWS: tl.constexpr,
    BLOCK: tl.constexpr,
    ALIGN: tl.constexpr,
    REFINED_BELOW: tl.constexpr,
):
    """Write the noise that the kernels below and the relaxed ones make for themselves.

    4 bytes a number, written.
    """
    tile = tile_of(ROWS, BLOCK)
    gumbels = gumbels_of_categories(seed, tile[0], tile[2], REFINED_BELOW)
    noise = tl.fma(gumbels, LN_2, MINUS_LN_LN_2)
    store_tile(out, noise, tile, (num_rows, num_categories), ALIGN)


@triton.jit
def perturbed_tile(
    logits, seed, tile, size, ALIGN: tl.constexpr, REFINED_BELOW: tl.constexpr
):
    """Return the logits plus their Gumbels, less the constant of the base."""
    values = load_tile(logits, tile, size, -float("inf"), ALIGN)
    gumbels = gumbels_of_categories(seed, tile[0], tile[2], REFINED_BELOW)
    return tl.fma(gumbels, LN_2, values)


@triton.jit
def finite_or_zero(largest):
    """Return maxima of which one may be subtracted: that of nothing but -inf is taken as 0."""
    return tl.where(largest > -float("inf"), largest, 0.0)


@triton.jit
def gumbel_max_kernel(
    logits,
    stride,
    seed,
    tau,
    taus,
    maxima,
    indices,
    sums,
    num_rows,
    num_categories,
    ROWS: tl.constexpr,
    BLOCK: tl.constexpr,
    ALIGN: tl.constexpr,
    HAS_TAUS: tl.constexpr,
    SUMS: tl.constexpr,
    REFINED_BELOW: tl.constexpr,
):
    r"""Write each chunk's largest perturbed logit, its place, and $\sum_i e^{(v_i-\max v)/\tau}$ if asked.

    A category costs 4 bytes read in float32 and 2 in half precision; a chunk costs 12 or 16 written.
    """
    tile = tile_of(ROWS, BLOCK)
    size = (num_rows, num_categories)
    values = perturbed_tile((logits, stride), seed, tile, size, ALIGN, REFINED_BELOW)
    largest, place = largest_of(values, 1)
    # Of a row without a largest, too, the index is one of its categories.
    index = tl.minimum(tile[3] * BLOCK + place, num_categories - 1)
    store_share(indices, index.to(tl.int64), tile, size)
    if not SUMS:
        store_share(maxima, largest + MINUS_LN_LN_2, tile, size)
    else:
        # Without the constant, so that what is subtracted again is what was the largest, bit for bit.
        store_share(maxima, largest, tile, size)
        scale = LOG2_E / temperatures(tau, taus, tile, size, HAS_TAUS)
        weights = tl.exp2((values - finite_or_zero(largest)) * scale)
        store_share(sums, tl.sum(weights, axis=1, keep_dims=True), tile, size)


@triton.jit
def aligned_rows(logits, offset, stride, rows, ALIGN: tl.constexpr):
    """Return how far rows begin behind an address that four numbers divide, and that address."""
    if ALIGN == 4:
        lead = tl.zeros_like(rows).to(tl.int32)
        start = rows * (stride // 4 * 4)
    else:
        first = rows * stride + offset
        start = first // 4 * 4
        lead = (first - start).to(tl.int32)
    return lead, logits + start


@triton.jit
def load_cells(row_logits, lead, tile, size, WIDTH: tl.constexpr, ALIGN: tl.constexpr):
    """Load cells (ROWS, DEPTH, WIDTH) four numbers at a time, closed where they are not of the row.

    Four that begin before a row or end after it are read as a whole: they lie within 16 bytes of which one
    is the tensor's, and so within its memory.
    """
    lanes = tl.arange(0, WIDTH)[None, None, :]
    fours = tile[1][:, :, None] * WIDTH + lanes // 4 * 4
    end = (size[1] + lead)[:, :, None]
    inside = (tile[0] < size[0])[:, :, None] & (fours < end)
    positions = tile[1][:, :, None] * WIDTH + lanes
    pointers = row_logits[:, :, None] + positions
    values = tl.load(pointers, mask=inside, other=-float("inf")).to(tl.float32)
    if ALIGN < 4:
        own = (positions >= lead[:, :, None]) & (positions < end)
        values = tl.where(own, values, -float("inf"))
    return values


@triton.jit
def log2_sum_exp(values):
    """Return log2 of the sums of the exponentials over axis 1 of a tile of three; -inf of nothing else."""
    largest = tl.max(values, axis=1)
    # What is subtracted is added again as it is, so its rounding does not count.
    level = finite_or_zero(largest) * LOG2_E
    total = tl.sum(tl.exp2(tl.fma(values, LOG2_E, -level[:, None, :])), axis=1)
    is_open = total > 0
    logs = level + log2(tl.where(is_open, total, 1.0))
    return tl.where(is_open, logs, -float("inf"))


@triton.jit
def cell_max_kernel(
    logits,
    offset,
    stride,
    seed,
    maxima,
    indices,
    num_rows,
    num_categories,
    ROWS: tl.constexpr,
    DEPTH: tl.constexpr,
    WIDTH: tl.constexpr,
    ALIGN: tl.constexpr,
):
    r"""Write each chunk's largest perturbed logit and its place, from one Gumbel for each cell.

    The logits begin ``offset`` numbers behind the pointer. A row's chunk is a matrix of DEPTH by WIDTH, and
    its columns are the cells: a thread holds whole cells, so their sums meet no other thread. With
    $L_c = \log\sum_{i\in c}e^{\ell_i}$, $\max_{i\in c}(\ell_i+G_i)\sim\mathrm{Gumbel}(L_c)$, independent of
    which i it is, and i has the law softmax(l) within c. So $\max_c(L_c+G_c)$ is the maximum, its cell is
    the winner's, and the winner within the cell is drawn afterwards, in that one cell, by Gumbel-Max with
    noise of its own.

    A category costs 4 bytes read in float32 and 2 in half precision, and one exponential; a cell costs one
    Gumbel, a chunk 12 bytes written and DEPTH categories read again.
    """
    tile = tile_of(ROWS, DEPTH)
    rows, depths, groups, chunk = tile
    size = (num_rows, num_categories)
    # Positions count from the last address before the row that 16 bytes divide.
    lead, row_logits = aligned_rows(logits, offset, stride, rows, ALIGN)
    values = load_cells(row_logits, lead, tile, size, WIDTH, ALIGN)
    cell_groups = chunk * (WIDTH // 4) + tl.arange(0, WIDTH // 4)[None, :]
    gumbels = gumbels_of_64_bits(seed, rows, cell_groups, CELL)
    maximum, cell = largest_of(log2_sum_exp(values) + gumbels, 1)
    store_share(maxima, tl.fma(maximum, LN_2, MINUS_LN_LN_2), tile, size)

    choices = depths * WIDTH + cell
    inside = (rows < num_rows) & (choices >= lead) & (choices - lead < num_categories)
    values = tl.load(row_logits + choices, mask=inside, other=-float("inf"))
    gumbels = gumbels_of_64_bits(seed, rows, groups, CHOICE)
    _, depth = largest_of(tl.fma(gumbels, LN_2, values.to(tl.float32)), 1)
    index = (chunk * DEPTH + depth) * WIDTH + cell - lead
    index = tl.minimum(tl.maximum(index, 0), num_categories - 1).to(tl.int64)
    store_share(indices, index, tile, size)
