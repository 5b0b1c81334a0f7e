"""The tables of mutations, tests/mutants/NAME.toml, and beside each the record NAME.json of what killed them.

A table is one mutation a line, and names the chapter whose code cells are meant where there is no `file`:

    chapter = "03_gumbel_max"
    mutants = [
        { labels = ["thm-top-k"], replace = "1 - taken", by = "1 + taken" },
        { labels = ["eq-mgf"], file = "gumbel_tutorial/gumbel.py", replace = "1 - x", by = "1 + x",
          tests = "tests/test_gumbel.py -k moment" },
    ]

`replace` occurs once in the chapter's code cells taken together, or in the file; `tests` are pytest's
arguments; `survives = "reason"` names a mutation that no affordable check can see.
"""

import ast
import json
import re
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
TABLES = ROOT / "tests" / "mutants"
KEYS = {"labels", "replace", "by", "file", "tests", "survives"}
LABEL = re.compile(
    r"\$\$ *\((eq-[\w-]+)\)|^:label: ((?:eq|thm|def|lem|prop|cor|ex)-[\w-]+)", re.M
)

# The exception and where it was raised: a cell's heading and statement, or a test. None where nothing saw it.
Killer = dict[str, str] | None


@dataclass(frozen=True)
class Mutant:
    """One formula, and the wrong form that takes its place."""

    table: str
    chapter: str | None
    labels: tuple[str, ...]
    replace: str
    by: str
    file: str | None = None
    tests: str | None = None
    survives: str | None = None

    @property
    def key(self) -> str:
        """Return what the record knows the mutation by: all that a run depends on."""
        change = f"{self.replace} → {self.by}"
        return f"{self.file}: {change} [{self.tests}]" if self.file else change

    def sources(self) -> list[str]:
        """Return the texts in one of which the mutation takes place."""
        if self.file:
            path = ROOT / self.file
            return [path.read_text()] if path.is_file() else []
        return [cell.source for cell in cells(self.chapter)] if self.chapter else []

    def applied(self) -> str:
        """Return the text in which the mutation takes place, mutated."""
        (source,) = (text for text in self.sources() if self.replace in text)
        return source.replace(self.replace, self.by)


class Cell(NamedTuple):
    """A code cell, and the section it stands in."""

    heading: str
    source: str


@cache
def notebook(chapter: str) -> list[tuple[str, str]]:
    """Return the kind and the text of every cell of a chapter."""
    path = ROOT / "chapters" / f"{chapter}.ipynb"
    read = json.loads(path.read_text())["cells"] if path.is_file() else []
    return [(cell["cell_type"], "".join(cell["source"])) for cell in read]


@cache
def cells(chapter: str) -> list[Cell]:
    """Return the code cells of a chapter in their order."""
    found, heading = [], ""
    for kind, text in notebook(chapter):
        if kind == "code":
            found.append(Cell(heading, text))
        elif headings := re.findall(r"^#+ (.+)$", text, re.M):
            heading = headings[-1]
    return found


def code_at(source: str, line: int) -> str:
    """Return the innermost statement of a cell at a line, on one line."""
    around = [
        node
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.stmt) and node.lineno <= line <= node.end_lineno
    ]
    innermost = min(around, key=lambda node: node.end_lineno - node.lineno)
    return one_line(ast.get_source_segment(source, innermost))


def one_line(code: str) -> str:
    """Return code with its white space made single spaces."""
    return " ".join(code.split())


@cache
def code_of(chapter: str) -> set[tuple[str, str]]:
    """Return every statement in the cells of a chapter, with its section."""
    return {
        (cell.heading, one_line(ast.get_source_segment(cell.source, node)))
        for cell in cells(chapter)
        for node in ast.walk(ast.parse(cell.source))
        if isinstance(node, ast.stmt)
    }


@cache
def labels() -> dict[str, str]:
    """Return every label of an equation, a theorem or an exercise, and its chapter.

    Raises:
        ValueError: two statements bear the same label.
    """
    found: dict[str, str] = {}
    for path in sorted((ROOT / "chapters").glob("*.ipynb")):
        texts = [text for kind, text in notebook(path.stem) if kind == "markdown"]
        for one, other in LABEL.findall("\n".join(texts)):
            name = one or other
            if name in found:
                raise ValueError(f"{name} is defined in {found[name]} and {path.stem}")
            found[name] = path.stem
    return found


