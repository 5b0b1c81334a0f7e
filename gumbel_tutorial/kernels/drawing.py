r"""Categories and noise on the device, from rows of logits; nothing is checked here."""

import torch
import triton

from gumbel_tutorial.kernels.device import drawing as device
from gumbel_tutorial.kernels.device.gumbel_noise import REFINED_BELOW
from gumbel_tutorial.kernels.launch import (
    Cells,
    alignment,
    cells,
    from_aligned,
    start,
    start_on_tiles,
    tiling,
)

# Below, a row is drawn by the noise of its categories: cells would be as many.
FEW_CATEGORIES = 512


def draw(rows: torch.Tensor, seed: torch.Tensor) -> torch.Tensor:
    """Return a category of each row by the cheaper of the two ways."""
    way = largest_of_row if rows.shape[1] < FEW_CATEGORIES else largest_of_cells
    return way(rows, seed)[1]


def largest_of_cells(
    rows: torch.Tensor, seed: torch.Tensor, plan: Cells | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return maximum and index of the perturbed logits, from one Gumbel for a cell."""
    num_rows, num_categories = rows.shape
    rows, offset = from_aligned(rows)
    align = alignment(num_categories, rows.stride(0), offset)
    plan = plan or cells(num_categories, align, rows.element_size())
    maxima, indices = _outputs(rows, plan.chunks)
    arguments = {
        "logits": rows,
        "offset": offset,
        "stride": rows.stride(0),
        "seed": seed,
        "maxima": maxima,
        "indices": indices,
        "num_categories": num_categories,
        "num_rows": num_rows,
        "ROWS": plan.rows,
        "DEPTH": plan.depth,
        "WIDTH": plan.width,
        "ALIGN": align,
    }
    grid = (triton.cdiv(num_rows, plan.rows), plan.chunks)
    start(device.cell_max_kernel, grid, arguments, plan.warps)
    return _best_chunk(maxima, indices)


def largest_of_row(
    rows: torch.Tensor,
    seed: torch.Tensor,
    refined_below: int = REFINED_BELOW.value,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return maximum and index of the perturbed logits, from one Gumbel for a category."""
    maxima, indices, _ = _perturbed(rows, seed, None, refined_below)
    return _best_chunk(maxima, indices)


def statistics_of_row(
    rows: torch.Tensor, seed: torch.Tensor, tau: float | torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    r"""Return the largest $v_i$, its index, and $\sum_i e^{(v_i-\max v)/\tau}$, v less a constant."""
    maxima, indices, sums = _perturbed(rows, seed, tau, REFINED_BELOW.value)
    largest, index = _best_chunk(maxima, indices)
    if maxima.shape[1] > 1:
        temperatures = tau[:, None] if isinstance(tau, torch.Tensor) else tau
        sums = sums * ((maxima - largest[:, None]) / temperatures).exp()
    return largest, index, sums.sum(1)


def noise_of_rows(
    rows: torch.Tensor, seed: torch.Tensor, refined_below: int = REFINED_BELOW.value
) -> torch.Tensor:
    """Return the noise that the other functions make of the seed for such rows, in float32."""
    num_rows, num_categories = rows.shape
    tiles = tiling(num_categories)
    out = rows.new_empty(rows.shape, dtype=torch.float32)
    arguments = {
        "out": out,
        "seed": seed,
        "num_categories": num_categories,
        "ALIGN": alignment(num_categories),
        "REFINED_BELOW": refined_below,
    }
    start_on_tiles(device.noise_kernel, tiles, num_rows, arguments)
    return out


def temperature_arguments(
    tau: float | torch.Tensor, seed: torch.Tensor
) -> dict[str, object]:
    """Return what a kernel takes for one temperature, or for one a row."""
    if isinstance(tau, torch.Tensor):
        return {"tau": 1.0, "taus": tau, "HAS_TAUS": True}
    return {"tau": float(tau), "taus": seed, "HAS_TAUS": False}


def _perturbed(
    rows: torch.Tensor,
    seed: torch.Tensor,
    tau: float | torch.Tensor | None,
    refined_below: int,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    num_rows, num_categories = rows.shape
    tiles = tiling(num_categories)
    maxima, indices = _outputs(rows, tiles.chunks)
    sums = maxima if tau is None else torch.empty_like(maxima)
    arguments = {
        "logits": rows,
        "stride": rows.stride(0),
        "seed": seed,
        **temperature_arguments(1.0 if tau is None else tau, seed),
        "maxima": maxima,
        "indices": indices,
        "sums": sums,
        "num_categories": num_categories,
        "ALIGN": alignment(num_categories, rows.stride(0)),
        "SUMS": tau is not None,
        "REFINED_BELOW": refined_below,
    }
    start_on_tiles(device.gumbel_max_kernel, tiles, num_rows, arguments)
    return maxima, indices, sums


def _outputs(rows: torch.Tensor, chunks: int) -> tuple[torch.Tensor, torch.Tensor]:
    shape = (rows.shape[0], chunks)
    maxima = rows.new_empty(shape, dtype=torch.float32)
    return maxima, rows.new_empty(shape, dtype=torch.int64)


def _best_chunk(
    maxima: torch.Tensor, indices: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    if maxima.shape[1] == 1:
        return maxima[:, 0], indices[:, 0]
    largest, chunk = maxima.max(1, keepdim=True)
    return largest[:, 0], indices.gather(1, chunk)[:, 0]
