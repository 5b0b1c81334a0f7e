"""A run on disk: metrics, checkpoints, signals; stopped at any moment and continued as if it never was."""

import json
import math
import os
import signal
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.distributed
from tqdm import tqdm

from gumbel_tutorial.checks import check_count
from gumbel_tutorial.vae.data.images import Images, Splits
from gumbel_tutorial.vae.models.base import LatentModel
from gumbel_tutorial.vae.runs import signals
from gumbel_tutorial.vae.runs.build import make_model, make_splits, make_trainer
from gumbel_tutorial.vae.runs.config import Config, from_json
from gumbel_tutorial.vae.training import checkpoint
from gumbel_tutorial.vae.training.batches import is_due
from gumbel_tutorial.vae.training.evaluation import validate
from gumbel_tutorial.vae.training.processes import Processes, joined
from gumbel_tutorial.vae.training.trainer import Progress, Trainer

CHECKPOINT = "checkpoint.safetensors"
METRICS = "metrics.jsonl"


@dataclass(frozen=True)
class Output:
    """Where a run goes and what it reports; of this the device alone changes its numbers.

    Attributes:
        output: folder of the checkpoint, the metrics and TensorBoard's events; made if missing.
        folder: of the four MNIST files.
        download: fetch the MNIST files that the folder lacks.
        resume: continue from the checkpoint in the output folder.
        log_every: steps between two lines of metrics.
        evaluate_every: steps between two evaluations on validation images.
        checkpoint_every: steps between two checkpoints; the end of the run always makes one.
        tensorboard: write events for TensorBoard too.
        device: to train on, such as "cpu" or "cuda"; by default cuda where there is one. Another type of
            device draws other numbers, and a run stays on the type that it began on.
    """

    output: Path
    folder: Path | None = None
    download: bool = False
    resume: bool = False
    log_every: int = 10
    evaluate_every: int = 500
    checkpoint_every: int = 500
    tensorboard: bool = False
    device: str | None = None

    def __post_init__(self) -> None:
        for name in ("log_every", "evaluate_every", "checkpoint_every"):
            check_count(getattr(self, name), name, 1)


def train(config: Config, output: Output) -> Trainer:
    """Train as configured, and keep the run on disk.

    Started by ``torchrun``, every process takes its share of each batch, and the first one reports.

    Returns:
        The trainer at the end.

    Raises:
        ~gumbel_tutorial.vae.runs.signals.Stopped: by SIGINT or SIGTERM; the run can be resumed.
        ~gumbel_tutorial.vae.training.processes.ReportedElsewhere: another process has raised an error.
        FloatingPointError: the loss is not finite, with the step, the batch and the last good checkpoint.
        ValueError: an argument is wrong, the configuration changed, or a file is damaged.
        OSError: the output folder or its disk does not take what has to be written.
    """
    with ExitStack() as stack:
        processes, device = stack.enter_context(joined(output.device))
        splits = _read_splits(config, output, processes)
        trainer = make_trainer(config, splits.train, device, processes)
        _begin(trainer, config, output)
        caught = stack.enter_context(signals.collected())
        keeper = _Keeper(trainer, splits.validation.to(device), config, output)
        stack.callback(keeper.close)
        if not output.resume:
            keeper.save()  # so that whatever comes can be resumed
        try:
            while trainer.steps_taken < config.steps:
                keeper.report(trainer.step())
                stop = processes.any(bool(caught), device)
                if stop or keeper.is_due(output.checkpoint_every):
                    keeper.save()
                if stop and trainer.steps_taken < config.steps:
                    number = caught[0] if caught else signal.SIGTERM
                    state = f"after step {trainer.steps_taken}; --resume continues"
                    raise signals.Stopped(number, state)
        except FloatingPointError as error:
            steps = f"{trainer.steps_taken} steps were taken"
            message = f"{error}; {steps}; {keeper.last_good()}"
            raise FloatingPointError(message) from None
    return trainer


