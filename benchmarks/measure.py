"""Interleaved timing, and records that say where they come from."""

import json
import os
import random
import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from gumbel_tutorial.book import machine, records

# The chapters read the package's records: another machine's figures go there only when that is asked for.
RESULTS = (
    records.RECORDED if os.environ.get("RECORD") else Path(__file__).parent / "results"
)

# Every round that was measured, call by call, for the record.
ROUNDS: list[dict[str, list[float]]] = []


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
    ROUNDS.append(times)
    return {name: statistics.median(values) for name, values in times.items()}


def record(name: str, results: Any) -> Path:
    """Write results, with the machine they were measured on, to ``NAME.json``.

    The seconds of every round go with them into ``results``; the chapters do without.
    """
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    content = {"machine": machine.describe(), "results": results}
    if RESULTS != records.RECORDED:
        content["rounds"] = ROUNDS
    path.write_text(json.dumps(content, indent=1) + "\n")
    return path
