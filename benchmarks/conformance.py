"""Which samplers of today draw what they say? All that the checks know by name.

Half an hour on one core. Names as arguments measure those alone and leave the rest of the record as it is,
so that a new version of one library does not ask for all. A kernel runs on a GPU, or else by Triton's
interpreter with fewer draws.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch
from measure import RESULTS, record

from gumbel_tutorial import conformance
from gumbel_tutorial.conformance import adapters

NAME = "conformance"
# NumPy takes milliseconds for a program of a kernel.
INTERPRETED_EFFORT = 0.001


def report_on(adapter: adapters.Adapter, effort: float) -> dict[str, Any]:
    """Return the report on a sampler, as the command writes it."""
    if "triton" in adapter.libraries and not torch.cuda.is_available():
        return interpreted(adapter)
    found = conformance.check(
        adapter.load(),
        adapter.kind,
        effort=effort,
        name=adapter.name,
        libraries=adapter.libraries,
    )
    return json.loads(found.to_json())


def interpreted(adapter: adapters.Adapter) -> dict[str, Any]:
    """Return the report on a kernel from a process of its own, since Triton's interpreter takes it whole."""
    command = [sys.executable, "-m", "gumbel_tutorial.conformance", "check"]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "report.json"
        options = ["--json", str(path), "--effort", str(INTERPRETED_EFFORT)]
        subprocess.run(
            [*command, adapter.name, *options],
            env=os.environ | {"TRITON_INTERPRET": "1"},
            check=False,  # 1 says that a check failed
            stdout=subprocess.DEVNULL,
        )
        return json.loads(path.read_text(encoding="utf-8"))


def recorded() -> dict[str, dict[str, Any]]:
    """Return the reports that there are, by the names of the samplers."""
    path = RESULTS / f"{NAME}.json"
    if not path.exists():
        return {}
    reports = json.loads(path.read_text(encoding="utf-8"))["results"]
    return {report["sampler"]: report for report in reports}


def keep(report: dict[str, Any]) -> Path:
    """Write a report beside the others, in the order of the samplers."""
    found = recorded() | {report["sampler"]: report}
    return record(NAME, [found[name] for name in adapters.names() if name in found])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=adapters.names())
    parser.add_argument("--effort", type=float, default=1.0)
    given = parser.parse_args()
    for sampler in map(adapters.by_name, given.names):
        if sampler.missing():
            print(sampler.name, "is left out: there is no", *sampler.missing())
            continue
        told = report_on(sampler, given.effort)
        path = keep(told)
        failing = [x["check"] for x in told["checks"] if x["verdict"] == "failed"]
        print(sampler.name, *failing or ["passed"], sep=", ", flush=True)
    print(path)
