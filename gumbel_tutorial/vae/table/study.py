"""The table: every estimator on every task, its learning rate chosen on validation, several seeds, recorded.

The first seed runs at every learning rate; the others at the one that did best on validation images.

The record is the store: a run that it holds is not run again, so the command can be stopped and repeated.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock, Timeout

from gumbel_tutorial.book import machine
from gumbel_tutorial.checks import check_count
from gumbel_tutorial.vae.data.images import Images, Splits
from gumbel_tutorial.vae.runs import signals
from gumbel_tutorial.vae.runs.build import make_model, make_splits, make_trainer
from gumbel_tutorial.vae.runs.config import Binarisation, Config, Data
from gumbel_tutorial.vae.table.jobs import finish, workers
from gumbel_tutorial.vae.training.checkpoint import write_whole
from gumbel_tutorial.vae.training.device import find_device
from gumbel_tutorial.vae.training.evaluation import (
    accuracy,
    assess,
    learn_labels_alone,
)
from gumbel_tutorial.vae.training.trainer import Trainer

LEARNING_RATES = (1e-3, 3e-3)

# What is compared, by label; the name of the estimator, and its options.
ROWS: Mapping[str, tuple[str, dict[str, float]]] = {
    "SF": ("reinforce_moving_average", {}),
    "DARN": ("darn", {}),
    "MuProp": ("muprop", {}),
    "ST": ("straight_through", {}),
    "Slope-Annealed ST": ("slope_annealed", {}),
    "Gumbel-Softmax": ("gumbel_softmax", {}),
    "ST Gumbel-Softmax": ("straight_through_gumbel_softmax", {}),
    "RLOO": ("rloo", {"num_samples": 2}),
    "Gumbel-Rao": ("gumbel_rao", {"num_inner": 10}),
    "ReinMax": ("reinmax", {}),
    "Marginalization": ("exact", {}),
}
# A slope that stayed at one would repeat ST, so it rises where the other rows' temperature rests, too.
_ROW_SETTINGS: Mapping[str, dict[str, Any]] = {
    "Slope-Annealed ST": {"anneal_rate": 1e-4}
}
_NOT_MARGINAL = tuple(row for row in ROWS if row != "Marginalization")


@dataclass(frozen=True)
class Column:
    """A task.

    Attributes:
        settings: what is particular in its configuration.
        steps: the length of its runs.
        rows: the estimators that it compares.
        rates: the learning rates to choose from.
    """

    settings: dict[str, Any]
    steps: int
    rows: tuple[str, ...] = _NOT_MARGINAL
    rates: tuple[float, ...] = LEARNING_RATES


_CATEGORIES = {"num_latents": 20, "num_categories": 10}
_BITS = {"num_latents": 200, "num_categories": 2}
# The temperature stays at 1 for structured prediction, and falls for the autoencoders.
_PREDICT = {"model": "structured-prediction", "anneal_rate": 0.0}
_AUTOENCODE = {"anneal_rate": 1e-4, "learn_prior": True}
_CLASSIFY = {
    "model": "semi-supervised",
    "binarisation": "dynamic",
    "num_latents": 50,
    "hidden": (256,),
    "decoder_hidden": (256,),
    "channels": (16, 32, 64),
    "alpha": 10.0,
    # Where the published schedule ends, which takes more steps than these runs have.
    "temperature": 0.5,
    "anneal_rate": 0.0,
}

COLUMNS: Mapping[str, Column] = {
    "VAE (Cat.)": Column({**_AUTOENCODE, **_CATEGORIES}, steps=40_000),
    "VAE (Cat., 200 hidden)": Column(
        {**_AUTOENCODE, **_CATEGORIES, "decoder_hidden": (200,)},
        steps=40_000,
        rows=("Gumbel-Softmax",),
    ),
    "SBN (Cat.)": Column({**_PREDICT, **_CATEGORIES}, steps=10_000),
    "SBN (Bern.)": Column({**_PREDICT, **_BITS}, steps=10_000),
    "VAE (Bern.)": Column({**_AUTOENCODE, **_BITS}, steps=5_000),
    "Semi-supervised": Column(
        _CLASSIFY,
        steps=8_000,
        rows=("Marginalization", "Gumbel-Softmax", "ST Gumbel-Softmax", "RLOO"),
        rates=(3e-3,),
    ),
}

# Jang, Gu and Poole (2017), table 1.
PUBLISHED: Mapping[str, Mapping[str, float]] = {
    column: dict(zip(ROWS, values, strict=False))
    for column, values in {
        "SBN (Bern.)": (72.0, 59.7, 58.9, 58.9, 58.7, 58.5, 59.3),
        "SBN (Cat.)": (73.1, 67.9, 63.0, 61.8, 61.1, 59.0, 59.7),
        "VAE (Bern.)": (112.2, 110.9, 109.7, 116.0, 111.5, 105.0, 111.5),
        "VAE (Cat.)": (110.6, 128.8, 107.0, 110.9, 107.8, 101.5, 107.8),
    }.items()
}
# Their table 2: the bound, and the percentage of right classes.
PUBLISHED_CLASSES: Mapping[str, tuple[float, float]] = {
    "Marginalization": (106.8, 92.6),
    "Gumbel-Softmax": (109.6, 92.4),
    "ST Gumbel-Softmax": (110.7, 93.6),
}


@dataclass(frozen=True)
class Job:
    """One run of the table."""

    column: str
    row: str
    learning_rate: float
    seed: int

    def config(self) -> Config:
        """Return the configuration of the run."""
        column, (estimator, options) = COLUMNS[self.column], ROWS[self.row]
        own = _ROW_SETTINGS.get(self.row, {})
        settings: dict[str, Any] = {"data": "mnist", **column.settings, **own}
        return Config(
            estimator=estimator,
            options=options,
            steps=column.steps,
            learning_rate=self.learning_rate,
            decay="second-half",
            seed=self.seed,
            **settings,
        )


@dataclass(frozen=True)
class Place:
    """Where the runs are made.

    Attributes:
        folder: of the four MNIST files.
        device: of the model and the images.
        num_samples: of the multi-sample bound on the test images.
    """

    folder: Path
    device: str
    num_samples: int


def run_table(
    record: Path,
    place: Place,
    *,
    columns: tuple[str, ...],
    rows: tuple[str, ...],
    seeds: int,
    jobs: int,
) -> None:
    """Make the runs that a record lacks, several at once, and write each into it as it ends.

    Runs of another configuration stay in the record, and count for nothing here. A signal or an error ends
    the command after the runs at hand, which are recorded; SIGINT after that drops them.

    Args:
        record: JSON file, made if missing.
        place: where the runs are made.
        columns: tasks, of ``COLUMNS``.
        rows: estimators, of ``ROWS``; a task makes those that it compares.
        seeds: how many runs of each are reported, at least 1.
        jobs: how many run at a time.

    Raises:
        ~gumbel_tutorial.vae.runs.signals.Stopped: by SIGINT or SIGTERM; the same command goes on.
        ValueError: an unknown task, estimator or device, a count below 1, a file that is no record, a record
            that another command writes.
        OSError: the record cannot be written.
    """
    columns, rows = tuple(dict.fromkeys(columns)), tuple(dict.fromkeys(rows))
    _check_asked(columns, rows)
    check_count(seeds, "seeds", 1)
    check_count(jobs, "jobs", 1)
    check_count(place.num_samples, "num_samples", 1)
    find_device(place.device)
    with _owned(record), signals.collected() as caught:
        runs = read_record(record)["runs"] if record.exists() else []
        # A record that cannot be written is refused before hours of training, not after.
        write_record(record, runs)

        def keep(run: dict[str, Any]) -> None:
            runs.append(run)
            write_record(record, runs)

        missing = partial(_missing, runs, place, columns, rows, seeds)
        work = partial(run_job, place=place)
        try:
            with workers(jobs) as pools:
                for label, left in missing():
                    finish(left, work, keep, pools=pools, caught=caught, label=label)
        finally:
            # Once more, for a run that did not fit on the disk when it came.
            write_record(record, runs)
        if caught and any(left for _, left in missing()):
            state = f"with {len(runs)} runs in {record}; the same command goes on"
            raise signals.Stopped(caught[0], state)


@contextmanager
def _owned(record: Path) -> Iterator[None]:
    """Keep other commands, which would put back what they have read, from a record."""
    record.parent.mkdir(parents=True, exist_ok=True)
    try:
        held = FileLock(f"{record}.lock", timeout=0).acquire()
    except Timeout:
        raise ValueError(
            f"record must be that of no other running command, got {record}"
        ) from None
    with held:
        yield


def _missing(
    runs: list[dict[str, Any]],
    place: Place,
    columns: tuple[str, ...],
    rows: tuple[str, ...],
    seeds: int,
) -> Iterator[tuple[str, list[Job]]]:
    """Yield what is left of each task, the first seed before the others, whose learning rate it chooses."""
    for column in columns:
        task = COLUMNS[column]
        own = tuple(row for row in rows if row in task.rows)
        first = [Job(column, row, rate, 0) for row in own for rate in task.rates]
        yield f"{column}, first seed", _left(first, runs, place)
        others = _other_seeds(runs, column, own, seeds)
        yield f"{column}, other seeds", _left(others, runs, place)


def _left(asked: list[Job], runs: list[dict[str, Any]], place: Place) -> list[Job]:
    """Return the jobs that no recorded run has done."""
    made = {_job(run) for run in runs if _is_current(run) and _has_samples(run, place)}
    return [job for job in asked if job not in made]


def _other_seeds(
    runs: list[dict[str, Any]], column: str, rows: tuple[str, ...], seeds: int
) -> list[Job]:
    """Return the runs of all seeds but the first, of rows that have a learning rate to run at."""
    rates = {row: best_rate(runs, column, row) for row in rows}
    return [
        Job(column, row, rate, seed)
        for seed in range(1, seeds)
        for row, rate in rates.items()
        if rate is not None
    ]


def _check_asked(columns: tuple[str, ...], rows: tuple[str, ...]) -> None:
    """Require tasks and estimators that there are, and that have something to do with each other."""
    _check_known(columns, COLUMNS, "columns")
    _check_known(rows, ROWS, "rows")
    if not any(row in COLUMNS[column].rows for column in columns for row in rows):
        listed = ", ".join(columns)
        raise ValueError(f"rows must be among those of {listed}, got {', '.join(rows)}")


def _check_known(names: tuple[str, ...], known: Mapping[str, Any], what: str) -> None:
    if not names:
        raise ValueError(f"{what} must be among {', '.join(known)}, got none")
    for name in names:
        if name not in known:
            raise ValueError(f"{what} must be among {', '.join(known)}, got {name!r}")


def best_rate(runs: list[dict[str, Any]], column: str, row: str) -> float | None:
    """Return the learning rate whose run of the first seed has the lowest validation bound.

    Runs of another configuration do not count. None where no run counts, or all diverged.
    """
    first = [
        run
        for run in runs
        if run["column"] == column
        and run["row"] == row
        and run["seed"] == 0
        # A run that diverged has none.
        and run["validation"] is not None
        and _is_current(run)
    ]
    if not first:
        return None
    return min(first, key=lambda run: run["validation"])["learning_rate"]


def _job(run: Mapping[str, Any]) -> Job:
    return Job(*(run[key] for key in _KEYS))


def _is_current(run: Mapping[str, Any]) -> bool:
    """Tell whether a recorded run was made with the configuration that its job has now."""
    job = _job(run)
    known = job.column in COLUMNS and job.row in ROWS
    return known and run["config"] == job.config().as_json()


def _has_samples(run: Mapping[str, Any], place: Place) -> bool:
    """Tell whether the bound of a run has the samples that are asked for, or the run none."""
    return "test" not in run or run["test"]["num_samples"] == place.num_samples


def run_job(job: Job, place: Place) -> dict[str, Any]:
    """Train and evaluate one run, and return what is recorded of it; a run that diverges says so."""
    described, start = machine.describe(), time.perf_counter()
    config, device = job.config(), torch.device(place.device)
    splits = _splits(
        config.data, config.binarisation, config.binarisation_seed, place.folder
    )
    trainer = make_trainer(config, splits.train, device)
    numbers: dict[str, Any]
    try:
        curve = list(_train(trainer, config.steps))
        numbers = _evaluate(trainer, splits, job, place) | {"curve": curve}
    except FloatingPointError as error:
        numbers = {"validation": None, "diverged": str(error)}
    return {
        **asdict(job),
        **numbers,
        "config": config.as_json(),
        "seconds": round(time.perf_counter() - start, 1),
        "machine": described,
    }


def _train(trainer: Trainer, steps: int, points: int = 20) -> Iterator[float]:
    """Take the steps and yield the mean training loss of every twentieth of them."""
    for stretch in range(points):
        length = steps * (stretch + 1) // points - steps * stretch // points
        losses = [trainer.step().loss for _ in range(length)]
        yield round(sum(losses) / length, 3)


def _evaluate(
    trainer: Trainer, splits: Splits, job: Job, place: Place
) -> dict[str, Any]:
    device = trainer.images.pixels.device
    tau = trainer.recipe.temperature(trainer.steps_taken - 1)
    generator = torch.Generator(device).manual_seed(job.seed + 1_000)

    def bounds(images: torch.Tensor, num_samples: int) -> dict[str, Any]:
        found = assess(
            trainer.model,
            images.to(device),
            num_samples=num_samples,
            temperature=tau,
            generator=generator,
        )
        return asdict(found)

    found = {
        "validation": bounds(splits.validation.pixels, 5)["multi_sample"],
        "test": bounds(splits.test.pixels, place.num_samples),
    }
    test = splits.test.to(device)
    return found | trainer.model.metrics(test) | _labels_alone(trainer, job, test)


def _labels_alone(trainer: Trainer, job: Job, test: Images) -> dict[str, float]:
    """Return how well the classifier of a run does with the labels alone, from the same first weights."""
    if trainer.labelled is None:
        return {}
    config, steps = job.config(), 300  # after which no labelled image is wrong
    model = make_model(config).to(trainer.images.pixels.device)
    rate = config.learning_rate
    learn_labels_alone(model, trainer.labelled, steps=steps, learning_rate=rate)
    return {"labels_alone": accuracy(model, test)}


@lru_cache(maxsize=1)
def _splits(data: Data, binarisation: Binarisation, seed: int, folder: Path) -> Splits:
    # Drawn once, and the same for all runs.
    config = Config(data=data, binarisation=binarisation, binarisation_seed=seed)
    return make_splits(config, folder, download=False)


def read_record(path: Path) -> dict[str, Any]:
    """Return a record of the table.

    Raises:
        FileNotFoundError: there is none.
        ValueError: it is no record.
    """
    try:
        record = json.loads(path.read_text())
        record["published"].items()
        for run in record["runs"]:
            _check_run(run)
    except (AttributeError, ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{path} must be a record of the table, got {error}"
        ) from error
    return record


def _check_run(run: Any) -> None:
    """Require what the table reads of a run."""
    for key, kind in _KINDS.items():
        if not isinstance(run[key], kind):
            raise TypeError(f"{key} {run[key]!r} of a run")
    if run["validation"] is not None:
        run["test"]["multi_sample"] + run["test"]["one_sample"]
        run["test"]["num_samples"] + 0
        if run["config"].get("model") == "semi-supervised":
            run["accuracy"] + run["labels_alone"]


def write_record(path: Path, runs: list[dict[str, Any]]) -> None:
    """Write a record whole, in an order of its own."""
    order = sorted(runs, key=lambda run: json.dumps([run[k] for k in _KEYS]))
    content = {"published": PUBLISHED, "runs": order}
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, (json.dumps(content, indent=1) + "\n").encode())


_KEYS = ("column", "row", "learning_rate", "seed")
_KINDS: Mapping[str, Any] = {
    "column": str,
    "row": str,
    "learning_rate": float,
    "seed": int,
    "validation": float | None,
    "config": dict,
}


def current_runs(record: Mapping[str, Any], column: str) -> list[dict[str, Any]]:
    """Return the runs of a task that have its configuration and did not diverge."""
    return [
        run
        for run in record["runs"]
        if run["column"] == column and "test" in run and _is_current(run)
    ]


def collect(
    record: Mapping[str, Any], column: str, read: Callable[[Mapping[str, Any]], float]
) -> dict[str, list[float]]:
    """Return a number of the reported runs of a task: by estimator, one a seed.

    The learning rate is the one with the lowest validation bound at the first seed. Runs that diverged, or
    of another configuration, are left out; of runs that differ in the samples of the bound, the one with
    the most counts.

    Args:
        record: as :func:`read_record` returns it.
        column: the task.
        read: a run of the record to the number, such as :func:`multi_sample`.
    """
    runs = current_runs(record, column)
    numbers: dict[Job, float] = {}
    for run in sorted(runs, key=lambda run: run["test"]["num_samples"]):
        numbers[_job(run)] = read(run)
    found: dict[str, list[float]] = {}
    for job in dict.fromkeys(map(_job, runs)):
        if job.learning_rate == best_rate(runs, column, job.row):
            found.setdefault(job.row, []).append(numbers[job])
    return found


def averages(found: Mapping[str, list[float]]) -> dict[str, float]:
    """Return the means over seeds of what :func:`collect` found, by estimator."""
    return {row: sum(numbers) / len(numbers) for row, numbers in found.items()}


def multi_sample(run: Mapping[str, Any]) -> float:
    """Return the multi-sample bound of a run on the test images."""
    return run["test"]["multi_sample"]


def one_sample(run: Mapping[str, Any]) -> float:
    """Return the one-sample bound of a run on the test images."""
    return run["test"]["one_sample"]


def last_fall(run: Mapping[str, Any]) -> float:
    """Return how far the mean training loss fell from the last but one twentieth of the steps to the last."""
    return run["curve"][-2] - run["curve"][-1]


def percent_right(run: Mapping[str, Any]) -> float:
    """Return the percentage of test images whose class a run with classes found."""
    return 100 * run["accuracy"]


def percent_by_labels(run: Mapping[str, Any]) -> float:
    """Return the percentage that the classifier of such a run finds by the labels alone."""
    return 100 * run["labels_alone"]
