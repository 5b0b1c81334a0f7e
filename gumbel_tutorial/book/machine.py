"""What a reader of a measurement needs to know about the machine and the versions."""

import platform
import time
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from gumbel_tutorial.checks import needing

with needing(__name__, "torch"):
    import torch


def describe() -> dict[str, Any]:
    """Return processor, threads, CUDA device, versions and the date."""
    has_gpu = torch.cuda.is_available()
    names = ["numpy", "torch", "gumbel-tutorial"]
    if has_gpu and find_spec("triton"):
        names.append("triton")
    return {
        "processor": _processor(),
        "threads": torch.get_num_threads(),
        "device": torch.cuda.get_device_name() if has_gpu else None,
        "python": platform.python_version(),
        **{name: version(name) for name in names},
        "date": time.strftime("%Y-%m-%d"),
    }


def _processor() -> str:
    path = Path("/proc/cpuinfo")
    if path.exists():
        for line in path.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
