"""Leave the fields of a named tuple to its docstring: alone they say "Alias for field number 0"."""

from collections import namedtuple

FIELD = type(namedtuple("One", "field").field)


def skip_field(_app, _what, _name, value, _skip, _options) -> bool | None:
    """Say that a member is not to be documented if it is a field, and nothing otherwise."""
    return True if isinstance(value, FIELD) else None


def setup(app) -> dict:
    """Register the choice with autodoc."""
    app.connect("autodoc-skip-member", skip_field)
    return {"parallel_read_safe": True}
