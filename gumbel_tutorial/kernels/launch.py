"""How a kernel is started: rows of memory, tiles for their size, a seed that stays on the device."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import triton

# What the registers of a program hold, with the words of the noise.
LARGEST_CHUNK = 4096
LARGEST_ROW = 16_384
LARGEST_ROW_UNALIGNED = 8192
_SMALLEST_TILE = 2048
# The second axis of a grid has at most 65,535 programs.
MOST_CATEGORIES = 65_535 * LARGEST_CHUNK


def interprets() -> bool:
    """Tell whether NumPy runs the kernels, on the CPU: TRITON_INTERPRET=1 before triton is imported."""
    return bool(triton.knobs.runtime.interpret)


@dataclass(frozen=True)
class Tiling:
    """How programs share a matrix: each takes ``rows`` rows and one of ``chunks`` blocks of them."""

    rows: int
    block: int
    chunks: int
    warps: int


def tiling(num_categories: int) -> Tiling:
    """Return tiles for a kernel that may take a row in chunks."""
    return _tiling(num_categories, LARGEST_CHUNK)


def row_tiling(num_categories: int, align: int) -> Tiling:
    """Return tiles for a kernel that does best with whole rows: longer ones, while they fit."""
    # A number that is addressed by itself takes registers for that.
    largest = LARGEST_ROW if align == 4 else LARGEST_ROW_UNALIGNED
    return _tiling(num_categories, largest)


def _tiling(num_categories: int, largest: int) -> Tiling:
    if num_categories > largest:
        chunks = triton.cdiv(num_categories, LARGEST_CHUNK)
        return Tiling(1, LARGEST_CHUNK, chunks, warps=4)
    block = max(4, triton.next_power_of_2(num_categories))
    rows = max(1, _SMALLEST_TILE // block)
    # 32 numbers a thread; of the longest rows 16, since a thread then has half the registers.
    warps = 32 if block == LARGEST_ROW else max(4, block // 1024)
    return Tiling(rows, block, 1, warps)


@dataclass(frozen=True)
class Cells:
    """How programs share rows of cells: chunks of ``depth`` by ``width``, of which a column is a cell."""

    depth: int
    width: int
    chunks: int
    warps: int
    rows: int = 1


def cells(num_categories: int, align: int = 4, itemsize: int = 4) -> Cells:
    """Return cells of which a thread holds four whole ones, in one warp where a row is short.

    Long rows of 16 bits a number, or that nothing aligns, are read fastest by deep cells in one warp, up to
    1.8 times as fast: benchmarks/gpu_cells.py.
    """
    if num_categories > 4096 and (align < 4 or itemsize < 4):
        return cells_of(num_categories, 32, 1, align)
    warps = 1 if num_categories <= 2048 else 2 if num_categories <= 4096 else 4
    return cells_of(num_categories, 8 if num_categories <= 1024 else 16, warps, align)


def cells_of(num_categories: int, depth: int, warps: int, align: int) -> Cells:
    """Return as many chunks of such cells as a row takes."""
    width = 128 * warps
    # A row that is not aligned begins up to three places into its first cells.
    places = num_categories if align == 4 else num_categories + 3
    return Cells(depth, width, triton.cdiv(places, depth * width), warps)


def matrix(tensor: torch.Tensor) -> torch.Tensor:
    """Return a tensor as rows whose entries lie side by side; a copy only where there is no such view."""
    *batch, width = tensor.shape
    rows = tensor.reshape(math.prod(batch), width)
    return rows if width == 1 or rows.stride(1) == 1 else rows.contiguous()


def from_aligned(rows: torch.Tensor) -> tuple[torch.Tensor, int]:
    """Return rows from an address on that four numbers divide, and by how many theirs is behind it."""
    offset = rows.data_ptr() // rows.element_size() % 4
    if offset > rows.storage_offset():  # memory of somebody else's
        return rows.clone(), 0
    begin = rows.storage_offset() - offset
    return rows.as_strided(rows.shape, rows.stride(), begin), offset


def alignment(num_categories: int, *strides: int) -> int:
    """Return what divides all distances between rows, up to the four words of a Philox call."""
    return math.gcd(4, num_categories, *strides)


def new_seed(device: torch.device, generator: torch.Generator | None) -> torch.Tensor:
    """Draw 64 bits of key and as many that name the call, by torch's generator, on the device.

    So nothing is read back, and a CUDA graph that is replayed draws anew, as torch's own functions do.
    """
    return torch.randint(
        -(2**63), 2**63 - 1, (2,), dtype=torch.int64, device=device, generator=generator
    )


def start(kernel: Any, grid: Sequence[int], arguments: Any, warps: int) -> None:
    """Start a kernel, if there is anything to do.

    No product and sum are fused but where the source says so: noise that is made twice is the same twice.
    """
    if 0 in grid:
        return
    with torch.cuda.device_of(arguments["seed"]):
        kernel[tuple(grid)](**arguments, num_warps=warps, enable_fp_fusion=False)


def start_on_tiles(
    kernel: Any, tiles: Tiling, num_rows: int, arguments: dict[str, Any]
) -> None:
    """Start a kernel on every tile of a matrix."""
    grid = (triton.cdiv(num_rows, tiles.rows), tiles.chunks)
    sizes = {"num_rows": num_rows, "ROWS": tiles.rows, "BLOCK": tiles.block}
    start(kernel, grid, arguments | sizes, tiles.warps)
