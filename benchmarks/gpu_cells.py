"""How deep and how wide should cells be on a CUDA device? The share of a copy's bandwidth, by plan."""

import torch
from gpu import interleave
from measure import record

from gumbel_tutorial.kernels import drawing, launch

SHAPES = ((163_840, 1000), (32_768, 5000), (16_384, 16_384), (8192, 50_257))
# Numbers that a thread holds of each cell, and warps of a program.
PLANS = ((8, 1), (8, 2), (8, 4), (16, 1), (16, 2), (16, 4), (32, 1), (32, 4))


def compare(rows: int, columns: int, dtype: torch.dtype) -> dict[str, float]:
    """Return the shares of the plans, and of the one that is taken."""
    x = torch.randn(rows, columns, device="cuda").to(dtype)
    seed = launch.new_seed(x.device, None)
    align = launch.alignment(columns)
    plans = {
        f"{depth} deep, {warps} warps": launch.cells_of(columns, depth, warps, align)
        for depth, warps in PLANS
    }
    plans["taken"] = launch.cells(columns, align, x.element_size())
    calls = {
        name: lambda plan=plan: drawing.largest_of_cells(x, seed, plan)
        for name, plan in plans.items()
    }
    times = interleave({"copy": x.clone, **calls})
    shares = {name: round(times["copy"] / 2 / times[name], 3) for name in plans}
    print(rows, columns, dtype, shares)
    return shares


if __name__ == "__main__":
    if torch.cuda.is_available():
        dtypes = (torch.float32, torch.bfloat16)
        found = {f"{s} {d}": compare(*s, d) for s in SHAPES for d in dtypes}
        print(f"recorded in {record('gpu_cells', found)}")
    else:
        print(
            "benchmarks/gpu_cells.py needs a CUDA device and finds none: nothing is measured"
        )
