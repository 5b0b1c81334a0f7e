"""The pages with code: their examples run as they stand, every module has its place, the citation is one."""

import inspect
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
import yaml
from pybtex.database import parse_string

import gumbel_tutorial
from gumbel_tutorial import decoding
from gumbel_tutorial.estimators import ESTIMATORS
from gumbel_tutorial.vae.command import execute

ROOT = Path(__file__).parent.parent
PACKAGE = Path(gumbel_tutorial.__file__).parent
CHAPTERS = ROOT / "chapters"
FRONT = (CHAPTERS / "api.md").read_text(encoding="utf-8")
PAGES = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for path in sorted(CHAPTERS.glob("api/*.md"))
}
LISTED = re.findall(
    r"automodule:: (\S+)\n(?!   :no-members:)", "\n".join(PAGES.values())
)


def examples():
    for name in ("README.md", "index.md", "chapters/api.md", *PAGES):
        path = ROOT / name
        text = path.read_text(encoding="utf-8")
        for example in re.finditer(r"^```python\n(.*?)^```", text, re.M | re.S):
            line = text[: example.start()].count("\n") + 1
            yield pytest.param(example[1], id=f"{path.name}:{line}")


@pytest.mark.parametrize("source", list(examples()))
def test_an_example_runs_in_an_empty_folder(source, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    exec(compile(source, "example", "exec"), {"__name__": "example"})


def commands():
    (block,) = re.findall(
        r"^```shell\n(.*?)^```", PAGES["chapters/api/models.md"], re.M | re.S
    )
    for line in block.splitlines():
        python, dash, module, *arguments = shlex.split(line)
        assert (python, dash, module) == ("python", "-m", "gumbel_tutorial.vae")
        yield arguments


def test_the_commands_train_continue_and_evaluate(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pixels = np.random.default_rng(0).integers(0, 256, (300, 8, 8), dtype=np.uint8)
    np.savez("mine.npz", images=pixels, labels=np.arange(300) % 10)
    for arguments in commands():
        assert execute(arguments) == 0


def modules():
    """Return the modules that a reader looks for: a package listed with its members stands for its files."""
    for path in PACKAGE.rglob("*.py"):
        if path.stem != "__init__":
            parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
            package = ".".join(parts[:-1])
            yield package if package in LISTED else ".".join(parts)


def test_every_module_has_one_place_on_the_pages_of_the_package():
    assert sorted(LISTED) == sorted(set(modules()))


def test_the_contents_list_every_page_of_the_package():
    parts = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))["parts"]
    chapters = [chapter for part in parts for chapter in part["chapters"]]
    (package,) = (one for one in chapters if one["file"] == "chapters/api")
    listed = [f"{page['file']}.md" for page in package["sections"]]
    assert sorted(listed) == sorted(PAGES)


def test_the_table_of_wishes_leads_to_all_that_stands_at_the_front_door_and_to_decoding():
    found = {
        name.rpartition(".")[2]
        for name in re.findall(r"\{(?:func|class)\}`~gumbel_tutorial\.([\w.]+)`", FRONT)
    }
    front = {name for name in gumbel_tutorial.__all__ if is_no_module(name)}
    assert front | set(decoding.__all__) <= found


def is_no_module(name):
    return not inspect.ismodule(getattr(gumbel_tutorial, name))


def test_the_site_is_cited_as_the_repository_is():
    text = (ROOT / "index.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^```bibtex\n(.*?)^```", text, re.M | re.S)
    (entry,) = parse_string(block, "bibtex").entries.values()
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert entry.type == cited["type"]
    assert entry.fields["title"] == cited["title"]
    assert entry.fields["version"] == cited["version"]
    assert entry.fields["year"] == str(cited["date-released"])[:4]
    (author,) = entry.persons["author"]
    assert [str(author).strip("{}")] == [one["name"] for one in cited["authors"]]


def test_the_landing_page_counts_the_estimators():
    text = (ROOT / "index.md").read_text(encoding="utf-8")
    assert "thirty gradient estimators" in text
    assert len(ESTIMATORS.keys() - {"exact"}) == 30
