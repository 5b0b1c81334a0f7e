"""A sampler that is a program of any language, and reads and writes files."""

import json
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from gumbel_tutorial.checks import refuse
from gumbel_tutorial.conformance.records import Kind
from gumbel_tutorial.conformance.samplers import Request

# As many calls as one process makes: few enough that clear evidence stops a check early.
_CALLS_PER_PROCESS = 64
# What an error shows of what the program wrote.
_LAST_WORDS = 300


@dataclass(frozen=True)
class Program:
    """A sampler that a command runs, many calls at a time, in any language.

    The command is started with two folders in the place of ``{input}`` and ``{output}``. The input holds
    ``requests.json``, a list of calls such as::

        {"arguments": ["logits-0.npy"], "num_draws": 64, "seed": 3,
         "options": {"temperature": 0.5}}

    An argument is the name of a ``.npy`` file in the folder, or a number; options are numbers, texts, or
    names of ``.npy`` files. The program writes the draws of the call in place i of the list, from 0, to
    ``draws-i.npy`` in the output folder, and ends with exit code 0. A speculative sampler writes
    ``drafted-i.npy`` and ``emitted-i.npy``.

    Attributes:
        command: with ``{input}`` and ``{output}`` where the folders belong.
        kind: what it draws.
        announces: keywords that it takes.
        seconds: after which a process is given up.

    Raises:
        ValueError: a command without the two places, or of a program that there is not.
    """

    command: str
    kind: Kind = "categorical"
    announces: tuple[str, ...] = ()
    seconds: float = 600.0

    def __post_init__(self) -> None:
        for place in ("{input}", "{output}"):
            if place not in self.command:
                refuse("command", f"hold {place}", repr(self.command))
        program = shlex.split(self.command)[0]
        if shutil.which(program) is None:
            refuse("command", "begin with a program that can be run", program)

    def answer(self, requests: Iterable[Request]) -> Iterator[Any]:
        """Yield the draws of each request.

        Raises:
            RuntimeError: the program fails, takes too long, or leaves out a file.
        """
        waiting = iter(requests)
        while batch := list(islice(waiting, _CALLS_PER_PROCESS)):
            with tempfile.TemporaryDirectory() as folder:
                yield from self._answered(batch, Path(folder))

    def _answered(self, batch: Sequence[Request], folder: Path) -> Iterator[Any]:
        asked, answered = folder / "input", folder / "output"
        asked.mkdir()
        answered.mkdir()
        write_requests(batch, asked)
        self._run({"{input}": str(asked), "{output}": str(answered)})
        for number in range(len(batch)):
            names = [f"draws-{number}.npy"]
            if self.kind == "speculative":
                names = [f"drafted-{number}.npy", f"emitted-{number}.npy"]
            found = tuple(_read(answered / name) for name in names)
            yield found if self.kind == "speculative" else found[0]

    def _run(self, folders: dict[str, str]) -> None:
        words = shlex.split(self.command)
        for place, folder in folders.items():
            words = [word.replace(place, folder) for word in words]
        try:
            done = subprocess.run(
                words, capture_output=True, text=True, timeout=self.seconds, check=False
            )
        except subprocess.TimeoutExpired:
            raise RuntimeError(f"{words[0]} took over {self.seconds:g} s") from None
        if done.returncode:
            said = " ".join(done.stderr.split())[-_LAST_WORDS:]
            raise RuntimeError(f"{words[0]} ended with {done.returncode}: {said}")


def write_requests(requests: Sequence[Request], folder: Path) -> None:
    """Write calls into a folder, in the form that a program reads; an array of several calls is one file."""
    written: dict[int, str] = {}

    def as_json(value: Any) -> Any:
        if not isinstance(value, np.ndarray):
            return value
        if id(value) not in written:
            written[id(value)] = f"logits-{len(written)}.npy"
            np.save(folder / written[id(value)], value)
        return written[id(value)]

    calls = [
        {
            "arguments": [as_json(each) for each in request.arguments],
            "num_draws": request.num_draws,
            "seed": request.seed,
            "options": {name: as_json(x) for name, x in request.options.items()},
        }
        for request in requests
    ]
    (folder / "requests.json").write_text(json.dumps(calls), encoding="utf-8")


def _read(path: Path) -> np.ndarray:
    if not path.exists():
        raise RuntimeError(f"it wrote no {path.name}")
    return np.load(path)
