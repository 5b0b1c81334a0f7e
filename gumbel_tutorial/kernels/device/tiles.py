"""Which part of a matrix a program works on: some rows, and a block of their categories."""

import triton
import triton.language as tl

# Whether NumPy runs the kernels.
INTERPRETED = tl.constexpr(triton.knobs.runtime.interpret)


@triton.jit
def tile_of(ROWS: tl.constexpr, BLOCK: tl.constexpr):
    """Return the rows (ROWS, 1), the positions (1, BLOCK), their groups of four, and the chunk."""
    # 64 bits from here on: a row's address passes 2^31 elements.
    first = tl.program_id(0).to(tl.int64) * ROWS
    chunk = tl.program_id(1)
    rows = first + tl.arange(0, ROWS)[:, None]
    positions = chunk * BLOCK + tl.arange(0, BLOCK)[None, :]
    groups = chunk * (BLOCK // 4) + tl.arange(0, BLOCK // 4)[None, :]
    return rows, positions, groups, chunk


@triton.jit
def load_tile(matrix, tile, size, other, ALIGN: tl.constexpr):
    """Load a tile of (pointer, distance of rows) in float32.

    Sizes and distances that ALIGN divides are told to the compiler as such.
    """
    pointer, stride = matrix
    rows, positions, _, _ = tile
    num_rows, num_categories = size
    inside = (rows < num_rows) & (positions < num_categories // ALIGN * ALIGN)
    offsets = rows * (stride // ALIGN * ALIGN) + positions
    return tl.load(pointer + offsets, mask=inside, other=other).to(tl.float32)


@triton.jit
def store_tile(pointer, value, tile, size, ALIGN: tl.constexpr):
    """Store a tile into a contiguous matrix, in its dtype."""
    rows, positions, _, _ = tile
    num_rows, num_categories = size
    width = num_categories // ALIGN * ALIGN
    inside = (rows < num_rows) & (positions < width)
    tl.store(pointer + rows * width + positions, value, mask=inside)


@triton.jit
def load_column(pointer, tile, size, other):
    """Load one number for each row."""
    return tl.load(pointer + tile[0], mask=tile[0] < size[0], other=other)


@triton.jit
def store_share(pointer, value, tile, size):
    """Store one number for each row of a chunk, beside those of the other chunks."""
    place = tile[0] * tl.num_programs(1) + tile[3]
    tl.store(pointer + place, value, mask=tile[0] < size[0])


@triton.jit
def temperatures(tau, taus, tile, size, HAS_TAUS: tl.constexpr):
    """Return each row's temperature, or the one of all rows."""
    if HAS_TAUS:
        tau = load_column(taus, tile, size, 1.0)
    return tau


@triton.jit
def largest_of(values, axis: tl.constexpr):
    """Return the largest of each row and its place; among equals any.

    Any is a third of the instructions of the first, and NumPy has only the first.
    """
    return tl.max(
        values,
        axis=axis,
        return_indices=True,
        return_indices_tie_break_left=INTERPRETED,
        keep_dims=True,
    )
