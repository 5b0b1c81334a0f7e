"""What a chapter shows: numbers that its prose quotes, and tables."""

from collections.abc import Iterable, Sequence
from typing import Any


def report(key: str, value: Any, spec: str = "") -> None:
    """Print ``key = value`` and make the same rounded text available to the prose as ``{glue:text}``.

    The number is glued as text: the built page then shows what the cell printed, and a stored output
    that has gone stale differs in that text.

    Args:
        key: unique in the chapter, words joined by hyphens.
        value: what to show.
        spec: a format specification such as ``".2f"``, no finer than the value's error allows.

    Examples:
        >>> report("total-variation", 0.01234, ".3f")  # doctest: +ELLIPSIS
        total-variation = 0.012...
    """
    text = format(value, spec)
    print(f"{key} = {text}")
    try:
        from myst_nb import glue
    except ImportError:  # a reader's own environment, without the book's tools
        return
    glue(key, text, display=False)


def table(rows: Iterable[Sequence[Any]], header: Sequence[str]) -> None:
    """Show a table in a notebook, its cells as they are: HTML stays HTML, and text is not read as a number.

    Args:
        rows: one sequence of cells per row.
        header: the names of the columns.

    Raises:
        ValueError: a row that has not one cell per column.
    """
    from IPython.display import HTML, display
    from tabulate import tabulate

    rows = list(rows)
    for row in rows:
        if len(row) != len(header):
            one_each = f"one cell for each of {len(header)} columns"
            raise ValueError(f"rows must have {one_each}, got {len(row)} in {row}")
    text = tabulate(rows, header, tablefmt="unsafehtml", disable_numparse=True)
    display(HTML(text))
