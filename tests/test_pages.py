"""The package page and README: their examples run as they stand, and every module has its place."""

import re
from pathlib import Path

import pytest

import gumbel_tutorial

ROOT = Path(__file__).parent.parent
PACKAGE = Path(gumbel_tutorial.__file__).parent
PAGE = (ROOT / "chapters" / "api.md").read_text(encoding="utf-8")
LISTED = re.findall(r"automodule:: (\S+)\n(?!   :no-members:)", PAGE)


def examples():
    for path in (ROOT / "README.md", ROOT / "chapters" / "api.md"):
        text = path.read_text(encoding="utf-8")
        for example in re.finditer(r"^```python\n(.*?)^```", text, re.M | re.S):
            line = text[: example.start()].count("\n") + 1
            yield pytest.param(example[1], id=f"{path.name}:{line}")


@pytest.mark.parametrize("source", list(examples()))
def test_an_example_runs_in_an_empty_folder(source, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    exec(compile(source, "example", "exec"), {"__name__": "example"})


def modules():
    """Return the modules that a reader looks for: a package listed with its members stands for its files."""
    for path in PACKAGE.rglob("*.py"):
        if path.stem != "__init__":
            parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
            package = ".".join(parts[:-1])
            yield package if package in LISTED else ".".join(parts)


def test_every_module_has_one_place_on_the_package_page():
    assert sorted(LISTED) == sorted(set(modules()))
