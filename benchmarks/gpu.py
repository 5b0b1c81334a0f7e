"""The fused kernels on a CUDA device, as shares of a copy that is measured in the same rounds.

A share is the bytes that a call cannot do without, over those that a copy moves in the same time.
"""

import random
import statistics
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from measure import ROUNDS, record

from gumbel_tutorial import checks, kernels

# Each at least four times the cache of an H200.
SHAPES = ((163_840, 1000), (16_384, 16_384), (8192, 50_257), (512, 1_000_000))
TAU = 0.5
Call = Callable[[], Any]


def interleave(calls: dict[str, Call], *, rounds: int = 15) -> dict[str, float]:
    """Return the median milliseconds of each call on the device; they take turns in shuffled order."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    order = list(calls) * rounds
    random.shuffle(order)
    for name in [*calls, *order]:
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        calls[name]()
        end.record()
        end.synchronize()
        times[name].append(start.elapsed_time(end))
    ROUNDS.append(times)  # the first turn of each compiles it
    return {name: statistics.median(found[1:]) for name, found in times.items()}


def calls_on(x: torch.Tensor) -> dict[str, tuple[int, Call]]:
    """Return what is timed, and how many passes over x it takes at the least."""
    torch.compiler.reset()
    compiled = torch.compile(F.gumbel_softmax, dynamic=False)
    slope, leaf = torch.randn_like(x), x.clone().requires_grad_()
    back = partial(torch.autograd.grad, inputs=leaf, grad_outputs=slope)
    ours, theirs = (
        make(leaf, TAU) for make in (kernels.gumbel_softmax, F.gumbel_softmax)
    )

    def straight_through() -> Any:
        return back(kernels.straight_through_index(leaf, TAU)[1])

    return {
        "copy": (2, x.clone),
        "sample": (1, lambda: kernels.sample(x)),
        "gumbel_max": (1, lambda: kernels.gumbel_max(x)),
        "F, index": (1, lambda: F.gumbel_softmax(x, 1, True).argmax(-1)),
        "multinomial": (1, lambda: torch.multinomial(x.softmax(-1), 1)),
        "soft": (2, lambda: kernels.gumbel_softmax(x, TAU)),
        "F, soft": (2, lambda: F.gumbel_softmax(x, TAU)),
        "compiled F, soft": (2, lambda: compiled(x, TAU)),
        "backward": (3, lambda: back(ours, retain_graph=True)),
        "F, backward": (3, lambda: back(theirs, retain_graph=True)),
        "both passes": (5, lambda: back(kernels.gumbel_softmax(leaf, TAU))),
        "F, both passes": (5, lambda: back(F.gumbel_softmax(leaf, TAU))),
        "straight-through": (4, straight_through),
        "F, straight-through": (4, lambda: back(F.gumbel_softmax(leaf, TAU, True))),
    }


def compare(rows: int, columns: int, dtype: torch.dtype) -> dict[str, Any]:
    """Return milliseconds and shares of copy bandwidth by call."""
    calls = calls_on(torch.randn(rows, columns, device="cuda").to(dtype))
    times = interleave({name: call for name, (_, call) in calls.items()})
    shares = {n: round(calls[n][0] * times["copy"] / 2 / times[n], 3) for n in calls}
    print(rows, columns, dtype, shares)
    return {"milliseconds": times, "shares": shares}


if __name__ == "__main__":
    if torch.cuda.is_available():
        dtypes = (torch.float32, torch.bfloat16)
        with checks.check_values(False):
            found = {f"{s} {d}": compare(*s, d) for s in SHAPES for d in dtypes}
        print(f"recorded in {record('gpu', found)}")
    else:
        print(
            "benchmarks/gpu.py needs a CUDA device and finds none: nothing is measured"
        )
