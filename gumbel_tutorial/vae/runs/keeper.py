"""What a run leaves behind as it goes: progress, metrics and checkpoints."""

import math
import sys
from collections.abc import Mapping
from typing import Any

import torch
from tqdm import tqdm

from gumbel_tutorial.vae.data.images import Images
from gumbel_tutorial.vae.runs.config import Config, Output
from gumbel_tutorial.vae.runs.journal import Journal
from gumbel_tutorial.vae.runs.saved import BEFORE, BEST, CHECKPOINT, least_loss
from gumbel_tutorial.vae.training import checkpoint
from gumbel_tutorial.vae.training.batches import is_due
from gumbel_tutorial.vae.training.evaluation import describe, validate
from gumbel_tutorial.vae.training.trainer import Progress, Trainer


class Keeper:
    """Keeps a run on disk; of several processes, the first alone writes.

    Args:
        trainer: trainer of the run.
        images: validation images, on the trainer's device.
        config: configuration of the run.
        output: where the run goes.
        about: what else a checkpoint says of the run.
    """

    def __init__(
        self,
        trainer: Trainer,
        images: Images,
        config: Config,
        output: Output,
        about: Mapping[str, Any],
    ) -> None:
        self.trainer, self.images, self.about = trainer, images, about
        self.config, self.output = config, output
        self.path = output.output / CHECKPOINT
        self.saved, first = trainer.steps_taken, trainer.processes.rank == 0
        self.least = least_loss(output.output) if first else math.inf
        self.journal = Journal(output, self.saved, config.steps) if first else None
        self.shown: dict[str, str] = {}
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
        """Write the metrics of a step that are due.

        Raises:
            FloatingPointError: the model's worth on validation images is not finite.
            OSError: the disk does not take them.
        """
        self.bar.update()
        if self.journal is None:
            return
        if self.is_due(self.output.log_every):
            values = progress._asdict()
            values["train_loss"] = values.pop("loss")
            self.journal.write(values)
            self.bar.set_postfix(
                loss=f"{progress.loss:.2f}",
                **self.shown,
                temperature=f"{progress.temperature:.3f}",
                rate=f"{progress.learning_rate:.2e}",
            )
        if self.is_due(self.output.evaluate_every):
            found = self._validate()
            self.journal.write(found)
            self._keep_best(found["validation_loss"])
            self._show(found)

    def _validate(self) -> dict[str, Any]:
        """Return what the model is worth on validation images, by noise that training does not notice."""
        model, step = self.trainer.model, self.trainer.steps_taken
        device = self.images.pixels.device
        generator = torch.Generator(device).manual_seed(self.config.seed + step)
        tau = self.trainer.recipe.temperature(step - 1)
        found = validate(model, self.images, tau, generator=generator)
        values = {
            "validation_loss": found.discrete,
            "validation_relaxed_loss": found.relaxed,
        }
        for name, value in values.items():
            if not math.isfinite(value):
                raise FloatingPointError(
                    f"{name} must be finite, got {value} after step {step}"
                )
        for name, value in describe(model, self.images, found.discrete).items():
            values[f"validation_{name}"] = value
        return {"step": step, **values}

    def _keep_best(self, loss: float) -> None:
        """Save the model, without what training it further would need, if none has had a lower loss."""
        if loss >= self.least:
            return
        self.least = loss
        tensors = {
            f"model.{name}": value
            for name, value in self.trainer.model.state_dict().items()
        }
        state = {"step": torch.tensor(self.trainer.steps_taken), **tensors}
        about = {**self.about, "validation_loss": loss}
        checkpoint.write(self.path.with_name(BEST), state, self.config.as_json(), about)

    def _show(self, found: Mapping[str, Any]) -> None:
        """Show an evaluation beside the bar, or in a line of its own where no terminal shows a bar."""
        self.shown = {"validation": f"{found['validation_loss']:.2f}"}
        if self.bar.disable:
            said = ", ".join(
                f"{name.removeprefix('validation_')} {value:.4g}"
                for name, value in found.items()
                if name != "step"
            )
            step = f"step {found['step']} of {self.config.steps}"
            print(f"{step}: validation {said}", file=sys.stderr, flush=True)

    def save(self) -> None:
        """Write a checkpoint, and keep the one before; all processes have to ask for it."""
        state = self.trainer.state()
        if self.journal is not None:
            self.journal.sync()
            before = self.path.with_name(BEFORE)
            config = self.config.as_json()
            checkpoint.write(self.path, state, config, self.about, before=before)
        self.saved = self.trainer.steps_taken

    def last_good(self) -> str:
        """Return where the last good checkpoint is."""
        return f"the last good checkpoint is {self.path}, of step {self.saved}"

    def close(self) -> None:
        """Close the bar and the files."""
        self.bar.close()
        if self.journal is not None:
            self.journal.close()
