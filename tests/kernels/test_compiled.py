"""What the compiler makes of the kernels, for three architectures and without any of them."""

import re
import sys

import pytest
import torch

if sys.platform != "linux":
    pytest.skip("triton has wheels for Linux alone", allow_module_level=True)

from gumbel_tutorial.kernels import calls, drawing, inspection, launch
from gumbel_tutorial.kernels.inspection import ARCHITECTURES, KERNELS, inspect

# At 4.3 TB/s an H200 has 0.215 cycles of a multiprocessor, of 128 lanes, for 4 bytes: so many instructions
# a thread may take for each of its categories where a category costs so many bytes (float32).
PER_BYTE = 0.215 * 128 / 4
BYTES = {
    "cells": 4,
    "noise": 4,
    "gumbel-max": 4,
    "straight-through": 4,
    "soft": 8,
    "soft, second pass": 8,
    "backward": 12,
    "backward, remade": 12,
    "backward, products": 8,
    "backward, result": 12,
    "backward, temperatures": 12,
}
# The share of copy bandwidth that the instructions leave within reach; 1 and more: memory is what limits.
WITHIN_REACH = {
    "cells": 1.7,
    "noise": 0.8,
    "gumbel-max": 0.7,
    "straight-through": 0.6,
    "soft": 1.3,
    "soft, second pass": 1.4,
    "backward": 6.0,
    "backward, remade": 1.7,
    "backward, products": 6.0,
    "backward, result": 8.0,
    "backward, temperatures": 1.4,
}


@pytest.mark.parametrize(
    "architecture",
    [pytest.param(a, marks=[] if a == 90 else pytest.mark.slow) for a in ARCHITECTURES],
)
@pytest.mark.parametrize("name", KERNELS)
def test_no_kernel_spills_and_all_move_16_bytes_at_a_time(name, architecture):
    kernel = inspect(name, 8192, architecture)
    assert kernel.spilled == 0
    if name != "noise":
        assert "ld.global.v4" in kernel.ptx
    if name in ("noise", "soft", "backward", "backward, remade"):
        assert "st.global.v4" in kernel.ptx


@pytest.mark.parametrize("name", KERNELS)
def test_instructions_leave_the_stated_share_of_bandwidth_within_reach(name):
    kernel = inspect(name, 8192)
    share = BYTES[name] * PER_BYTE / kernel.per_category
    assert WITHIN_REACH[name] < share < 1.35 * WITHIN_REACH[name]


@pytest.mark.parametrize("name", ["soft", "backward, temperatures"])
@pytest.mark.parametrize(("num_categories", "align"), [(16_384, 4), (8192, 1)])
def test_the_longest_rows_that_a_program_holds_do_not_spill(
    name, num_categories, align
):
    assert inspect(name, num_categories, align=align).spilled == 0


def test_a_kernel_that_holds_too_much_is_seen_to_spill(monkeypatch):
    monkeypatch.setattr(inspection.launch, "LARGEST_ROW_UNALIGNED", 32_768)
    assert inspect("soft", 32_768, align=1).spilled > 0


def test_rows_that_nothing_aligns_are_sampled_at_16_bytes_and_relaxed_one_by_one():
    cells = inspect("cells", 50_257, align=1)
    assert "ld.global.v4" in cells.ptx
    assert cells.spilled == 0
    assert cells.per_category < 1.35 * inspect("cells", 8192).per_category
    assert "ld.global.v4" not in inspect("soft", 8192, align=1).ptx


@pytest.mark.parametrize("dtype", ["bf16", "fp16"])
def test_half_precision_is_read_four_categories_at_a_time(dtype):
    for name, align in (("soft", 4), ("cells", 4), ("cells", 1)):
        kernel = inspect(name, 8192, dtype=dtype, align=align)
        assert "ld.global.v2" in kernel.ptx
        assert kernel.spilled == 0


@pytest.mark.parametrize("name", ["cells", "soft", "backward, remade"])
def test_rows_are_addressed_in_64_bits(name):
    # The row's number is widened before it is multiplied by anything.
    lines = inspect(name, 8192).ttir.splitlines()
    narrow = [line for line in lines if re.search(r"tt.addptr .*x?i32>?\)?$", line)]
    wide = [line for line in lines if "tt.addptr" in line and "i64" in line]
    program = next(
        line.split(" =")[0].strip() for line in lines if "get_program_id x" in line
    )
    uses = [
        line for line in lines if program + " " in line and "get_program_id" not in line
    ]
    assert wide
    assert uses
    assert all("arith.extsi" in line for line in uses), uses
    assert len(narrow) <= len(wide)


POINTERS = {
    torch.float32: "*fp32",
    torch.bfloat16: "*bf16",
    torch.float16: "*fp16",
    torch.int64: "*i64",
}


def kind_of(value):
    """Return the type that Triton gives an argument when a kernel is started."""
    if isinstance(value, torch.Tensor):
        return POINTERS[value.dtype]
    if isinstance(value, float):
        return "fp32"
    return "constexpr" if value == 1 else "i32" if abs(value) < 2**31 else "i64"


@pytest.fixture
def started(monkeypatch):
    """Compile what would be started, for tensors on the CPU, and return the names."""
    names = []

    def start(kernel, grid, arguments, warps):
        assert all(1 <= size <= 65_535 for size in grid)
        assert set(arguments) == set(kernel.arg_names)
        free = [each.name for each in kernel.params if not each.is_constexpr]
        kinds = {name: kind_of(arguments[name]) for name in free}
        fixed = [
            name
            for name in kernel.arg_names
            if kinds.get(name, "constexpr") == "constexpr"
        ]
        source = inspection.ASTSource(
            kernel,
            {name: kinds.get(name, "constexpr") for name in kernel.arg_names},
            {name: arguments[name] for name in fixed},
        )
        inspection.triton.compile(
            source,
            target=inspection.GPUTarget("cuda", 90, 32),
            options={"num_warps": warps, "enable_fp_fusion": False},
        )
        names.append(kernel.__name__)

    for module in (launch, drawing):
        monkeypatch.setattr(module, "start", start)
    monkeypatch.setattr(calls, "can_run", lambda logits: logits.is_cpu)
    return names


@pytest.mark.parametrize(
    ("size", "dtype"),
    [
        (64, torch.bfloat16),
        pytest.param(17_001, torch.float32, marks=pytest.mark.slow),
    ],
)
def test_what_the_calls_start_is_what_their_kernels_take(size, dtype, started):
    logits = torch.zeros(3, size, dtype=dtype, requires_grad=True)
    taus = torch.ones(3, 1, requires_grad=True)
    calls.sample(logits)
    calls.gumbel_max(logits, cells=True)
    calls.gumbel_like(logits)
    calls.gumbel_softmax(logits, taus).sum().backward()
    calls.straight_through_index(logits, 0.5)[1].backward(torch.ones_like(logits))
    assert set(started) == {
        "backward_kernel",
        "cell_max_kernel",
        "gumbel_max_kernel",
        "noise_kernel",
        "soft_kernel",
    }
