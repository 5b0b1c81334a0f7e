"""Numbers that the prose of a chapter quotes."""

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
