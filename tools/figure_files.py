"""Where the files of the figures are, and how each kind is written: data, bitmaps and drawings.

What is written depends on what it shows, and not on the day or the machine.
"""

import json
from io import BytesIO
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from notebook import with_fewer_colours

ASSETS = Path(__file__).parent.parent / "assets"
FIGURES = ASSETS / "figures"


def write_picture(figure: Figure, path: Path, dpi: int = 150) -> None:
    """Write a picture: a drawing where the name ends in .svg, else a bitmap of few colours."""
    if path.suffix == ".svg":
        figure.savefig(path, metadata={"Date": None})
        return
    whole = BytesIO()
    figure.savefig(whole, dpi=dpi, metadata={"Software": None})
    path.write_bytes(with_fewer_colours(whole.getvalue()))


def write_data(key: str, data: dict[str, Any], tool: str) -> None:
    """Write the data of a figure as a classic script, which loads from a file, too."""
    comment = f'// Written by tools/{tool}.\n"use strict";\n'
    body = json.dumps(data, separators=(",", ":"), ensure_ascii=False)
    text = f"{comment}(globalThis.FigureData ??= {{}}).{key} = {body};\n"
    data_path(key).write_text(text, encoding="utf-8")


def read_data(key: str) -> dict[str, Any]:
    """Return the data that :func:`write_data` wrote."""
    text = data_path(key).read_text(encoding="utf-8")
    return json.loads(text[text.index(' = {"') + 3 : text.rindex(";")])


def data_path(key: str) -> Path:
    """Return the file of the data of a figure."""
    return FIGURES / f"{key}-data.js"
