"""The metrics of a run: a line of JSON each, and TensorBoard's events when asked."""

import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from gumbel_tutorial.vae.runs.config import Output
from gumbel_tutorial.vae.training.batches import is_due
from gumbel_tutorial.vae.training.checkpoint import write_whole

METRICS = "metrics.jsonl"
_EVENTS = "tensorboard"


class Journal:
    """Writes metrics, from a step on; those of later steps, which a resumed run takes again, are dropped.

    Args:
        output: the folder, and what is written how often.
        step: step that the run is at.
        steps: number of steps of the whole run.
    """

    def __init__(self, output: Output, step: int, steps: int) -> None:
        self.path, self.events_path = output.output / METRICS, output.output / _EVENTS
        keep_until(self.path, step, output, steps)
        self.file = self.path.open("a")
        self.events: Any = None
        self._excepthook = threading.excepthook
        if output.tensorboard:
            from torch.utils.tensorboard import SummaryWriter

            threading.excepthook = self._pass_over
            with naming(self.events_path):
                self.events = SummaryWriter(str(self.events_path), purge_step=step + 1)

    def _pass_over(self, args: threading.ExceptHookArgs) -> None:
        """Say nothing of an error in the thread that writes events: the next event, or sync, raises it."""
        if not type(args.thread).__module__.startswith("tensorboard."):
            self._excepthook(args)

    def write(self, values: dict[str, Any]) -> None:
        """Write a line: a step, and numbers by name.

        Raises:
            OSError: with the path, that the disk does not take it.
        """
        with naming(self.path):
            print(json.dumps(values), file=self.file, flush=True)
        if self.events is not None:
            with naming(self.events_path):
                for name, value in values.items():
                    self.events.add_scalar(name, value, values["step"])

    def sync(self) -> None:
        """Put on disk what was written."""
        with naming(self.path):
            os.fsync(self.file.fileno())
        if self.events is not None:
            with naming(self.events_path):
                self.events.flush()

    def close(self) -> None:
        """Close the files; a full disk has said so already."""
        with suppress(OSError):
            self.file.close()
        if self.events is not None:
            with suppress(OSError):
                self.events.close()
        threading.excepthook = self._excepthook


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Name the file in errors of a disk, which may not say where they happened."""
    try:
        yield
    except OSError as error:
        error.filename = error.filename or str(path)
        raise


def keep_until(path: Path, step: int, output: Output, steps: int) -> None:
    """Drop the metrics of steps after the checkpoint, and half a line that a crash left.

    At the checkpoint's own step, drop a line that was written only because the earlier, shorter run ended
    there.
    """
    if not path.exists():
        return
    kept = []
    for line in path.read_text(errors="replace").splitlines(keepends=True):
        try:
            values = dict(json.loads(line))
            reports = any(name.startswith("validation") for name in values)
            every = output.evaluate_every if reports else output.log_every
            known = values["step"] < step
            last = values["step"] == step and is_due(step, every, steps)
            if line.endswith("\n") and (known or last):
                kept.append(line)
        except (ValueError, KeyError, TypeError):
            continue
    write_whole(path, "".join(kept).encode())
