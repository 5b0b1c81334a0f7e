"""Write chapters/equations.md: for every labelled equation and theorem a check that fails when it is wrong.

All of it is read: the labels and sections from the chapters, the wrong forms from the tables of mutations,
the checks from their records. `make mutants` writes the page anew; a test compares.
"""

import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from myst_parser.mdit_to_docutils.base import default_slugify

sys.path.insert(0, str(Path(__file__).parent))

from mutant_tables import (
    ROOT,
    Killer,
    Mutant,
    labels,
    notebook,
    one_line,
    read_all,
    read_record,
    statements,
)

PAGE = ROOT / "chapters" / "equations.md"
WIDTH = 88  # as a line of a cell

HEAD = """\
(equations)=
# Every equation, checked

A formula that no check can tell from its nearest wrong form is unchecked.
So each labelled equation and each theorem has a check here, and a wrong form that makes it fail.

Of {total} wrong forms (a sign, a factor of two, an exponent, a dropped term) {killed} are caught.
Each takes the place of the right one, in a cell of a chapter or in a function of the package.
What fails first is listed: a statement of a cell, or a test in `tests/`.
The wrong forms are in `tests/mutants/`, one per line, and `make mutants` tries them all.
"""

TABLE = """
## {title}

:::{{list-table}}
:header-rows: 1
:class: wide-table

* - statement
  - proved in
  - check
  - a wrong form that it catches
{rows}
:::
"""

SURVIVORS = """
## Wrong forms that no check catches

These are too close to the right form for a check that one can afford to run.

{rows}
"""


def headings(chapter: str) -> Iterator[tuple[str, str]]:
    """Yield the headings of a chapter, and the text below each."""
    text = "\n".join(text for kind, text in notebook(chapter) if kind == "markdown")
    parts = re.split(r"^#{1,3} (.+)$", text, flags=re.MULTILINE)
    yield from zip(parts[1::2], parts[2::2], strict=True)


@cache
def section_of(label: str) -> str:
    """Return the heading of the section that defines a label."""
    pattern = re.compile(rf"\({label}\)|^:label: {label}$", re.MULTILINE)
    parts = headings(labels()[label])
    (heading,) = (title for title, below in parts if pattern.search(below))
    return heading


def short(code: str) -> str:
    """Return code on one line, cut where the line is full."""
    code = one_line(code)
    code = code if len(code) <= WIDTH else code[: WIDTH - 1] + "…"
    return f"`{code}`" if code else "nothing"


def check_text(label: str, killer: dict[str, str]) -> str:
    """Return the statement of a cell, with its section if that is another, or the name of a test."""
    if "section" in killer:
        elsewhere = killer["section"] != section_of(label)
        return f"{killer['section']}: " * elsewhere + short(killer["check"])
    file, *parts = killer["check"].split("[")[0].split("::")
    return f"`{file}`: {'.'.join(parts).removeprefix('test_').replace('_', ' ')}"


def row(label: str, mutant: Mutant, killer: dict[str, str]) -> str:
    """Return the row of a label."""
    role = "eq" if label.startswith("eq-") else "prf:ref"
    heading = section_of(label)
    place = f" in `{mutant.file}`" if mutant.file else ""
    return "\n".join(
        [
            f"* - {{{role}}}`{label}`",
            f"  - [{heading}]({labels()[label]}.ipynb#{default_slugify(heading)})",
            f"  - {check_text(label, killer)}",
            f"  - {short(mutant.replace)} → {short(mutant.by)}{place}",
        ]
    )


def clarity(label: str, mutant: Mutant, killer: dict[str, str]) -> tuple:
    """Sort what a reader sees best first: beside the statement, by an assertion, short."""
    beside = killer.get("section") == section_of(label)
    length = len(mutant.replace) + len(mutant.by)
    is_check = killer["exception"] == "AssertionError"
    return (bool(mutant.file), not is_check, not beside, length)


def killed(mutants: list[Mutant]) -> list[tuple[Mutant, dict[str, str]]]:
    """Return the mutations that the records know as killed, and what killed each."""
    records = {table: read_record(table) for table in {m.table for m in mutants}}
    found: list[tuple[Mutant, Killer]] = [
        (mutant, records[mutant.table].get(mutant.key)) for mutant in mutants
    ]
    return [(mutant, killer) for mutant, killer in found if killer]


def checks(mutants: list[Mutant]) -> dict[str, tuple[Mutant, dict[str, str]]]:
    """Return for each statement that has one the mutation that shows its check best."""
    best: dict[str, tuple[Mutant, dict[str, str]]] = {}
    all_killed = killed(mutants)
    for label in statements():
        found = [each for each in all_killed if label in each[0].labels]
        if found:
            best[label] = min(found, key=lambda each: clarity(label, *each))
    return best


def page(mutants: list[Mutant]) -> str:
    """Return the page."""
    best = checks(mutants)
    parts = [HEAD.format(total=len(mutants), killed=len(killed(mutants)))]
    for chapter in sorted(set(statements().values())):
        own = [label for label, place in statements().items() if place == chapter]
        rows = [row(label, *best[label]) for label in own if label in best]
        title = next(headings(chapter))[0]
        if rows:
            parts.append(TABLE.format(title=title, rows="\n".join(rows)))
    left = [
        f"- {short(mutant.replace)} → {short(mutant.by)}: {mutant.survives}."
        for mutant in mutants
        if mutant.survives
    ]
    if left:
        parts.append(SURVIVORS.format(rows="\n".join(left)))
    return "".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page(read_all()))
