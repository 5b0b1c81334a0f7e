"""The fused kernels on a CUDA device, as shares of a copy that is measured in the same rounds.

A share is the bytes that a call cannot do without, over those that a copy moves in the same time. Small
matrices, where starting a kernel is what takes time, are timed in microseconds per call.
"""

import random
import statistics
import subprocess
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from measure import ROUNDS, record

from gumbel_tutorial import checks, kernels

# Each at least four times the cache of an H200.
SHAPES = ((163_840, 1000), (16_384, 16_384), (8192, 50_257), (512, 1_000_000))
SMALL, REPEATS = (64, 10), 100
TAU = 0.5
Call = Callable[[], Any]


def interleave(calls: dict[str, Call], *, rounds: int = 15) -> dict[str, float]:
    """Return the median milliseconds of each call on the device; they take turns in shuffled order.

    Before each the device is kept busy, so that the host has asked for all of a call when its time begins,
    and so that the cache holds nothing of it.
    """
    times: dict[str, list[float]] = {name: [] for name in calls}
    order = list(calls) * rounds
    random.shuffle(order)
    before = torch.empty(2**31, dtype=torch.uint8, device="cuda")
    for name in [*calls, *order]:
        before.zero_()
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        calls[name]()
        end.record()
        end.synchronize()
        times[name].append(start.elapsed_time(end))
    ROUNDS.append(times)  # the first turn of each compiles it
    return {n: round(statistics.median(found[1:]), 5) for n, found in times.items()}


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


def captured(call: Call) -> Call:
    """Return what runs a call many times over, from a graph: nothing is then started by the host."""
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        for _ in range(REPEATS):
            call()
    return graph.replay


def compare_small() -> dict[str, float]:
    """Return the microseconds of a call on a small matrix, started by the host or from a graph."""
    calls = calls_on(torch.randn(SMALL, device="cuda"))
    names = ("sample", "F, index", "soft", "F, soft")
    started, graphs = {}, {}
    for name in names:
        call = calls[name][1]
        call()
        started[name] = lambda call=call: [call() for _ in range(REPEATS)]
        graphs[f"{name}, graph"] = captured(call)
    times = interleave(started | graphs)
    return {name: round(1000 * time / REPEATS, 2) for name, time in times.items()}


def kept_bytes(call: Call) -> int:
    """Return what a call keeps, for its derivative or as its result."""
    before = torch.cuda.memory_allocated()
    result = call()
    after = torch.cuda.memory_allocated()
    del result
    return after - before


def compare_kept() -> dict[str, int]:
    """Return the bytes that straight-through samples keep per row, logits aside."""
    rows, columns = SHAPES[0]
    x = torch.randn(rows, columns, device="cuda", requires_grad=True)
    calls = {
        "index": lambda: kernels.straight_through_index(x, TAU),
        "F": lambda: F.gumbel_softmax(x, TAU, hard=True),
    }
    return {name: kept_bytes(call) // rows for name, call in calls.items()}


def device_under_work() -> dict[str, Any]:
    """Return what the device has, and the clock that its driver tells while a kernel runs."""
    x = torch.randn(SHAPES[0], device="cuda")
    for _ in range(2000):  # a second of work, which nobody waits for
        kernels.gumbel_max(x)
    told = subprocess.run(
        ["nvidia-smi", "--query-gpu=clocks.sm", "--format=csv,noheader,nounits"],
        capture_output=True,
        text=True,
        check=True,
    )
    about = torch.cuda.get_device_properties(0)
    return {
        "multiprocessors": about.multi_processor_count,
        "cache": about.L2_cache_size,
        "megahertz": float(told.stdout.splitlines()[0]),
    }


if __name__ == "__main__":
    if torch.cuda.is_available():
        dtypes = (torch.float32, torch.bfloat16)
        with checks.check_values(False):
            found = {f"{s} {d}": compare(*s, d) for s in SHAPES for d in dtypes}
            found |= {"small": compare_small(), "kept": compare_kept()}
            found["device"] = device_under_work()
        print({name: found[name] for name in ("small", "kept", "device")})
        print(f"recorded in {record('gpu', found)}")
    else:
        print(
            "benchmarks/gpu.py needs a CUDA device and finds none: nothing is measured"
        )
