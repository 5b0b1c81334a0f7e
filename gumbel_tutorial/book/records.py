"""Measurements that a chapter reads instead of repeating: JSON files that come with the package.

Each holds ``machine``, where and when it was measured, and ``results``; ``make bench`` measures them again.
"""

import json
from pathlib import Path
from typing import Any

RECORDED = Path(__file__).parent / "recorded"


def read(name: str) -> Any:
    """Return what is recorded under a name.

    Args:
        name: name of a file, without its suffix, or of a folder of such files.

    Returns:
        The content of the file; of a folder, the content of each file by the file's name.

    Raises:
        ValueError: a name that nothing is recorded under.

    Examples:
        >>> list(read("sampling"))
        ['machine', 'results']
    """
    paths = sorted(RECORDED.iterdir())
    known = {p.stem: p for p in paths if p.is_dir() or p.suffix == ".json"}
    if name not in known:
        raise ValueError(f"name must be one of {', '.join(known)}, got {name!r}")
    if known[name].is_dir():
        return {path.stem: _load(path) for path in sorted(known[name].glob("*.json"))}
    return _load(known[name])


def _load(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))
