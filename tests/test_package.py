"""The package as installed: what importing it needs, and the rules that its files keep.

Which module may import which is said in pyproject.toml, and `make lint` holds it.
"""

import ast
import importlib
import os
import pkgutil
import subprocess
import sys
import types
from pathlib import Path

import pytest
from mypy import api as mypy_api

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


def test_without_torch_the_numpy_half_is_there_and_the_rest_says_what_to_install():
    # One process for all: neither torch nor the metadata of an installed package.
    script = """
import sys
from importlib import metadata
sys.modules["torch"] = None
def absent(name):
    raise metadata.PackageNotFoundError(name)
metadata.version = absent
from gumbel_tutorial import *
import gumbel_tutorial as gt
import numpy as np
relax(np.zeros(3), noise.gumbel(3, generator=np.random.default_rng()), 1.0)
print(gt.__version__, "gumbel_softmax" in dir(), "nn" in dir())
for name in ("gumbel_softmax", "estimators", "vae"):
    try:
        getattr(gt, name)
    except ModuleNotFoundError as error:
        print(error)
sys.modules["matplotlib"] = None
for module in (
    "nn", "estimators.layers", "distributions", "laboratory", "vae.models.bounds", "book.plots"
):
    try:
        __import__(f"gumbel_tutorial.{module}")
    except ModuleNotFoundError as error:
        print(error)
try:
    from gumbel_tutorial.vae import fit
except ModuleNotFoundError as error:
    print(error)
"""
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert result.stdout.splitlines() == [
        "0+unknown False False",
        "gumbel_softmax needs torch: install gumbel-tutorial[torch]",
        "estimators needs torch: install gumbel-tutorial[torch]",
        "vae needs torch: install gumbel-tutorial[vae]",
        "gumbel_tutorial.nn needs torch: install gumbel-tutorial[torch]",
        "gumbel_tutorial.estimators needs torch: install gumbel-tutorial[torch]",
        "gumbel_tutorial.distributions needs torch: install gumbel-tutorial[torch]",
        "gumbel_tutorial.laboratory needs torch: install gumbel-tutorial[torch]",
        "gumbel_tutorial.vae.models needs torch: install gumbel-tutorial[vae]",
        "gumbel_tutorial.book.plots needs matplotlib: install gumbel-tutorial[plots]",
        "gumbel_tutorial.vae.fit needs torch: install gumbel-tutorial[vae]",
    ]


def test_every_public_name_loads_and_is_what_its_module_calls_so():
    for name in gumbel_tutorial.__all__:
        value = getattr(gumbel_tutorial, name)
        if isinstance(value, types.ModuleType):
            assert value.__name__ == f"gumbel_tutorial.{name}"
        else:
            assert callable(value)
            assert value is getattr(sys.modules[value.__module__], name)
    assert set(gumbel_tutorial.__all__) <= set(dir(gumbel_tutorial))
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        gumbel_tutorial.nothing  # noqa: B018


def test_the_stub_names_what_is_offered_and_where_it_comes_from():
    stub = ast.parse((PACKAGE / "__init__.pyi").read_text(encoding="utf-8"))
    homes = {
        alias.asname: f"{node.module}.{alias.name}"
        for node in stub.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert sorted(homes) == sorted(gumbel_tutorial.__all__)
    for name, home in homes.items():
        module, _, attribute = home.rpartition(".")
        if module != "gumbel_tutorial":
            found = getattr(importlib.import_module(module), attribute)
            assert found is getattr(gumbel_tutorial, name)


def test_a_module_without_its_name_in_the_face_is_found():
    public = {path.stem for path in PACKAGE.glob("*.py")} | {
        path.parent.name for path in PACKAGE.glob("*/__init__.py")
    }
    assert public - {"__init__"} <= set(gumbel_tutorial.__all__)


def test_a_typo_on_the_package_is_an_error_to_mypy(tmp_path):
    # The face alone is read: what its names are is the test before, and `make lint` reads the rest.
    program, config = tmp_path / "program.py", tmp_path / "mypy.ini"
    program.write_text("import gumbel_tutorial as gt\ngt.gumbel_softmax\ngt.typo\n")
    config.write_text("[mypy]\nfollow_imports = skip\nignore_missing_imports = True\n")
    with config.open("a") as file:
        file.write("[mypy-gumbel_tutorial]\nfollow_imports = silent\n")
    report, _, _ = mypy_api.run(
        ["--config-file", str(config), "--cache-dir", os.devnull, str(program)]
    )
    errors = [line for line in report.splitlines() if ": error:" in line]
    assert len(errors) == 1
    assert 'program.py:3: error: Module has no attribute "typo"' in errors[0]


def hidden_names(package):
    """Return the public functions and classes of a package or module that a module of the same name hides."""
    submodules = {info.name for info in pkgutil.iter_modules(package.__path__)}
    return [
        f"{package.__name__}.{name}"
        for name in submodules
        if callable(
            getattr(importlib.import_module(f"{package.__name__}.{name}"), name, None)
        )
        or (
            name in vars(package)
            and not isinstance(vars(package)[name], types.ModuleType)
        )
    ]


def test_no_module_hides_a_function_of_its_name():
    packages = [gumbel_tutorial] + [
        importlib.import_module(info.name)
        for info in pkgutil.walk_packages(gumbel_tutorial.__path__, "gumbel_tutorial.")
        if info.ispkg
    ]
    assert [name for package in packages for name in hidden_names(package)] == []


def test_a_hidden_function_is_found(tmp_path, monkeypatch):
    (tmp_path / "room").mkdir()
    (tmp_path / "room" / "__init__.py").write_text("from room.draw import draw\n")
    (tmp_path / "room" / "draw.py").write_text("def draw():\n    pass\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert hidden_names(importlib.import_module("room")) == ["room.draw"]


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
