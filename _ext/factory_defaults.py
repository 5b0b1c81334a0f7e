"""Say ``...`` in a signature where dataclasses say ``<factory>``, which Sphinx cannot read as a default."""


def without_factories(
    _app, _what, _name, _object, _options, signature: str | None, returns: str | None
) -> tuple[str, str | None] | None:
    """Return the signature with the defaults that a call makes as dots."""
    if signature is None or "<factory>" not in signature:
        return None
    return signature.replace("<factory>", "..."), returns


def setup(app) -> dict:
    """Register the replacement with autodoc."""
    app.connect("autodoc-process-signature", without_factories)
    return {"parallel_read_safe": True}
