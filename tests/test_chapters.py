"""The rules of the house for chapters, read off the notebooks without running them."""

import ast
import importlib
import inspect
import re
from pathlib import Path

import colab
import nbformat
import pytest
import yaml
from pybtex.database import parse_file

from gumbel_tutorial import laboratory
from gumbel_tutorial.estimators import ESTIMATORS

ROOT = Path(__file__).parent.parent
NOTEBOOKS = sorted((ROOT / "chapters").glob("*.ipynb"))
# The numbered ones. The corrections have a form of their own: test_corrections.py.
CHAPTERS = [path for path in NOTEBOOKS if path.stem[0].isdigit()]
MODULES = [
    "noise",
    "gumbel",
    "categorical",
    "gumbel_max",
    "concrete",
    "decoding",
    "nn",
    "schedules",
]
HEADINGS = ["## What to remember", "## Exercises", "## Sources"]
BANNED = r"clearly|obviously|simply|just|of course|note that|recall that|it can be shown|basically"
LIMITS = {"words": 5400, "code lines": 336, "cells": 60, "kilobytes": 504}


def read(path):
    return nbformat.read(path, as_version=4)


def executed(path):
    return [cell for cell in read(path).cells if cell.cell_type == "code"]


def code_cells(path):
    """Return the code of the chapter, without the cell that an address brings: see tools/colab.py."""
    return [cell for cell in executed(path) if not colab.is_installing(cell)]


# Displayed and inline mathematics, roles, inline code, and the options of directives.
NO_PROSE = r"(?s:\$\$.*?\$\$)|\$[^$]*\$|\{[^}\s]+\}`[^`]*`|`[^`\n]*`|(?m:^:[a-z]+:.*$)"


def prose(path):
    """Return the sentences of a chapter, captions included."""
    captions = [
        cell.metadata.get("mystnb", {}).get("figure", {}).get("caption", "")
        for cell in code_cells(path)
    ]
    return re.sub(NO_PROSE, " ", "\n\n".join([markdown(path), *captions]))


def markdown(path):
    return "\n".join(
        cell.source for cell in read(path).cells if cell.cell_type == "markdown"
    )


notebooks = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
chapters = pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)


@notebooks
def test_every_cell_was_executed_in_order_and_without_error(path):
    cells = executed(path)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    for cell in cells:
        for output in cell.outputs:
            assert output.output_type != "error"
            assert output.get("name") != "stderr"


@notebooks
def test_cells_are_short_and_functions_in_them_shorter(path):
    for cell in code_cells(path):
        lines = (
            cell.source.splitlines()
        )  # blank ones count: a reader scrolls past them too
        assert len(lines) <= 15, cell.source
        assert max(map(len, lines)) <= 88, cell.source
        for node in ast.walk(ast.parse(cell.source)):
            if isinstance(node, ast.FunctionDef):
                assert node.end_lineno - node.lineno < 9, cell.source


@notebooks
def test_a_caption_and_a_table_stand_at_one_cell(path):
    for cell in code_cells(path):
        shown = [
            "<table" in output.get("data", {}).get("text/html", "")
            for output in cell.outputs
        ]
        assert sum(shown) == ("table" in cell.metadata), cell.source


@notebooks
def test_the_chapter_keeps_within_its_budget(path):
    sizes = {
        "words": len(prose(path).split()),
        "code lines": sum(
            bool(line.strip())
            for cell in code_cells(path)
            for line in cell.source.splitlines()
        ),
        "cells": len(code_cells(path)),
        "kilobytes": path.stat().st_size // 1000,
    }
    assert all(sizes[name] <= limit for name, limit in LIMITS.items()), sizes


@notebooks
def test_every_figure_has_a_name_a_caption_and_a_description(path):
    for cell in code_cells(path):
        if not any("image/png" in output.get("data", {}) for output in cell.outputs):
            continue
        figure, image = (cell.metadata["mystnb"][key] for key in ("figure", "image"))
        assert figure["name"].startswith("fig-")
        assert len(image["alt"]) > 40
        assert image["alt"].strip() != figure["caption"].strip()
        assert f"`{figure['name']}`" in markdown(path), (
            "a figure is referred to in the text"
        )


@notebooks
def test_a_chapter_reads_no_file_so_that_a_downloaded_one_runs(path):
    # Records are read by name from the package. A path is what pathlib, open or a slash would be needed for.
    for cell in code_cells(path):
        for node in ast.walk(ast.parse(cell.source)):
            if isinstance(node, ast.Name):
                assert node.id not in ("open", "Path", "os"), cell.source
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                assert not re.search(
                    r"^\.{0,2}/|\.(json|npz|npy|csv|gz)$", node.value
                ), cell.source


@notebooks
def test_no_figure_is_glued(path):
    for cell in code_cells(path):
        for output in cell.outputs:
            assert not any(
                "papermill.record/image" in kind for kind in output.get("data", {})
            )


@notebooks
def test_only_cells_about_training_are_excused_from_the_strict_run(path):
    tags = [tag for cell in code_cells(path) for tag in cell.metadata.get("tags", [])]
    assert set(tags) <= {"nbval-ignore-output"}
    assert len(tags) <= (6 if path.stem[:2] in ("07", "08") else 0)


@chapters
def test_the_template_is_kept(path):
    text = markdown(path)
    assert re.match(r"\(chap-[a-z-]+\)=\n# \S", text)
    assert "**You need**" in text
    assert re.search(r"^#{2,3} Where it breaks", text, re.M)
    places = [text.index(heading) for heading in HEADINGS]
    assert places == sorted(places)
    remembered = text[places[0] : places[1]]
    assert 1 <= len(re.findall(r"^- ", remembered, re.M)) <= 5


