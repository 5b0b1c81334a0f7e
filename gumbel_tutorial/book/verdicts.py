"""What the checks of samplers found, as recorded: a table of samplers, and the numbers beside it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from gumbel_tutorial.book import records
from gumbel_tutorial.book.reporting import report, table

HEADER = ("sampler", "draws", "checks passed", "checks failed")
_KINDS = {
    "categorical": "Categories",
    "without_replacement": "Ordered samples without replacement",
    "relaxed": "Relaxed and straight-through samples",
    "speculative": "Drafts and what is emitted",
}

Report = Mapping[str, Any]


def failed(found: Report) -> list[str]:
    """Return the names of the checks that a sampler failed."""
    return [x["check"] for x in found["checks"] if x["verdict"] == "failed"]


def rows(reports: Sequence[Report]) -> Iterator[tuple[str, str, str, str]]:
    """Yield a row under ``HEADER`` for every report, kind by kind, each kind under its name.

    Args:
        reports: as ``python -m gumbel_tutorial.conformance check --json`` writes them.
    """
    for kind, title in _KINDS.items():
        of_kind = [found for found in reports if found["kind"] == kind]
        if of_kind:
            yield f"<em>{title}</em>", "", "", ""
        for found in of_kind:
            yield _row(found)


def _row(found: Report) -> tuple[str, str, str, str]:
    made = [x for x in found["checks"] if x["verdict"] != "not checked"]
    draws = sum(x["draws"] for x in made)
    passed = f"{len(made) - len(failed(found))} of {len(made)}"
    # A name breaks at its dots, lest the table be wider than a page.
    name = found["sampler"].replace(".", ".<wbr>").replace("/", ", ")
    return f"<code>{name}</code>", f"{draws:,}", passed, "; ".join(failed(found))


def show() -> None:
    """Show the recorded reports as a table, and report how many samplers there are and how many fail."""
    reports = records.read("conformance")["results"]
    table(rows(reports), HEADER)
    report("samplers", len(reports))
    report("samplers-failing", sum(bool(failed(found)) for found in reports))
    sound = records.read("false_alarms")["results"].values()
    report("sound-reports", sum(each["reports"] for each in sound), ",")
    report("sound-failed", sum(len(each["failed"]) for each in sound))
    bounds = sum(each["bounds"] for each in sound)
    below = sum(each["below"]["0.05"] for each in sound)
    report("sound-checks", bounds, ",")
    report("sound-below", 100 * below / bounds, ".2f")
