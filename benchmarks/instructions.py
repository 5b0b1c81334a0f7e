"""How many instructions does a kernel run for each category? Read off what the compiler makes, without a GPU.

For one architecture and long aligned rows, less a branch that is rarely taken; beside it the bytes that a
category must cost in float32.
"""

from importlib.util import find_spec

from measure import record

ARCHITECTURE, CATEGORIES = 90, 8192
# What is read and written of each category: logits; or logits and samples; or samples, slopes and gradients.
BYTES = {
    "cells": 4,
    "gumbel-max": 4,
    "straight-through": 4,
    "soft": 8,
    "backward": 12,
    "backward, remade": 12,
}


def counted(name: str) -> dict[str, float]:
    """Return instructions and bytes per category, and registers per thread."""
    from gumbel_tutorial.kernels.inspection import inspect

    kernel = inspect(name, CATEGORIES, ARCHITECTURE)
    instructions = round(kernel.per_category, 1)
    return {
        "instructions": instructions,
        "bytes": BYTES[name],
        "registers": kernel.registers,
    }


if __name__ == "__main__":
    if find_spec("triton") is None:
        print("instructions are counted where triton is installed, and here it is not")
    else:
        results = {name: counted(name) for name in BYTES}
        for name, found in results.items():
            print(name, found)
        print(f"recorded in {record('instructions', results)}")
