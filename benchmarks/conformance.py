"""Which samplers of today draw what they say? All that the checks know by name, each in a process of its own.

A kernel runs on a GPU, or else by Triton's interpreter with fewer draws. Half an hour on one core.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch
from measure import record

from gumbel_tutorial.conformance import adapters

# NumPy takes milliseconds for a program of a kernel.
INTERPRETED_EFFORT = 0.001


def report_on(adapter: adapters.Adapter) -> dict[str, Any]:
    """Return the report on a sampler, as the command writes it."""
    on_cpu = "triton" in adapter.libraries and not torch.cuda.is_available()
    effort = INTERPRETED_EFFORT if on_cpu else 1.0
    command = [sys.executable, "-m", "gumbel_tutorial.conformance", "check"]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "report.json"
        options = ["--json", str(path), "--effort", str(effort)]
        subprocess.run(
            [*command, adapter.name, *options],
            env=os.environ | ({"TRITON_INTERPRET": "1"} if on_cpu else {}),
            check=False,  # 1 says that a check failed
            stdout=subprocess.DEVNULL,
        )
        return json.loads(path.read_text(encoding="utf-8"))


if __name__ == "__main__":
    found = []
    for each in adapters.ADAPTERS:
        if each.missing():
            print(each.name, "is left out: there is no", *each.missing())
            continue
        found.append(report_on(each))
        failing = [x["check"] for x in found[-1]["checks"] if x["verdict"] == "failed"]
        print(each.name, *failing or ["passed"], sep=", ", flush=True)
    print(record("conformance", found))