@chapters
def test_every_theorem_is_proved(path):
    kinds = re.findall(r"^:::\{prf:(theorem|proof)\}", markdown(path), re.M)
    for kind, following in zip(kinds, [*kinds[1:], None], strict=True):
        if kind == "theorem":
            assert following == "proof"


@chapters
def test_every_exercise_has_a_solution_that_ends_in_a_check(path):
    exercises = re.findall(
        r"^:::\{exercise\} (?:Easy|Medium|Hard)\n:label: (\S+)", markdown(path), re.M
    )
    assert len(exercises) >= 3
    cells = read(path).cells
    for label in exercises:
        start = next(
            i
            for i, cell in enumerate(cells)
            if f"{{solution-start}} {label}\n" in cell.source
        )
        solution = cells[start + 1]
        assert solution.cell_type == "code"
        assert re.search(r"\bassert|testing\.assert", solution.source), label


@notebooks
def test_words_that_hurry_the_reader_are_not_used(path):
    assert re.findall(rf"\b(?:{BANNED})\b", prose(path), re.I) == []


def test_the_prose_of_a_chapter_keeps_its_sentences():
    text = "Of $x = 0.5$ and `0.5` it is\n:label: 0.5\n$$\n0.5\n$$ 0.5 % {glue:text}`a-0.5` just."
    assert re.sub(NO_PROSE, " ", text).split() == [
        "Of",
        "and",
        "it",
        "is",
        "0.5",
        "%",
        "just.",
    ]


@notebooks
def test_no_number_is_typed_into_the_prose(path):
    assert re.findall(r"\S*\d\.\d\S*|\d+ ?%", prose(path)) == []


@notebooks
def test_every_glued_number_was_reported_in_the_chapter(path):
    used = set(re.findall(r"\{glue:text\}`([^`]+)`", markdown(path)))
    reported = {
        match
        for cell in code_cells(path)
        for output in cell.outputs
        if output.get("name") == "stdout"
        for match in re.findall(r"^(\S+) = ", output.text, re.M)
    }
    assert used <= reported
    assert reported <= used, "what is reported is used in the text"


def test_every_source_that_is_cited_stands_in_the_bibliography():
    # Two edits that meet in this file can lose a brace between two entries.
    known = parse_file(ROOT / "references.bib").entries
    pages = [markdown(path) for path in NOTEBOOKS]
    pages += [path.read_text() for path in (ROOT / "chapters").glob("*.md")]
    cited = re.findall(r"\{cite(?::[a-z]+)?\}`([^`]+)`", "\n".join(pages))
    assert {key for keys in cited for key in re.split(r",\s*", keys)} <= set(known)


def test_the_files_stand_in_the_order_of_the_contents():
    parts = yaml.safe_load((ROOT / "_toc.yml").read_text())["parts"]
    listed = [chapter["file"] for part in parts for chapter in part["chapters"]]
    found = [name for name in listed if (ROOT / f"{name}.ipynb").exists()]
    assert found == [f"chapters/{path.stem}" for path in NOTEBOOKS]


def is_called_like_a_function(value):
    """Tell functions, and classes that are named like one: those of schedules."""
    return inspect.isfunction(value) or (
        inspect.isclass(value) and value.__name__.islower()
    )


def is_for_readers(name, function):
    """Tell a public function from a formula that checks nothing, which other modules call."""
    if name.startswith("_"):
        return False
    return "nothing is checked" not in inspect.getdoc(function).partition("\n\n")[0]


def public_functions():
    for name in MODULES:
        module = importlib.import_module(f"gumbel_tutorial.{name}")
        for function, value in inspect.getmembers(module, is_called_like_a_function):
            own = f"{value.__module__}.".startswith(f"{module.__name__}.")
            if own and is_for_readers(function, value):
                yield name, function, value
    for name, estimator in ESTIMATORS.items():
        module = estimator.function.__module__.removeprefix("gumbel_tutorial.")
        yield module, name, estimator.function
    for name, value in inspect.getmembers(laboratory, inspect.isfunction):
        if value.__module__.endswith("measurement") and not name.startswith("_"):
            yield "laboratory", name, value


# What the package offers beyond what the book derives; the package page describes it.
BEYOND_THE_BOOK = {
    "categorical.mode",
    "categorical.perplexity",
    "categorical.sample",
    "categorical.sampling_method",
    "gumbel.truncated_log_cdf",
    "noise.logistic_like",
    "noise.normal",
    "noise.normal_like",
}


def test_every_public_function_is_met_in_some_chapter():
    text = "\n".join(cell.source for path in CHAPTERS for cell in read(path).cells)
    # A bare name proves little: it must stand with its module, but for the two that torch users import.
    bare = {"gumbel_softmax", "straight_through"}
    names = {f if f in bare else f"{m}.{f}" for m, f, _ in public_functions()}
    unmet = {name for name in names if name not in text}
    assert unmet - BEYOND_THE_BOOK == set()
    assert BEYOND_THE_BOOK - names == set()


NOTATION = (ROOT / "chapters" / "notation.md").read_text()


def names_in_the_notation():
    rows = re.findall(r"^\* - (?:.*\n)(?:  - ?.*\n)*", NOTATION, re.M)
    return {name for row in rows for name in re.findall(r"`([a-z_]+)`", row)}


def parameters():
    return {
        p for _, _, f in public_functions() for p in inspect.signature(f).parameters
    }


def test_every_parameter_is_in_the_notation():
    assert parameters() - names_in_the_notation() == set()


def test_every_name_in_the_notation_is_in_the_code():
    of_models = {"num_latents", "labelled_loss", "unlabelled_loss", "alpha"}
    others = {"one_hot", "num_categories", "probs", "numpy", "step"} | of_models
    assert names_in_the_notation() - parameters() - others == set()
