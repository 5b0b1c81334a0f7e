"""Time and memory of a call of gumbel_softmax, and of torch's, from one row to a VAE's batch.

Run it with `make bench`. One thread, values checked; the medians of interleaved rounds, in microseconds
per call, with the ratio that says how many times as fast as torch's ours is.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from measure import interleave, record
from torch.profiler import ProfilerActivity, profile

import gumbel_tutorial as gt

SHAPES = ((1, 5), (64, 10), (100, 20, 10))
TAU = 0.5
# A round must be long against the clock's grain.
ENTRIES_OF_A_ROUND = 100_000
FUNCTIONS = {"torch": F.gumbel_softmax, "ours": gt.gumbel_softmax}


def repeated(call: Callable[[], Any], times: int) -> None:
    """Call many times."""
    for _ in range(times):
        call()


def both_passes(
    function: Callable[..., torch.Tensor],
    logits: torch.Tensor,
    hard: bool,
    slope: torch.Tensor,
) -> None:
    """Draw a sample and send a slope back through it."""
    logits.grad = None
    function(logits, TAU, hard).backward(slope)


def calls(
    function: Callable[..., torch.Tensor], shape: tuple[int, ...]
) -> dict[str, Callable[[], Any]]:
    """Return the four calls of one function, by what they do."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(shape, generator=generator)
    slope = torch.randn(shape, generator=generator)
    leaf = logits.clone().requires_grad_()
    made: dict[str, Callable[[], Any]] = {}
    for name, hard in (("soft", False), ("hard", True)):
        made[name] = partial(function, logits, TAU, hard)
        made[f"{name}, both passes"] = partial(both_passes, function, leaf, hard, slope)
    return made


def peak_bytes(call: Callable[[], Any]) -> int:
    """Return the most memory that torch held at once during a call, above what it held before."""
    call()
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        call()
    held, most = 0, 0
    for event in profiler.profiler.kineto_results.events():
        if event.name() == "[memory]":
            held += event.nbytes()
            most = max(most, held)
    return most


def compare(shape: tuple[int, ...]) -> dict[str, dict[str, float]]:
    """Return the microseconds and bytes of each call by both functions, and the ratio of speeds."""
    times = min(max(10, ENTRIES_OF_A_ROUND // torch.Size(shape).numel()), 500)
    made = {name: calls(function, shape) for name, function in FUNCTIONS.items()}
    seconds = interleave(
        {
            f"{name}: {what}": partial(repeated, call, times)
            for name, by_what in made.items()
            for what, call in by_what.items()
        },
        rounds=15,
    )
    compared = {}
    for what in made["ours"]:
        micro = {name: seconds[f"{name}: {what}"] / times * 1e6 for name in made}
        compared[what] = {
            **{f"{name}, us": round(value, 1) for name, value in micro.items()},
            **{f"{name}, bytes": peak_bytes(made[name][what]) for name in made},
            "ratio": round(micro["torch"] / micro["ours"], 2),
        }
    return compared


if __name__ == "__main__":
    torch.set_num_threads(1)
    results = {" x ".join(map(str, shape)): compare(shape) for shape in SHAPES}
    for shape, compared in results.items():
        for what, figures in compared.items():
            print(f"{shape:>15} {what:18}", figures)
    print(record("calls", results))