def statements() -> dict[str, str]:
    """Return the labels that must have a check, and their chapters: those of equations and theorems."""
    return {name: at for name, at in labels().items() if not name.startswith("ex-")}


def read(path: Path) -> list[Mutant]:
    """Return the mutations of a table.

    Raises:
        ValueError: a key that no table has.
    """
    table = tomllib.loads(path.read_text())
    if unknown := table.keys() - {"chapter", "mutants"}:
        raise ValueError(f"{path.name}: no such key: {', '.join(sorted(unknown))}")
    found = []
    for entry in table.get("mutants", []):
        if unknown := entry.keys() - KEYS:
            raise ValueError(f"{path.name}: no such key: {min(unknown)}, in {entry}")
        if missing := {"labels", "replace", "by"} - entry.keys():
            raise ValueError(f"{path.name}: {min(missing)} is missing in {entry}")
        entry = entry | {"labels": tuple(entry["labels"])}
        found.append(Mutant(path.stem, table.get("chapter"), **entry))
    return found


def read_all(folder: Path = TABLES, only: Iterable[str] = ()) -> list[Mutant]:
    """Return the mutations of the tables named, or of all.

    Raises:
        ValueError: a table that does not exist, or a fault in one.
    """
    paths = [folder / f"{name}.toml" for name in only] or sorted(folder.glob("*.toml"))
    if absent := [path.stem for path in paths if not path.is_file()]:
        raise ValueError(f"no such table in {folder}: {', '.join(absent)}")
    mutants = [mutant for path in paths for mutant in read(path)]
    seen: set[tuple[str, str]] = set()
    wrong = [
        f"{mutant.table}: {fault}: {mutant.key}"
        for mutant in mutants
        for fault in faults(mutant, seen)
    ]
    if wrong:
        raise ValueError("\n".join(wrong))
    return mutants


def faults(mutant: Mutant, seen: set[tuple[str, str]]) -> Iterator[str]:
    """Yield what makes a mutation meaningless, and remember the mutation among those seen."""
    if (mutant.table, mutant.key) in seen:
        yield "listed twice"
    seen.add((mutant.table, mutant.key))
    yield from (
        f"no chapter defines {label}"
        for label in mutant.labels
        if label not in labels()
    )
    if mutant.survives is not None and not mutant.survives.strip():
        yield "survives without a reason"
    if (mutant.file is None) != (mutant.tests is None):
        yield "file and tests go together"
    if not mutant.file and not mutant.chapter:
        yield "neither a file nor a chapter"
    if mutant.by == mutant.replace:
        yield "by is what it replaces"
    found = sum(text.count(mutant.replace) for text in mutant.sources())
    if found != 1:
        yield f"found {found} times, not once"
    else:
        yield from fault_of_code(mutant)


def fault_of_code(mutant: Mutant) -> Iterator[str]:
    """Yield what makes the mutated text no mutation."""
    (source,) = (text for text in mutant.sources() if mutant.replace in text)
    try:
        mutated = ast.parse(mutant.applied())
    except SyntaxError as error:
        yield f"no Python ({error.msg})"
    else:
        if ast.dump(mutated) == ast.dump(ast.parse(source)):
            yield "the same code"


def record_path(table: str, folder: Path = TABLES) -> Path:
    """Return the file that says what killed the mutations of a table."""
    return folder / f"{table}.json"


def read_record(table: str, folder: Path = TABLES) -> dict[str, Killer]:
    """Return what killed each mutation of a table when it was last run."""
    path = record_path(table, folder)
    return json.loads(path.read_text()) if path.is_file() else {}


def write_record(mutants: list[Mutant], killers: dict[tuple[str, str], Killer]) -> None:
    """Bring the records of the tables up to date: what was run anew, what is listed still."""
    for table in {mutant.table for mutant in mutants}:
        old = read_record(table)
        old |= {key: killer for (name, key), killer in killers.items() if name == table}
        listed = {mutant.key for mutant in mutants if mutant.table == table}
        kept = {key: killer for key, killer in old.items() if key in listed}
        text = json.dumps(kept, indent=1, sort_keys=True, ensure_ascii=False)
        record_path(table).write_text(text + "\n")
