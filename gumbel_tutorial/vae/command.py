"""What the command does: ``train``, ``evaluate``, ``sample``, ``table``."""

import argparse
import io
import json
import math
import re
import sys
from collections.abc import Mapping, Sequence
from contextlib import redirect_stderr
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Annotated, Literal

import torch
import tyro

from gumbel_tutorial.checks import check_count
from gumbel_tutorial.vae import table
from gumbel_tutorial.vae.data.images import Images, is_binary
from gumbel_tutorial.vae.models.base import LatentModel
from gumbel_tutorial.vae.runs.build import make_splits, make_temperature, reported
from gumbel_tutorial.vae.runs.config import Config, Output, check_seed
from gumbel_tutorial.vae.runs.journal import naming
from gumbel_tutorial.vae.runs.on_disk import run
from gumbel_tutorial.vae.runs.saved import Saved, Which, latest, saved_model
from gumbel_tutorial.vae.runs.signals import Stopped
from gumbel_tutorial.vae.training.checkpoint import write_whole
from gumbel_tutorial.vae.training.device import find_device
from gumbel_tutorial.vae.training.evaluation import (
    assess,
    describe,
    discrete_loss,
    independent_pixels,
)
from gumbel_tutorial.vae.training.processes import ReportedElsewhere

_FLAT = tyro.conf.arg(name="")
_PROGRAM = "python -m gumbel_tutorial.vae"


@dataclass(frozen=True)
class Train:
    """Train a model, and keep its newest and best checkpoint and its metrics in a folder.

    The best is that of the least loss on the validation images. The folder may stand first, without --output.

    Attributes:
        output: Where the run goes and what it reports.
        config: What is computed.
    """

    output: Annotated[Output, _FLAT]
    config: Annotated[Config, _FLAT]

    def __call__(self) -> None:
        """Train, and say where the result lies."""
        trainer = run(self.config, self.output)
        if trainer.processes.rank == 0:
            print(
                f"trained to step {trainer.steps_taken}; saved in {self.output.output}"
            )


@dataclass(frozen=True)
class Evaluate:
    """Print what a trained model is worth on images, as JSON, in nats per image.

    Its bounds by one sample and by many; the exact divergence "kl" and the rest, "reconstruction"; how much
    of the code is used; the accuracy of a classifier; and what independent pixels of the training images'
    frequencies would cost. Grey pixels have no bound: "grey_loss" stands in its place. The folder may stand
    first, without --run.

    Attributes:
        run: Output folder of a training run.
        checkpoint: The newest model, or the one of the evaluation during training with the least loss on
            the validation images.
        split: Images to evaluate on.
        num_samples: Samples of the multi-sample bound; the published tables have 1000.
        folder: Folder of the four MNIST files, for a run on "mnist"; by default the one that it was trained
            with.
        seed: Seed for the codes.
        device: Device to evaluate on.
    """

    run: Path
    checkpoint: Which = "newest"
    split: Literal["train", "validation", "test"] = "test"
    num_samples: int = 1000
    folder: Path | None = None
    seed: int = 0
    device: str = "cpu"

    def __call__(self) -> None:
        """Evaluate and print."""
        check_count(self.num_samples, "num_samples", 1)
        check_seed(self.seed)
        device = find_device(self.device)
        saved = saved_model(self.run, self.checkpoint)
        model = saved.load_model(device)
        folder = self.folder or _remembered(saved, Output(self.run)).folder
        splits = make_splits(saved.config, folder, download=False)
        images = reported(saved.config, splits, self.split).to(device)
        losses = self._losses(model, images, saved)
        loss = losses["one_sample" if "one_sample" in losses else "grey_loss"]
        values = losses | describe(model, images, loss)
        baseline = independent_pixels(
            model, splits.train, images.to(torch.device("cpu"))
        )
        values["independent_pixels"] = baseline
        told = {"split": self.split, "checkpoint": self.checkpoint, "step": saved.step}
        print(json.dumps(told | values, indent=1))

    def _losses(
        self, model: LatentModel, images: Images, saved: Saved
    ) -> dict[str, float]:
        """Return the bounds by name, or of grey images their loss."""
        generator = torch.Generator(images.pixels.device).manual_seed(self.seed)
        if not is_binary(images.pixels):
            return {"grey_loss": discrete_loss(model, images, generator=generator)}
        temperature = make_temperature(saved.config)
        found = assess(
            model,
            images,
            num_samples=self.num_samples,
            temperature=temperature(max(0, saved.step - 1)),
            generator=generator,
            progress=True,
        )
        return asdict(found) | {"integrality_gap": found.integrality_gap}


@dataclass(frozen=True)
class Sample:
    """Draw a picture of images that a trained autoencoder makes up.

    The folder and the picture may stand first, without --run and --picture.

    Attributes:
        run: Output folder of a training run.
        picture: File to write, such as samples.png.
        num_images: Number of images; a square number looks best, or a multiple of the classes.
        checkpoint: The newest model, or the one of the evaluation during training with the least loss on
            the validation images.
        seed: Seed for the codes.
    """

    run: Path
    picture: Path
    checkpoint: Which = "newest"
    num_images: int = 64
    seed: int = 0

    def __call__(self) -> None:
        """Draw and write."""
        check_count(self.num_images, "num_images", 1)
        check_seed(self.seed)
        model = saved_model(self.run, self.checkpoint).load_model(torch.device("cpu"))
        with torch.no_grad():
            generator = torch.Generator().manual_seed(self.seed)
            pixels = model.sample(self.num_images, generator=generator)
        # Each class has a column of its own.
        _write_picture(self.picture, pixels, model.num_classes)
        print(f"wrote {self.picture}")


