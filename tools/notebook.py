"""Read, edit, execute and check the chapters: `python tools/notebook.py text|update|run|check NOTEBOOK...`.

The .ipynb with its stored outputs is the one source of a chapter; its MyST text is a view of it.

  text NB         print the chapter as MyST text
  update NB       replace its inputs by the MyST text on standard input, keeping untouched cells' outputs
  run NB...       execute in a fresh kernel, without timestamps, shrink the pictures, and normalise
  check NB...     fail unless normalised, and lossless as text
"""

import os
import sys
from base64 import b64decode, b64encode
from io import BytesIO
from pathlib import Path

import jupytext
import nbformat
from jupytext.combine import combine_inputs_with_outputs
from nbclient import NotebookClient
from PIL import Image

KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}


def joined(outputs: list[nbformat.NotebookNode]) -> list[nbformat.NotebookNode]:
    """Join what a stream wrote in pieces: where it is cut depends on the kernel's timing."""
    whole: list[nbformat.NotebookNode] = []
    for output in outputs:
        stream = output.get("name")
        if stream is not None and whole and whole[-1].get("name") == stream:
            whole[-1].text += output.text
        else:
            whole.append(output)
    return whole


def normalise(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Keep what a reader needs and nothing that differs between two runs of the same cells."""
    notebook.metadata = nbformat.from_dict(
        {"kernelspec": KERNEL, "language_info": {"name": "python"}}
    )
    for cell in notebook.cells:
        for key in ("execution", "jupyter", "collapsed", "lines_to_next_cell"):
            cell.metadata.pop(key, None)
        if "nbval-ignore-output" in cell.metadata.get("tags", []):
            # A progress bar moves for the reader who runs the cell; on paper it is noise.
            cell.outputs = [out for out in cell.outputs if out.get("name") != "stderr"]
        if "outputs" in cell:
            cell.outputs = joined(cell.outputs)
        for output in cell.get("outputs", []):
            output.pop("transient", None)
            # Glue stores its key in the metadata; nothing else in there is ours.
            output.get("metadata", {}).pop("needs_background", None)
    return notebook


def with_fewer_colours(image: bytes) -> bytes:
    """Return a picture of at most 256 colours, a third of the size; nobody sees the difference in a plot."""
    whole = Image.open(BytesIO(image))
    if whole.mode == "P":
        return image
    # On the white ground that it has anyway. Without dithering, which would be seen and cost as much again.
    plain = Image.new("RGB", whole.size, "white")
    plain.paste(whole, mask=whole if whole.mode == "RGBA" else None)
    smaller = BytesIO()
    plain.quantize(256, dither=Image.Dither.NONE).save(smaller, "PNG", optimize=True)
    return smaller.getvalue()


def shrink_pictures(notebook: nbformat.NotebookNode) -> None:
    """Store the pictures of a notebook in fewer colours."""
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if "image/png" in output.get("data", {}):
                small = with_fewer_colours(b64decode(output["data"]["image/png"]))
                output["data"]["image/png"] = b64encode(small).decode()


def read(path: Path) -> nbformat.NotebookNode:
    """Read a notebook of the current format."""
    return nbformat.read(path, as_version=4)


def write(notebook: nbformat.NotebookNode, path: Path) -> None:
    """Write a notebook in the current format."""
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    path.write_text(nbformat.writes(notebook) + "\n")


def as_text(notebook: nbformat.NotebookNode) -> str:
    """Return the chapter as MyST text."""
    return jupytext.writes(notebook, fmt="md:myst")


def text(path: Path) -> None:
    """Print the chapter as MyST text."""
    print(as_text(read(path)), end="")


def update(path: Path) -> None:
    """Replace the chapter's inputs by the text on standard input."""
    notebook = jupytext.reads(sys.stdin.read(), fmt="md:myst")
    if path.exists():
        notebook = combine_inputs_with_outputs(notebook, read(path), fmt="md:myst")
    write(normalise(notebook), path)


def forget_personal_settings() -> None:
    """Keep what a reader has set for notebooks of their own out of the stored outputs."""
    os.environ["IPYTHONDIR"] = str(Path(sys.prefix) / "ipython")
    os.environ["MATPLOTLIBRC"] = os.devnull
    for name in ("MPLBACKEND", "PYTHONSTARTUP", "PYTHONOPTIMIZE", "PYTHONWARNINGS"):
        os.environ.pop(name, None)


def run(path: Path) -> None:
    """Execute the chapter in its own folder and store the outputs."""
    forget_personal_settings()
    notebook = read(path)
    client = NotebookClient(
        notebook,
        kernel_name=KERNEL["name"],
        timeout=600,
        record_timing=False,
        resources={"metadata": {"path": str(path.parent)}},
    )
    client.execute()
    shrink_pictures(notebook)
    write(normalise(notebook), path)


def check(path: Path) -> None:
    """Stop with an error unless the file is normalised and survives the way through text."""
    stored = path.read_text()
    if stored != nbformat.writes(normalise(read(path))) + "\n":
        sys.exit(f"{path} is not normalised: run tools/notebook.py run {path}")
    again = jupytext.reads(as_text(read(path)), fmt="md:myst")
    sources = [
        [cell.source for cell in notebook.cells] for notebook in (read(path), again)
    ]
    if sources[0] != sources[1]:
        sys.exit(f"{path} changes when written as text and read back")


VERBS = {"text": text, "update": update, "run": run, "check": check}

if __name__ == "__main__":
    if len(sys.argv) < 3 or sys.argv[1] not in VERBS:
        sys.exit(__doc__)
    for argument in sys.argv[2:]:
        VERBS[sys.argv[1]](Path(argument))
