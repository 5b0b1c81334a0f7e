"""How often do the checks of samplers fail a sound one? A thousand reports of each kind, of other seeds.

A check may fail a sound sampler once in so many millions of reports that none should; what can be counted are
bounds on p-values below 5 % and 1 %, of which there may be as many as these shares of all. Kinds as arguments
measure those alone, and leave the rest of the record as it is.
"""

import json
import sys
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from measure import RESULTS, record

from gumbel_tutorial import conformance
from gumbel_tutorial.conformance import adapters
from gumbel_tutorial.conformance.suites import SUITES

NAME, RUNS = "false_alarms", 1000
LEVELS = (0.05, 0.01)
# By kind: sound samplers, which take turns, and the factor of their draws.
SOUND = {
    "categorical": (
        [
            "gumbel_tutorial.decoding.apply_mask",
            "gumbel_tutorial.categorical.sample/torch",
        ],
        0.005,
    ),
    "without_replacement": (
        ["gumbel_tutorial.top_k_sample", "gumbel_tutorial.categorical.sample/distinct"],
        0.03,
    ),
    "relaxed": (["gumbel_tutorial.relax", "gumbel_tutorial.gumbel_softmax"], 0.03),
    "speculative": (
        [
            "gumbel_tutorial.decoding.speculative_step",
            "gumbel_tutorial.decoding.speculative_step/fresh",
        ],
        0.03,
    ),
}


# What takes most of the time however few the draws are, and is made in every tenth report.
DEAR = {"independence of tiles", "independence of seeds"}


def reports(kind: Any) -> Iterator[conformance.Report]:
    """Yield the reports of a kind."""
    names, effort = SOUND[kind]
    cheap = [check.name for check in SUITES[kind] if check.name not in DEAR]
    for seed in range(1, 1 + RUNS):
        only = None if seed % 10 == 0 else cheap
        # Ten seeds each, so that both have reports with all checks.
        adapter = adapters.by_name(names[seed // 10 % len(names)])
        yield conformance.check(adapter.load(), kind, seed, effort=effort, only=only)


def counted(kind: Any) -> dict[str, Any]:
    """Return how many reports and checks there were, and what failed or came near it."""
    begin, failed, bounds = time.monotonic(), [], []
    for report in reports(kind):
        failed += [f"{report.seed}: {line.check.name}" for line in report.failing]
        bounds += [line.finding.p_value for line in report.lines]
    found = np.array([bound for bound in bounds if bound is not None])
    return {
        "samplers": SOUND[kind][0],
        "effort": SOUND[kind][1],
        "reports": RUNS,
        "failed": failed,
        "bounds": len(found),
        "least": float(found.min()),
        "below": {str(level): int((found <= level).sum()) for level in LEVELS},
        "seconds": round(time.monotonic() - begin),
    }


def recorded() -> dict[str, Any]:
    """Return what is recorded, by the kind."""
    path = RESULTS / f"{NAME}.json"
    if not path.exists():
        return {}
    return json.loads(path.read_text(encoding="utf-8"))["results"]


if __name__ == "__main__":
    torch.set_num_threads(1)
    for each in sys.argv[1:] or SOUND:
        result = counted(each)
        found = recorded() | {each: result}
        path = record(NAME, {kind: found[kind] for kind in SOUND if kind in found})
        print(each, result, flush=True)
    print(path)
