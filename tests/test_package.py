"""The package as installed: what importing it needs, and the rules that its files keep.

Which module may import which is said in pyproject.toml, and `make lint` holds it.
"""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import gumbel_tutorial

PACKAGE = Path(gumbel_tutorial.__file__).parent


def test_importing_the_package_needs_neither_torch_nor_matplotlib():
    script = """
import sys
import gumbel_tutorial as gt
from gumbel_tutorial import arrays, categorical, concrete, gumbel, gumbel_max, noise
from gumbel_tutorial import schedules
from gumbel_tutorial.book import reporting as report, statistics
import numpy as np
gt.concrete.relax(np.zeros(3), gt.noise.gumbel(3, generator=np.random.default_rng()), 1.0)
print([name for name in ("torch", "matplotlib", "scipy", "sklearn") if name in sys.modules])
"""
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"


def test_every_public_name_loads():
    for name in gumbel_tutorial.__all__:
        assert getattr(gumbel_tutorial, name).__name__ == f"gumbel_tutorial.{name}"
    assert set(gumbel_tutorial.__all__) <= set(dir(gumbel_tutorial))
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        gumbel_tutorial.nothing  # noqa: B018


def test_the_package_is_typed():
    assert (PACKAGE / "py.typed").exists()


def modules():
    """Return each file of the package with its syntax tree."""
    return {
        path: ast.parse(path.read_text(encoding="utf-8"))
        for path in sorted(PACKAGE.rglob("*.py"))
    }


def functions(tree):
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]


def lines_of_code(function):
    docstring = ast.get_docstring(function, clean=False) or ""
    lines = function.end_lineno - function.body[0].lineno + 1
    return lines - len(docstring.splitlines())


def test_functions_are_small():
    long = [
        f"{path.relative_to(PACKAGE)}: {function.name} has {lines_of_code(function)} lines"
        for path, tree in modules().items()
        for function in functions(tree)
        if lines_of_code(function) > 30
    ]
    assert long == []
