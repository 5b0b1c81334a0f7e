"""What a reader of a measurement needs to know about the machine and the versions."""

import platform
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

from gumbel_tutorial.checks import needing

with needing(__name__, "torch"):
    import torch


def describe() -> dict[str, Any]:
    """Return processor, threads, CUDA device, versions and the date."""
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
