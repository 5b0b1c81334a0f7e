"""The first cell of a chapter, which installs the package on Colab once the repository has an address."""

import subprocess
import sys
import tomllib
import types
from pathlib import Path

import colab
import notebook
import pytest
import test_chapters
import yaml
from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent
CHAPTERS = sorted((ROOT / "chapters").glob("*.ipynb"))
ADDRESS = {"url": "https://github.com/someone/something.git/", "branch": "main"}
NONE = {"url": "", "branch": "main"}

chapters = pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)


def with_address(path, folder, repository=ADDRESS):
    """Return a copy of a chapter in line with an address."""
    copy = folder / path.name
    content = notebook.read(path)
    colab.set_cell(content, repository)
    notebook.write(content, copy)
    return copy


@chapters
def test_a_chapter_is_in_line_with_the_setting(path, tmp_path):
    repository = yaml.safe_load((ROOT / "_config.yml").read_text())["repository"]
    copy = with_address(path, tmp_path, repository)
    assert copy.read_text() == path.read_text(), "run tools/colab.py"


@chapters
def test_an_address_brings_one_first_cell_and_no_address_takes_it_away(path, tmp_path):
    copy = with_address(path, tmp_path)
    assert [colab.is_installing(cell) for cell in notebook.read(copy).cells[:2]] == [
        True,
        False,
    ]
    once = copy.read_text()
    assert with_address(copy, tmp_path).read_text() == once
    without = with_address(path, tmp_path, NONE).read_text()
    with_address(path, tmp_path)
    assert with_address(copy, tmp_path, NONE).read_text() == without


@chapters
def test_the_cell_counts_as_executed_and_not_against_the_chapter(path, tmp_path):
    copy = with_address(path, tmp_path)
    notebook.check(copy)
    test_chapters.test_every_cell_was_executed_in_order_and_without_error(copy)
    counts = [len(test_chapters.code_cells(one)) for one in (path, copy)]
    assert counts[0] == counts[1]
    test_chapters.test_only_cells_about_training_are_excused_from_the_strict_run(copy)


@pytest.fixture
def installed(monkeypatch):
    """Return what the cell would run."""
    commands = []
    monkeypatch.setattr(
        subprocess, "run", lambda command, **_: commands.append(command)
    )
    return commands


def test_elsewhere_the_cell_does_nothing(installed):
    exec(colab.installing_cell(ADDRESS).source, {})
    assert installed == []


def test_on_colab_it_installs_what_a_chapter_needs(installed, monkeypatch):
    monkeypatch.setitem(sys.modules, "google.colab", types.ModuleType("colab"))
    exec(colab.installing_cell(ADDRESS).source, {})
    ((*command, package),) = installed
    assert command == [sys.executable, "-m", "pip", "install", "-q"]
    requirement = Requirement(package)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert requirement.name == project["name"]
    assert requirement.extras <= set(project["optional-dependencies"])
    assert requirement.url == "git+https://github.com/someone/something@main"