def load_model(run: Path, device: torch.device) -> tuple[Config, LatentModel, int]:
    """Return what a run has trained: its configuration, its model and its step.

    Raises:
        FileNotFoundError: the folder holds no checkpoint.
        ValueError: the checkpoint is damaged, of another version, or not that of its configuration.
    """
    path = run / CHECKPOINT
    state, values, _ = checkpoint.read(path)
    config = from_json(values)
    model = make_model(config)
    own = {
        k.removeprefix("model."): v for k, v in state.items() if k.startswith("model.")
    }
    try:
        model.load_state_dict(own)
        step = int(state["step"])
    except (KeyError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(
            f"{path} must hold the model of its configuration, got {reason}"
        ) from error
    return config, model.to(device), step


def _read_splits(config: Config, output: Output, processes: Processes) -> Splits:
    """Read the images; of several processes the first on each machine fetches them for the others."""
    if processes.count == 1:
        return make_splits(config, output.folder, download=output.download)
    first = int(os.environ.get("LOCAL_RANK", "0")) == 0
    if first:
        splits = make_splits(config, output.folder, download=output.download)
    torch.distributed.barrier()
    return splits if first else make_splits(config, output.folder, download=False)


def _begin(trainer: Trainer, config: Config, output: Output) -> None:
    """Load the checkpoint that is to be continued, or require that none is in the way."""
    path = output.output / CHECKPOINT
    own = trainer.images.pixels.device.type
    if not output.resume:
        # Of several processes the one that writes.
        if trainer.processes.rank == 0:
            _check_empty(output.output)
            output.output.mkdir(parents=True, exist_ok=True)
        return
    state, before, device = checkpoint.read(path)
    config.check_continues(before)
    if device not in ("", own):
        raise ValueError(
            f"device must be of the type {device} that the run began on, got {own}"
        )
    trainer.load(state)
    if trainer.steps_taken > config.steps:
        raise ValueError(
            f"steps must be at least the {trainer.steps_taken} already taken, got {config.steps}"
        )


def _check_empty(folder: Path) -> None:
    """Require that no run has written into the folder."""
    for name in (CHECKPOINT, METRICS):
        path = folder / name
        if path.exists() and path.stat().st_size > 0:
            what = name.partition(".")[0]
            raise FileExistsError(
                f"output must hold no {what} yet, or be resumed, got {path}"
            )


class _Keeper:
    """What a run leaves behind: progress, metrics and checkpoints, of the first process alone."""

    def __init__(
        self, trainer: Trainer, images: Images, config: Config, output: Output
    ) -> None:
        self.trainer, self.images = trainer, images
        self.config, self.output = config, output
        self.saved = trainer.steps_taken
        first = trainer.processes.rank == 0
        self.journal = (
            _Journal(output, trainer.steps_taken, config.steps) if first else None
        )
        self.bar = tqdm(
            total=config.steps,
            initial=trainer.steps_taken,
            unit="step",
            # Nobody watches a file, and one bar is enough.
            disable=None if first else True,
        )

    def is_due(self, every: int) -> bool:
        """Tell whether something is done after this step; the last one is never left out."""
        return is_due(self.trainer.steps_taken, every, self.config.steps)

    def report(self, progress: Progress) -> None:
        self.bar.update()
        if self.journal is None:
            return
        if self.is_due(self.output.log_every):
            self.journal.write(progress._asdict())
            self.bar.set_postfix(
                loss=f"{progress.loss:.2f}",
                temperature=f"{progress.temperature:.3f}",
                rate=f"{progress.learning_rate:.2e}",
            )
        if self.is_due(self.output.evaluate_every):
            self.journal.write(self._validate())

    def _validate(self) -> dict[str, Any]:
        """Return what the model is worth on validation images.

        The noise is its own, so that training does not notice.

        Raises:
            FloatingPointError: one of them is not finite.
        """
        model, step = self.trainer.model, self.trainer.steps_taken
        device = self.images.pixels.device
        generator = torch.Generator(device).manual_seed(self.config.seed + step)
        tau = self.trainer.recipe.temperature(step - 1)
        found = validate(model, self.images, tau, generator=generator)
        values = {"validation": found.discrete, "validation_relaxed": found.relaxed}
        for name, value in values.items():
            if not math.isfinite(value):
                raise FloatingPointError(
                    f"{name} must be finite, got {value} after step {step}"
                )
        for name, value in model.metrics(self.images).items():
            values[f"validation_{name}"] = value
        return {"step": step, **values}

    def save(self) -> None:
        state = self.trainer.state()  # of all processes
        if self.journal is not None:
            self.journal.sync()
            path = self.output.output / CHECKPOINT
            device = self.trainer.images.pixels.device.type
            checkpoint.write(path, state, self.config.as_json(), device)
        self.saved = self.trainer.steps_taken

    def last_good(self) -> str:
        path = self.output.output / CHECKPOINT
        return f"the last good checkpoint is {path}, of step {self.saved}"

    def close(self) -> None:
        self.bar.close()
        if self.journal is not None:
            self.journal.close()


class _Journal:
    """The metrics: a line of JSON each, and TensorBoard's events when asked."""

    def __init__(self, output: Output, step: int, steps: int) -> None:
        self.path = output.output / METRICS
        _keep_until(self.path, step, output, steps)
        self.file = self.path.open("a")
        self.events: Any = None
        if output.tensorboard:
            from torch.utils.tensorboard import SummaryWriter

            self.events = SummaryWriter(
                str(output.output / "tensorboard"), purge_step=step + 1
            )

    def write(self, values: dict[str, Any]) -> None:
        try:
            print(json.dumps(values), file=self.file, flush=True)
        except OSError as error:
            error.filename = error.filename or str(self.path)
            raise
        if self.events is not None:
            for name, value in values.items():
                self.events.add_scalar(name, value, values["step"])

    def sync(self) -> None:
        try:
            os.fsync(self.file.fileno())
        except OSError as error:
            error.filename = error.filename or str(self.path)
            raise

    def close(self) -> None:
        # A full disk has said so already.
        with suppress(OSError):
            self.file.close()
        if self.events is not None:
            self.events.close()


def _keep_until(path: Path, step: int, output: Output, steps: int) -> None:
    """Drop the metrics of steps after the checkpoint, and half a line that a crash left.

    Of the checkpoint's own step what only a shorter run would report is dropped too.
    """
    if not path.exists():
        return
    kept = []
    for line in path.read_text(errors="replace").splitlines(keepends=True):
        try:
            values = json.loads(line)
            every = (
                output.evaluate_every if "validation" in values else output.log_every
            )
            known = values["step"] < step
            last = values["step"] == step and is_due(step, every, steps)
            if line.endswith("\n") and (known or last):
                kept.append(line)
        except (json.JSONDecodeError, KeyError, TypeError):
            continue
    checkpoint.write_whole(path, "".join(kept).encode())
