"""The command: ``python -m gumbel_tutorial.vae train|evaluate|sample|table``."""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Literal

import torch
import tyro

from gumbel_tutorial.checks import check_count
from gumbel_tutorial.vae.runs.build import make_splits, make_temperature
from gumbel_tutorial.vae.runs.config import Config, check_seed
from gumbel_tutorial.vae.runs.on_disk import Output, load_model
from gumbel_tutorial.vae.runs.on_disk import train as run_training
from gumbel_tutorial.vae.runs.signals import Stopped
from gumbel_tutorial.vae.table import study as table
from gumbel_tutorial.vae.training.device import find_device
from gumbel_tutorial.vae.training.evaluation import assess
from gumbel_tutorial.vae.training.processes import ReportedElsewhere

_FLAT = tyro.conf.arg(name="")
# What arguments, files, devices and missing libraries raise.
_ERRORS = (
    ValueError,
    TypeError,
    OSError,
    FloatingPointError,
    RuntimeError,
    ImportError,
)


@dataclass(frozen=True)
class Train:
    """Train a model, and keep its checkpoint and metrics in a folder.

    Attributes:
        output: where the run goes and what it reports.
        config: what is computed.
    """

    output: Annotated[Output, _FLAT]
    config: Annotated[Config, _FLAT]

    def __call__(self) -> None:
        """Train, and say where the result lies."""
        trainer = run_training(self.config, self.output)
        if trainer.processes.rank == 0:
            print(
                f"trained to step {trainer.steps_taken}; saved in {self.output.output}"
            )


@dataclass(frozen=True)
class Evaluate:
    """Print what a trained model is worth on images, as JSON: its bounds, and the accuracy of a classifier.

    Attributes:
        run: output folder of a training run.
        split: the images.
        num_samples: of the multi-sample bound; the published tables have 1000.
        folder: of the four MNIST files.
        seed: of the codes.
        device: to evaluate on.
    """

    run: Path
    split: Literal["train", "validation", "test"] = "test"
    num_samples: int = 1000
    folder: Path | None = None
    seed: int = 0
    device: str = "cpu"

    def __call__(self) -> None:
        """Evaluate and print."""
        check_seed(self.seed)
        device = find_device(self.device)
        config, model, step = load_model(self.run, device)
        splits = make_splits(config, self.folder, download=False)
        images = getattr(splits, self.split).to(device)
        found = assess(
            model,
            images,
            num_samples=self.num_samples,
            temperature=make_temperature(config)(max(0, step - 1)),
            generator=torch.Generator(device).manual_seed(self.seed),
            progress=True,
        )
        values = asdict(found) | {"integrality_gap": found.integrality_gap}
        values |= model.metrics(images)
        print(json.dumps({"split": self.split, "step": step, **values}, indent=1))


@dataclass(frozen=True)
class Sample:
    """Draw a picture of images that a trained autoencoder makes up.

    Attributes:
        run: output folder of a training run.
        picture: file to write, such as samples.png.
        num_images: how many; a square number looks best, or a multiple of the classes.
        seed: of the codes.
    """

    run: Path
    picture: Path
    num_images: int = 64
    seed: int = 0

    def __call__(self) -> None:
        """Draw and write."""
        check_count(self.num_images, "num_images", 1)
        check_seed(self.seed)
        _, model, _ = load_model(self.run, torch.device("cpu"))
        with torch.no_grad():
            generator = torch.Generator().manual_seed(self.seed)
            pixels = model.sample(self.num_images, generator=generator)
        # Each class has a column of its own.
        _write_picture(self.picture, tile(pixels, model.num_classes))
        print(f"wrote {self.picture}")


@dataclass(frozen=True)
class Table:
    """Train and evaluate every estimator on every task; the record fills up, and a repeated command goes on.

    Attributes:
        folder: of the four MNIST files.
        record: JSON file of the runs.
        columns: tasks.
        rows: estimators.
        seeds: runs of each.
        num_samples: of the multi-sample bound on the test images.
        jobs: runs at a time.
        device: to train on.
    """

    folder: Path
    record: Path = Path("benchmarks/results/vae_table.json")
    columns: tuple[str, ...] = tuple(table.COLUMNS)
    rows: tuple[str, ...] = tuple(table.ROWS)
    seeds: int = 3
    num_samples: int = 1000
    jobs: int = 2
    device: str = "cpu"

    def __call__(self) -> None:
        """Make the runs that the record lacks."""
        table.run_table(
            self.record,
            table.Place(self.folder, self.device, self.num_samples),
            columns=self.columns,
            rows=self.rows,
            seeds=self.seeds,
            jobs=self.jobs,
        )


def _write_picture(path: Path, pixels: torch.Tensor) -> None:
    from matplotlib.image import imsave

    try:
        imsave(path, pixels.numpy(), cmap="gray_r", vmin=0, vmax=1)
    # What it does not know, it says in either of two ways.
    except (KeyError, ValueError) as error:
        raise ValueError(
            f"picture must be a file of a known kind, such as .png, got {path}"
        ) from error


def tile(pixels: torch.Tensor, across: int | None = None) -> torch.Tensor:
    """Return square images in rows, ``(n, side * side)`` to a picture: so many across, or as many as down."""
    side = round(pixels.shape[-1] ** 0.5)
    across = across or round(len(pixels) ** 0.5) or 1
    rows = -(-len(pixels) // across)
    whole = pixels.new_zeros(rows * across, side, side)
    whole[: len(pixels)] = pixels.reshape(-1, side, side)
    grid = whole.reshape(rows, across, side, side).transpose(1, 2)
    return grid.reshape(rows * side, across * side)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command of the arguments, and return its exit code; an error is one line.

    Of several processes that torchrun started, one says it.
    """
    try:
        command = tyro.cli(
            Train | Evaluate | Sample | Table,
            args=arguments,
            prog="python -m gumbel_tutorial.vae",
            description="Variational autoencoders with categorical codes: train, evaluate, sample, compare.",
        )
        command()
    except Stopped as stopped:
        print(stopped, file=sys.stderr)
        return stopped.exit_code
    except ReportedElsewhere as elsewhere:
        return elsewhere.exit_code
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except _ERRORS as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
