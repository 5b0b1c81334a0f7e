"""Interleaved timing, and records that say where they come from."""

import json
import platform
import random
import statistics
import time
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

RESULTS = Path(__file__).parent / "results"


def interleave(
    calls: Mapping[str, Callable[[], Any]], *, rounds: int = 15
) -> dict[str, float]:
    """Return the median process time of each call in seconds.

    The calls take turns in shuffled order, so that a busy moment of the machine meets them all;
    process time does not count what other programs used.
    """
    for call in calls.values():
        call()
    times: dict[str, list[float]] = {name: [] for name in calls}
    order = list(calls)
    for _ in range(rounds):
        random.shuffle(order)
        for name in order:
            start = time.process_time()
            calls[name]()
            times[name].append(time.process_time() - start)
    return {name: statistics.median(values) for name, values in times.items()}


def machine() -> dict[str, Any]:
    """Return what a reader needs to know about the machine and the versions."""
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    return {
        "processor": _processor(),
        "threads": torch.get_num_threads(),
        "device": device,
        "python": platform.python_version(),
        **{name: version(name) for name in ("numpy", "torch", "gumbel-tutorial")},
        "date": time.strftime("%Y-%m-%d"),
    }


def _processor() -> str:
    path = Path("/proc/cpuinfo")
    if path.exists():
        for line in path.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def record(name: str, results: Any) -> Path:
    """Write results, with the machine they were measured on, to ``results/NAME.json``."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(
        json.dumps({"machine": machine(), "results": results}, indent=1) + "\n"
    )
    return path