@dataclass(frozen=True)
class Table:
    """Train and evaluate every estimator on every task; a repeated command makes the runs that are missing.

    Attributes:
        folder: Folder of the four MNIST files.
        record: Folder of the finished runs, a JSON file each; made if missing.
        columns: Tasks to train on.
        rows: Estimators to compare.
        seeds: Number of runs of each estimator on each task.
        num_samples: Samples of the multi-sample bound on the test images.
        jobs: Number of runs at a time.
        device: Device to train on.
    """

    folder: Path
    record: Path
    columns: tuple[str, ...] = tuple(table.COLUMNS)
    rows: tuple[str, ...] = tuple(table.ROWS)
    seeds: int = 3
    num_samples: int = 1000
    jobs: int = 2
    device: str = "cpu"

    def __call__(self) -> None:
        """Make the runs that the record lacks."""
        table.make_runs(
            self.record,
            table.Place(self.folder, self.device, self.num_samples),
            columns=self.columns,
            rows=self.rows,
            seeds=self.seeds,
            jobs=self.jobs,
        )


def _remembered(saved: Saved, output: Output) -> Output:
    """Return an output with the settings that the run was given before."""
    told = saved.about.get("output", {})
    known = {own.name for own in fields(Output)}
    values = {name: value for name, value in told.items() if name in known}
    if "folder" in values:
        values["folder"] = Path(values["folder"])
    return replace(output, device=saved.about.get("device") or None, **values)


def _write_picture(path: Path, pixels: torch.Tensor, across: int | None) -> None:
    """Write square images in rows: so many across, or about as many as rows."""
    from matplotlib.figure import Figure

    from gumbel_tutorial.book import plots

    side = math.isqrt(pixels.shape[-1])
    if side * side != pixels.shape[-1]:
        raise ValueError(
            f"images must be square to be drawn, got {pixels.shape[-1]} pixels"
        )
    across = across or round(len(pixels) ** 0.5)
    rows = -(-len(pixels) // across)
    whole = pixels.new_zeros(rows * across, side, side)
    whole[: len(pixels)] = pixels.reshape(-1, side, side)
    figure, content = Figure(figsize=(across, rows), layout="tight"), io.BytesIO()
    plots.images(figure.subplots(), whole.reshape(rows, across, side, side).tolist())
    try:
        figure.savefig(content, format=path.suffix.removeprefix("."))
    except ValueError as error:
        raise ValueError(
            f"picture must be a file of a known kind, such as .png, got {path}"
        ) from error
    with naming(path):
        write_whole(path, content.getvalue())


def execute(arguments: Sequence[str] | None = None) -> int:
    """Run the command of the arguments, and return its exit code where that is not an error's."""
    try:
        _parse(list(sys.argv[1:] if arguments is None else arguments))()
    except Stopped as stopped:
        print(stopped, file=sys.stderr)
        return stopped.exit_code
    except ReportedElsewhere as elsewhere:
        return elsewhere.exit_code
    return 0


def _parse(arguments: list[str]) -> Train | Evaluate | Sample | Table:
    """Return the command that arguments ask for; what is wrong with them is one line."""
    arguments, said = _named(arguments), io.StringIO()
    try:
        with redirect_stderr(said):
            begun = _begun(arguments)
            if begun is not None:
                return tyro.cli(
                    Train,
                    args=arguments[1:],
                    prog=f"{_PROGRAM} train",
                    default=begun,
                )
            return tyro.cli(
                Train | Evaluate | Sample | Table,
                args=arguments,
                prog=_PROGRAM,
                description="Variational autoencoders with categorical codes.",
            )
    except SystemExit as end:
        if end.code:
            print(f"error: {_in_one_line(said.getvalue())}", file=sys.stderr)
        raise


# What the words that stand first are, for those who leave out the names.
_FIRST: Mapping[str, tuple[str, ...]] = {
    "train": ("--output",),
    "evaluate": ("--run",),
    "sample": ("--run", "--picture"),
}


def _named(arguments: list[str]) -> list[str]:
    """Return arguments with the names of those that stand first without one."""
    named, rest = arguments[:1], arguments[1:]
    for name in _FIRST.get("".join(named), ()):
        if not rest or rest[0].startswith("-"):
            break
        named += [name, rest.pop(0)]
    return named + rest


def _begun(arguments: list[str]) -> Train | None:
    """Return the run that arguments ask to resume: its settings are the defaults of all others."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--output", type=Path)
    parser.add_argument("--resume", action=argparse.BooleanOptionalAction)
    given, _ = parser.parse_known_args(arguments[1:])
    if arguments[:1] != ["train"] or not given.resume or given.output is None:
        return None
    try:
        saved = latest(given.output)
    # The run reports the same fault, once for all its processes.
    except (OSError, ValueError):
        return None
    return Train(_remembered(saved, Output(given.output, resume=True)), saved.config)


def _in_one_line(box: str) -> str:
    """Return what tyro says in a box, without its border, its title and what it repeats of the help."""
    plain = box.translate(str.maketrans("─│╭╮╰╯", "-     "))
    _, *parts = re.split(r"[^\n]*-{9,}[^\n]*\n", plain)
    said = [" ".join(part.split()) for part in parts]
    help_begins = ("Argument helptext", "For full helptext")
    line = "; ".join(x for x in said if x and not x.startswith(help_begins))
    commas = re.match(r"Error parsing (--\S+): .*\['(\d+(?:,\d+)+)'\]", line)
    if commas is None:
        return line
    name, numbers = commas.groups()
    apart = numbers.replace(",", " ")
    return f"{name} must be numbers with spaces, as {name} {apart}, got {numbers}"
