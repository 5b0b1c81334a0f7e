"""The package as installed: what importing it needs, which module may know which."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import gumbel_tutorial

PACKAGE = Path(gumbel_tutorial.__file__).parent
# A module may import those on earlier lines, never its own line or a later one.
ORDER = [
    {"arrays"},
    {"checks"},
    {"noise", "gumbel", "categorical", "schedules"},
    {"gumbel_max", "concrete"},
    {"nn"},
    {"estimators"},
    {"laboratory"},
    {"vae"},
]
ASIDE = {"book"}  # these know arrays, never models


def imported_modules(path):
    """Return the modules of the package that a file imports."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(
            "gumbel_tutorial"
        ):
            parts = node.module.split(".")
            found |= (
                {parts[1]} if len(parts) > 1 else {alias.name for alias in node.names}
            )
        if isinstance(node, ast.Import):
            found |= {
                a.name.split(".")[1]
                for a in node.names
                if a.name.startswith("gumbel_tutorial.")
            }
    return found


def files():
    return [
        path
        for path in PACKAGE.rglob("*.py")
        if path.parent != PACKAGE or path.stem != "__init__"
    ]


@pytest.mark.parametrize("path", files(), ids=lambda path: path.stem)
def test_imports_run_one_way(path):
    room = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    imported = imported_modules(path) - {room}
    if room in ASIDE:
        assert imported <= {"arrays", "checks", "categorical"}
        return
    rank = next(i for i, rooms in enumerate(ORDER) if room in rooms)
    allowed = set().union(*ORDER[:rank]) | ({"book"} if room == "vae" else set())
    assert imported <= allowed


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


def public_functions():
    for path in files():
        for node in ast.parse(path.read_text()).body:
            if isinstance(
                node, (ast.FunctionDef, ast.ClassDef)
            ) and not node.name.startswith("_"):
                yield pytest.param(node, id=f"{path.stem}.{node.name}")


@pytest.mark.parametrize("node", list(public_functions()))
def test_every_public_name_has_a_docstring_and_annotations(node):
    assert ast.get_docstring(node)
    if isinstance(node, ast.FunctionDef):
        assert node.returns is not None
        arguments = node.args.posonlyargs + node.args.args + node.args.kwonlyargs
        assert all(a.annotation is not None for a in arguments)


@pytest.mark.parametrize("path", files(), ids=lambda path: path.stem)
def test_functions_are_small(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef):
            docstring = ast.get_docstring(node, clean=False) or ""
            lines = (
                node.end_lineno - node.body[0].lineno + 1 - len(docstring.splitlines())
            )
            assert lines <= 30, f"{path.stem}.{node.name} has {lines} lines"
