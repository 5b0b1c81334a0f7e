"""Let each chapter run on Colab once the package has an address: `python tools/colab.py` after setting it.

Colab opens the notebooks of the repository, on a machine without the package. With `repository.url` of
`_config.yml` set, each chapter gets a first cell that installs it there and does nothing elsewhere; without,
none has one. The cell is left out of the pages (`remove-cell`) and folded on Colab.
"""

import re
import sys
from pathlib import Path

import nbformat
import yaml
from notebook import read, write

ROOT = Path(__file__).parent.parent
SOURCE = """\
# @title On Colab this installs the package of the book; elsewhere it does nothing.
import subprocess
import sys

if "google.colab" in sys.modules:
    package = "gumbel-tutorial[book] @ git+{url}@{branch}"
    subprocess.run([sys.executable, "-m", "pip", "install", "-q", package], check=True)"""


def installing_cell(repository: dict) -> nbformat.NotebookNode | None:
    """Return the cell for an address, as if it had run: it prints nothing. None without an address."""
    url = re.sub(r"(\.git)?/?$", "", repository["url"])
    if not url:
        return None
    cell = nbformat.v4.new_code_cell(
        SOURCE.format(url=url, branch=repository["branch"]),
        id="colab",
        metadata={"cellView": "form", "tags": ["remove-cell"]},
    )
    cell.execution_count = 1
    return cell


def is_installing(cell: nbformat.NotebookNode) -> bool:
    """Tell the first cell from those of the chapter."""
    return "google.colab" in cell.source


def renumber(notebook: nbformat.NotebookNode) -> None:
    """Count the cells that ran anew."""
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for count, cell in enumerate(code, 1):
        cell.execution_count = count
        for output in cell.outputs:
            if "execution_count" in output:
                output.execution_count = count


def set_cell(notebook: nbformat.NotebookNode, repository: dict) -> None:
    """Give a chapter its first cell, change it, or take it away."""
    chapter = [cell for cell in notebook.cells if not is_installing(cell)]
    first = installing_cell(repository)
    notebook.cells = [first, *chapter] if first else chapter
    renumber(notebook)


def main() -> None:
    """Bring every chapter in line with the setting."""
    repository = yaml.safe_load((ROOT / "_config.yml").read_text("utf-8"))["repository"]
    paths = [Path(name) for name in sys.argv[1:]]
    for path in paths or sorted((ROOT / "chapters").glob("*.ipynb")):
        notebook = read(path)
        set_cell(notebook, repository)
        write(notebook, path)


if __name__ == "__main__":
    main()
