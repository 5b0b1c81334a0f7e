"""What a run has saved: its checkpoints, newest and best, its configuration, its model."""

import math
import warnings
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

import torch

from gumbel_tutorial.checks import refuse
from gumbel_tutorial.vae.models.base import LatentModel
from gumbel_tutorial.vae.runs.build import NUM_PIXELS, make_model
from gumbel_tutorial.vae.runs.config import Config, from_json
from gumbel_tutorial.vae.training import checkpoint
from gumbel_tutorial.vae.training.device import find_device

CHECKPOINT = "checkpoint.safetensors"
#: The checkpoint before, which is there should the newest be damaged.
BEFORE = "checkpoint.before.safetensors"
#: The model of the evaluation with the lowest loss on the validation images.
BEST = "best.safetensors"

Which = Literal["newest", "best"]


class Saved(NamedTuple):
    """A checkpoint of a run.

    Attributes:
        path: path of the file.
        state: tensors by name.
        config: the configuration of the run.
        about: what else is known of it, by name; a checkpoint of an earlier version says less.
    """

    path: Path
    state: dict[str, torch.Tensor]
    config: Config
    about: dict[str, Any]

    @property
    def step(self) -> int:
        """How many steps had been taken."""
        try:
            return int(self.state["step"])
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise ValueError(
                f"{self.path} must hold the step of a run, got {error}"
            ) from error

    def load_model(self, device: torch.device) -> LatentModel:
        """Return the trained model.

        Raises:
            ValueError: the tensors are not those of the configuration's model.
        """
        num_pixels = self.about.get("num_pixels", NUM_PIXELS.get(self.config.data))
        if not isinstance(num_pixels, int):
            raise ValueError(
                f"{self.path} must say a number of pixels, got {num_pixels!r}"
            )
        model = make_model(self.config, num_pixels)
        own = {
            name.removeprefix("model."): value
            for name, value in self.state.items()
            if name.startswith("model.")
        }
        try:
            model.load_state_dict(own)
        except RuntimeError as error:
            reason = " ".join(str(error).split())
            raise ValueError(
                f"{self.path} must hold the model of its configuration, got {reason}"
            ) from error
        return model.to(device)


def load_model(
    folder: Path | str, which: Which = "newest", *, device: str = "cpu"
) -> LatentModel:
    """Return the model of a training run, to encode, decode and sample with.

    Args:
        folder: output folder of the run.
        which: ``"newest"``, or ``"best"`` by the loss on the validation images.
        device: device for its weights.

    Raises:
        FileNotFoundError: the folder holds no checkpoint, or no best one yet.
        ValueError: as :func:`latest`; an unknown device or ``which``.

    Examples:
        >>> import tempfile
        >>> from gumbel_tutorial.vae.runs.config import Config, Output
        >>> from gumbel_tutorial.vae.runs.on_disk import run
        >>> folder = tempfile.mkdtemp()
        >>> trainer = run(Config(num_latents=3, steps=5), Output(Path(folder), device="cpu"))
        >>> tuple(load_model(folder).encode(torch.zeros(2, 64)).shape)
        (2, 3, 10)
    """
    return saved_model(folder, which).load_model(find_device(device))


def saved_model(folder: Path | str, which: Which) -> Saved:
    """Return the newest checkpoint in a folder, or the best.

    Raises:
        FileNotFoundError, OSError, ValueError: as :func:`load_model`.
    """
    if which not in get_args(Which):
        refuse("which", f"be one of {', '.join(get_args(Which))}", which)
    return latest(Path(folder)) if which == "newest" else _read(Path(folder) / BEST)


def least_loss(folder: Path) -> float:
    """Return the loss on validation images of the best model in a folder; +inf where there is none."""
    try:
        return float(_read(folder / BEST).about["validation_loss"])
    # A file that a crash or a hand has spoilt gives way to the next evaluation.
    except (FileNotFoundError, KeyError, TypeError, ValueError):
        return math.inf


def latest(folder: Path) -> Saved:
    """Return the newest checkpoint in a folder; where it is damaged, the one before, with a warning.

    Raises:
        FileNotFoundError: the folder holds none.
        OSError: it cannot be read.
        ValueError: no checkpoint is sound, or its configuration is not one of this version.
    """
    path, before = folder / CHECKPOINT, folder / BEFORE
    try:
        return _read(path)
    except (FileNotFoundError, checkpoint.Damaged) as error:
        try:
            saved = _read(before)
        except (FileNotFoundError, checkpoint.Damaged):
            raise error from None
        warnings.warn(
            f"{error}; using the checkpoint before, {before}, of step {saved.step}",
            RuntimeWarning,
            stacklevel=2,
        )
        return saved


def _read(path: Path) -> Saved:
    found = checkpoint.read(path)
    try:
        config = from_json(found.config)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path}: {error}") from error
    if not isinstance(found.about, dict):
        raise ValueError(f"{path} must say what is known by name, got {found.about!r}")
    return Saved(path, found.state, config, found.about)
