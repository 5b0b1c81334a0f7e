"""What the compiler makes of the kernels: registers, spills, instructions a category; no GPU is needed.

Triton's wheel brings the assembler of NVIDIA. Kernels are compiled for sizes that are the hard case: of a
number only the alignment of rows is known.
"""

import re
import subprocess
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from gumbel_tutorial.kernels import launch
from gumbel_tutorial.kernels.device import drawing, relaxing
from gumbel_tutorial.kernels.device.gumbel_noise import REFINED_BELOW

ARCHITECTURES = (80, 90, 100)
_POINTERS = {
    "seed": "i64",
    "taus": "fp32",
    "maxima": "fp32",
    "indices": "i64",
    "sums": "fp32",
    "products": "fp32",
    "tau_grads": "fp32",
}
_MATRICES = ("logits", "relaxed", "grads", "out")
_NUMBERS = {"stride": "i64", "grad_stride": "i64", "num_rows": "i64", "tau": "fp32"}
_NOISE = {"REFINED_BELOW": REFINED_BELOW.value}
_ONE_TAU = {"HAS_TAUS": False, **_NOISE}
_WHOLE = {"SHARE": relaxing.WHOLE.value, "TAU_GRADS": False}
_TILED = {
    "noise": (drawing.noise_kernel, _NOISE),
    "gumbel-max": (drawing.gumbel_max_kernel, {**_ONE_TAU, "SUMS": False}),
    "straight-through": (drawing.gumbel_max_kernel, {**_ONE_TAU, "SUMS": True}),
    "soft": (relaxing.soft_kernel, {**_ONE_TAU, "HAS_SUMS": False}),
    "soft, second pass": (relaxing.soft_kernel, {**_ONE_TAU, "HAS_SUMS": True}),
    "backward": (relaxing.backward_kernel, {**_ONE_TAU, **_WHOLE, "REMADE": False}),
    "backward, remade": (
        relaxing.backward_kernel,
        {**_ONE_TAU, **_WHOLE, "REMADE": True},
    ),
    "backward, products": (
        relaxing.backward_kernel,
        {**_ONE_TAU, **_WHOLE, "REMADE": False, "SHARE": relaxing.PRODUCTS.value},
    ),
    "backward, result": (
        relaxing.backward_kernel,
        {**_ONE_TAU, **_WHOLE, "REMADE": False, "SHARE": relaxing.RESULT.value},
    ),
    "backward, temperatures": (
        relaxing.backward_kernel,
        {**_NOISE, **_WHOLE, "HAS_TAUS": True, "TAU_GRADS": True, "REMADE": True},
    ),
}
KERNELS = ("cells", *_TILED)


@dataclass(frozen=True)
class Inspection:
    """A compiled kernel: its Triton and PTX texts, its instructions, and what it needs of the hardware."""

    ttir: str
    ptx: str
    instructions: Counter[str]
    rare: int
    categories: float
    registers: int
    spilled: int

    @property
    def per_category(self) -> float:
        """Return the instructions a thread runs for each of its categories, less a branch rarely taken."""
        return (self.instructions.total() - self.rare) / self.categories


@cache
def inspect(
    name: str,
    num_categories: int = 4096,
    architecture: int = 90,
    dtype: str = "fp32",
    align: int = 4,
) -> Inspection:
    """Compile one of ``KERNELS`` for rows of a length, and count what comes out.

    Examples:
        >>> inspect("backward").spilled
        0
    """
    kernel, constants, warps, size = _source(name, num_categories, align, dtype)
    compiled = _compile(
        kernel, {**constants, "ALIGN": align}, warps, architecture, dtype
    )
    lines = _instructions(_cuobjdump(compiled.asm["cubin"], "-sass"))
    usage = _cuobjdump(compiled.asm["cubin"], "-res-usage")
    return Inspection(
        ttir=compiled.asm["ttir"],
        ptx=compiled.asm["ptx"],
        instructions=Counter(opcode for _, opcode, _ in lines),
        rare=_skipped(lines),
        categories=size / (32 * warps),
        registers=int(re.findall(r"REG:(\d+)", usage)[0]),
        spilled=sum(opcode in ("STL", "LDL") for _, opcode, _ in lines),
    )


def _compile(
    kernel: Any, constants: Mapping[str, Any], warps: int, architecture: int, dtype: str
) -> Any:
    attributes = {
        (place,): [["tt.divisibility", 16]]
        for place, argument in enumerate(kernel.arg_names)
        if argument in _POINTERS or argument in _MATRICES
    }
    return triton.compile(
        ASTSource(kernel, _signature(kernel, dtype, constants), constants, attributes),
        target=GPUTarget("cuda", architecture, 32),
        options={"num_warps": warps, "enable_fp_fusion": False},
    )


def _source(
    name: str, num_categories: int, align: int, dtype: str
) -> tuple[Any, dict[str, Any], int, int]:
    """Return a kernel, its constants, its warps, and how many categories a program has."""
    if name == "cells":
        plan = launch.cells(num_categories, align, 4 if dtype == "fp32" else 2)
        constants = {"ROWS": 1, "DEPTH": plan.depth, "WIDTH": plan.width}
        size = plan.depth * plan.width
        return drawing.cell_max_kernel, constants, plan.warps, size
    kernel, flags = _TILED[name]
    whole = name in ("soft", "backward", "backward, remade", "backward, temperatures")
    tiles = (
        launch.row_tiling(num_categories, align)
        if whole
        else launch.tiling(num_categories)
    )
    constants = {**flags, "ROWS": tiles.rows, "BLOCK": tiles.block}
    return kernel, constants, tiles.warps, tiles.rows * tiles.block


def _signature(kernel: Any, dtype: str, constants: Mapping[str, Any]) -> dict[str, str]:
    kinds = (
        {name: f"*{kind}" for name, kind in _POINTERS.items()}
        | dict.fromkeys(_MATRICES, f"*{dtype}")
        | _NUMBERS
        | dict.fromkeys(constants, "constexpr")
    )
    return {name: kinds.get(name, "i32") for name in kernel.arg_names}


def _cuobjdump(cubin: bytes, option: str) -> str:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "kernel.cubin"
        path.write_bytes(cubin)
        program = triton.knobs.nvidia.cuobjdump.path
        return subprocess.run(
            [program, option, path], capture_output=True, text=True, check=True
        ).stdout


def _instructions(assembly: str) -> list[tuple[int, str, str]]:
    """Return address, opcode and operands of what a program runs, without the padding after its end."""
    line = re.compile(
        r"/\*([0-9a-f]{4,})\*/\s+(?:\{\s*)?(?:@!?U?P\w+\s+)?([A-Z][A-Z0-9_]*)([^;]*)"
    )
    found = [
        (int(address, 16), opcode, rest)
        for address, opcode, rest in line.findall(assembly)
    ]
    return [each for each in found if each[1] != "NOP"]


def _skipped(lines: list[tuple[int, str, str]]) -> int:
    """Return how many instructions the longest forward branch leaves out: that of the further bits."""
    longest = 0
    for address, opcode, rest in lines:
        target = re.search(r"0x([0-9a-f]+)", rest) if opcode == "BRA" else None
        if target:
            end = int(target[1], 16)
            longest = max(longest, sum(address < at < end for at, _, _ in lines))
    return longest if longest > 64 else 0
