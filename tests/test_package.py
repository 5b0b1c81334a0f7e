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


def is_private(name):
    return name.startswith("_") and not name.startswith("__")


def names_made_in(tree):
    """Return what a file defines, assigns, or sets as an attribute."""
    nodes = list(ast.walk(tree))
    kinds = ast.FunctionDef | ast.ClassDef
    made = {node.name for node in nodes if isinstance(node, kinds)}
    stored = [n for n in nodes if isinstance(getattr(n, "ctx", None), ast.Store)]
    made |= {node.id for node in stored if isinstance(node, ast.Name)}
    return made | {node.attr for node in stored if isinstance(node, ast.Attribute)}


def foreign_private_names(tree, private):
    """Return those of the package's private names that a file takes from another."""
    own = names_made_in(tree)
    froms = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    ours = [node for node in froms if node.module.startswith("gumbel_tutorial")]
    imported = {alias.asname or alias.name for node in ours for alias in node.names}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            yield from (a.name for a in node.names if a.name in private)
        elif isinstance(node, ast.Attribute) and node.attr in private:
            holder = ast.unparse(node.value)
            # What a class inherits is its own.
            if holder != "self" and (node.attr not in own or holder in imported):
                yield ast.unparse(node)


def test_no_private_name_is_used_across_modules():
    trees = modules()
    private = {n for t in trees.values() for n in names_made_in(t) if is_private(n)}
    found = {
        path.relative_to(PACKAGE): list(foreign_private_names(tree, private))
        for path, tree in trees.items()
    }
    assert {path: names for path, names in found.items() if names} == {}


@pytest.mark.parametrize(
    "source",
    [
        "from other import _hidden",
        "import other\nother._hidden()",
        "from gumbel_tutorial import other\ndef _hidden(): other._hidden()",
        "thing()._hidden",
    ],
)
def test_a_private_name_of_another_module_is_found(source):
    assert list(foreign_private_names(ast.parse(source), {"_hidden"}))


@pytest.mark.parametrize(
    "source",
    ["class A:\n def _hidden(self): self._hidden()\n A()._hidden", "self._hidden"],
)
def test_a_private_name_of_the_module_itself_is_not_found(source):
    assert list(foreign_private_names(ast.parse(source), {"_hidden"})) == []
