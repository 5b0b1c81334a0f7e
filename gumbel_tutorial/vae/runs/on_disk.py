"""A run on disk: metrics, checkpoints, signals; stopped at any moment and continued as if it never was."""

import os
import signal
import warnings
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch
import torch.distributed

from gumbel_tutorial.vae.data.images import Splits, digest
from gumbel_tutorial.vae.runs import signals
from gumbel_tutorial.vae.runs.build import make_splits, make_trainer
from gumbel_tutorial.vae.runs.config import Config, Output
from gumbel_tutorial.vae.runs.journal import METRICS
from gumbel_tutorial.vae.runs.keeper import Keeper
from gumbel_tutorial.vae.runs.lock import held
from gumbel_tutorial.vae.runs.saved import BEFORE, BEST, CHECKPOINT, Saved, latest
from gumbel_tutorial.vae.training.processes import Processes, joined
from gumbel_tutorial.vae.training.trainer import Trainer


def run(config: Config | None, output: Output) -> Trainer:
    """Train as configured, and keep the run on disk.

    Started by ``torchrun``, every process takes its share of each batch, and the first one reports.

    Args:
        config: what is computed; None is what the run that is resumed has computed so far.
        output: where the run goes.

    Returns:
        The trainer at the end.

    Warns:
        RuntimeWarning: the newest checkpoint is damaged and the one before is used; the number of threads,
            and so the order of sums, is another than before.

    Raises:
        ~gumbel_tutorial.vae.runs.signals.Stopped: by SIGINT, SIGTERM or SIGHUP; the run can be resumed.
        ~gumbel_tutorial.vae.training.processes.ReportedElsewhere: another process of the run has raised an
            error before.
        FloatingPointError: the loss is not finite, with the step, the batch and the last good checkpoint.
        ValueError: an argument is wrong, the configuration or the images changed, a file is damaged, or
            another command runs in the folder.
        OSError: the output folder or its disk does not take what has to be written.
    """
    with ExitStack() as stack:
        processes, device = stack.enter_context(joined(output.device))
        begun = _resumed(output, processes, stack) if output.resume else None
        config = _checked(config, begun)
        splits = read_splits(config, output, processes)
        trainer = make_trainer(config, splits.train, device, processes)
        about = _about(splits, output, device)
        if begun is not None:
            _continue(trainer, begun, config, about)
        elif processes.rank == 0:
            output.output.mkdir(parents=True, exist_ok=True)
            stack.enter_context(held(output.output, "output"))
            _clear(output.output)
        caught = stack.enter_context(signals.collected())
        validation = splits.validation.to(device)
        keeper = Keeper(trainer, validation, config, output, about)
        stack.callback(keeper.close)
        if begun is None:
            keeper.save()  # so that whatever comes can be resumed
        _take_steps(trainer, keeper, caught, device)
    return trainer


def _resumed(output: Output, processes: Processes, stack: ExitStack) -> Saved:
    """Return what is resumed, in a folder that is held from here on."""
    if processes.rank == 0 and output.output.is_dir():
        stack.enter_context(held(output.output, "output"))
    return latest(output.output)


def _checked(config: Config | None, begun: Saved | None) -> Config:
    """Return the configuration, which is that of a resumed run."""
    if begun is None:
        if config is None:
            raise ValueError("config must be given unless a run is resumed, got None")
        return config
    if config is None:
        return begun.config
    config.check_continues(begun.config)
    return config


def _take_steps(
    trainer: Trainer, keeper: Keeper, caught: list[int], device: torch.device
) -> None:
    steps = keeper.config.steps
    try:
        while trainer.steps_taken < steps:
            keeper.report(trainer.step())
            stop = trainer.processes.any(bool(caught), device)
            if stop or keeper.is_due(keeper.output.checkpoint_every):
                keeper.save()
            if stop and trainer.steps_taken < steps:
                number = caught[0] if caught else signal.SIGTERM
                state = f"after step {trainer.steps_taken}; --resume continues"
                raise signals.Stopped(number, state)
    except FloatingPointError as error:
        taken = f"{trainer.steps_taken} steps were taken"
        message = f"{error}; {taken}; {keeper.last_good()}"
        raise FloatingPointError(message) from None


def read_splits(config: Config, output: Output, processes: Processes) -> Splits:
    """Read the images; of several processes the first on each machine fetches them for the others."""
    if processes.count == 1:
        return make_splits(config, output.folder, download=output.download)
    first = int(os.environ.get("LOCAL_RANK", "0")) == 0
    if first:
        splits = make_splits(config, output.folder, download=output.download)
    torch.distributed.barrier()
    return splits if first else make_splits(config, output.folder, download=False)


def _about(splits: Splits, output: Output, device: torch.device) -> dict[str, Any]:
    """Return what a checkpoint says of a run beside its configuration."""
    return {
        "device": device.type,
        "threads": torch.get_num_threads(),
        "num_pixels": splits.train.pixels.shape[1],
        "images": digest([splits.train, splits.validation]),
        "output": output.to_remember(),
    }


def _continue(
    trainer: Trainer, begun: Saved, config: Config, about: Mapping[str, Any]
) -> None:
    """Load a checkpoint, of the same images and type of device."""
    device = begun.about.get("device") or about["device"]
    if device != about["device"]:
        raise ValueError(
            f"device must be of the type {device} that the run began on, got {about['device']}"
        )
    if begun.about.get("images", about["images"]) != about["images"]:
        raise ValueError(
            f"data must hold the images that the run began with, got others in {config.data}"
        )
    trainer.load(begun.state)
    if trainer.steps_taken > config.steps:
        raise ValueError(
            f"steps must be at least the {trainer.steps_taken} already taken, got {config.steps}"
        )
    threads = begun.about.get("threads", about["threads"])
    if threads != about["threads"] and trainer.processes.rank == 0:
        warnings.warn(
            f"the run had {threads} threads so far and has {about['threads']} now: sums in another order "
            "may give other last digits",
            RuntimeWarning,
            stacklevel=3,
        )


def _clear(folder: Path) -> None:
    """Require that nothing is lost by beginning in a folder, and remove what a run left that took no step.

    That is what a wrong option of the estimator leaves, or a run that ended before it saved a step.
    """
    saved = [folder / name for name in (CHECKPOINT, BEFORE)]
    metrics = folder / METRICS
    for path in saved:
        if path.exists() and (path.stat().st_size > 0) and latest(folder).step > 0:
            raise FileExistsError(
                f"output must hold no checkpoint yet, or be resumed, got {path}"
            )
    none = not any(path.exists() for path in saved)
    if none and metrics.exists() and metrics.stat().st_size > 0:
        raise FileExistsError(
            f"output must hold no metrics yet, or be resumed, got {metrics}"
        )
    for path in (*saved, metrics, folder / BEST):
        path.unlink(missing_ok=True)
