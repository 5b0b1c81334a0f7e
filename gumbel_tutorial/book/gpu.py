"""What the fused kernels were measured to do on a CUDA device: the record of ``benchmarks/gpu.py``, read."""

from collections.abc import Mapping
from typing import Any

from gumbel_tutorial.book import records

# Rows of 16,384 float32 logits: the longest that every kernel takes in one pass.
_WIDTH = 16_384
_LANES = 128  # each of a multiprocessor starts an instruction per cycle
# The kernels by name: among the calls that were timed, and among those whose instructions were counted.
_KERNELS = {
    "tiles": ("sample", "cells"),
    "four per call": ("gumbel_max", "gumbel-max"),
    "soft": ("soft", "soft"),
    "backward": ("backward", "backward"),
}
# What a reader calls the calls, and what of torch's does the same.
_COMPARED = {
    "sample": ("index by tiles", "F, index"),
    "gumbel_max": ("index by categories", "F, index"),
    "soft": ("soft forward", "F, soft"),
    "backward": ("soft backward", "F, backward"),
    "straight-through": ("straight-through, both", "F, straight-through"),
}


def _results() -> dict[str, Any]:
    return records.read("gpu")["results"]


def by_width() -> dict[int, dict[str, Any]]:
    """Return milliseconds and shares of a copy, by call, for float32 rows of each number of categories."""
    found = {key: value for key, value in _results().items() if key.endswith("float32")}
    return {int(key.split()[1].rstrip(")")): value for key, value in found.items()}


def chip() -> dict[str, float]:
    """Return the instructions that the device starts per second, and the bytes per second that a copy moves.

    The clock is that under work, and a copy reads and writes.
    """
    about = _results()["device"]
    bytes_moved = 2 * 4 * _WIDTH * _WIDTH
    seconds = by_width()[_WIDTH]["milliseconds"]["copy"] / 1e3
    starts = about["multiprocessors"] * _LANES * about["megahertz"] * 1e6
    return {"instructions": starts, "bandwidth": bytes_moved / seconds}


def kernels() -> dict[str, tuple[float, float]]:
    """Return instructions per four bytes, and the share of a copy's bandwidth that was reached, by kernel."""
    counted = records.read("instructions")["results"]
    shares = by_width()[_WIDTH]["shares"]
    return {
        name: (4 * counted[code]["instructions"] / counted[code]["bytes"], shares[call])
        for name, (call, code) in _KERNELS.items()
    }


def comparison() -> tuple[list[list[str]], list[str]]:
    """Return the rows of a table and its header: percentages of a copy, and the least gain over torch.

    A width has a dash where its kernel has changed since it was measured.
    """
    widths = by_width()
    rows = [
        [
            label,
            *(_percent(each["shares"].get(call)) for each in widths.values()),
            f"{_least_gain(widths, call, eager):.1f}",
        ]
        for call, (label, eager) in _COMPARED.items()
    ]
    return rows, ["<i>K</i>", *(f"{width:,}" for width in widths), "times eager"]


def small() -> dict[str, float]:
    """Return the microseconds of a relaxed sample of 64 rows of 10, by who makes it and how it is started."""
    found = _results()["small"]
    return {
        "started-eager": found["F, soft"],
        "started-fused": found["soft"],
        "graph-eager": found["F, soft, graph"],
        "graph-fused": found["soft, graph"],
    }


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.0f}"


def _least_gain(
    widths: Mapping[int, Mapping[str, Any]], call: str, eager: str
) -> float:
    times = [each["milliseconds"] for each in widths.values()]
    return min(time[eager] / time[call] for time in times if call in time)
