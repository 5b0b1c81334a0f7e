"""The runs of the table: every estimator on every task, what is chosen of it chosen on validation images.

The first seeds run at every learning rate and weight of the labels of the task; the others at those that did
best on validation images, a seed on all tasks before the next. A run that the record holds is not made again,
so the command can be stopped and repeated, and one that is cut short has whole seeds.
"""

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from functools import lru_cache, partial
from itertools import product
from pathlib import Path
from threading import Thread
from typing import Any

import joblib
import torch
from tqdm import tqdm

from gumbel_tutorial.book import machine
from gumbel_tutorial.checks import check_count
from gumbel_tutorial.vae.data.images import Splits
from gumbel_tutorial.vae.models.counting import Rows, counted_rows
from gumbel_tutorial.vae.models.semi_supervised import SemiSupervisedVAE
from gumbel_tutorial.vae.runs import signals
from gumbel_tutorial.vae.runs.build import make_model, make_splits, make_trainer
from gumbel_tutorial.vae.runs.config import Binarisation, Config
from gumbel_tutorial.vae.runs.lock import held
from gumbel_tutorial.vae.table import store
from gumbel_tutorial.vae.table.tasks import COLUMNS, ROWS, Job
from gumbel_tutorial.vae.table.view import best_choice, is_current, job_of
from gumbel_tutorial.vae.training.device import find_device
from gumbel_tutorial.vae.training.evaluation import (
    accuracy,
    assess,
    discrete_loss,
    learn_labels_alone,
)
from gumbel_tutorial.vae.training.trainer import Trainer


@dataclass(frozen=True)
class Place:
    """Where the runs are made.

    Attributes:
        folder: folder with the four MNIST files.
        device: device of the model and the images.
        num_samples: samples of the multi-sample bound on the test images.
    """

    folder: Path
    device: str
    num_samples: int


def make_runs(
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
    the command at once; the record then holds all runs that had ended, and those at hand are made again.

    Args:
        record: folder of the runs, made if missing.
        place: where the runs are made.
        columns: tasks, of ``COLUMNS``.
        rows: estimators, of ``ROWS``; a task makes those that it compares.
        seeds: how many runs of each are reported, at least 1.
        jobs: how many run at a time.

    Raises:
        ~gumbel_tutorial.vae.runs.signals.Stopped: by SIGINT, SIGTERM or SIGHUP; the same command goes on.
        ValueError: an unknown task, estimator or device, a count below 1, a file that holds no run, a record
            that another command writes.
        OSError: the record cannot be written.
    """
    columns, rows = tuple(dict.fromkeys(columns)), tuple(dict.fromkeys(rows))
    _check_asked(columns, rows)
    check_count(seeds, "seeds", 1)
    check_count(jobs, "jobs", 1)
    check_count(place.num_samples, "num_samples", 1)
    find_device(place.device)
    record.mkdir(parents=True, exist_ok=True)
    state = f"with the finished runs in {record}; the same command goes on"
    # Taking the lock also shows, before hours of training, whether the folder can be written to.
    with held(record, "record"), signals.raised(state):
        runs = store.read(record)
        for label, left in _missing(runs, place, columns, rows, seeds):
            for made in _make(left, place, jobs, label):
                store.write(record, made)
                runs.append(made)


def _make(
    left: Sequence[Job], place: Place, jobs: int, label: str
) -> Iterator[dict[str, Any]]:
    """Yield the runs of some jobs as they end."""
    if not left:
        return
    # One job at a time is done in this process, and more in others, which end with it.
    pool = joblib.Parallel(
        n_jobs=jobs,
        return_as="generator_unordered",
        initializer=_end_with,
        initargs=(os.getpid(),),
    )
    work = (joblib.delayed(_alone)(job, job.config(), place) for job in left)
    yield from tqdm(pool(work), total=len(left), desc=label, disable=None)


def _alone(job: Job, config: Config, place: Place) -> dict[str, Any]:
    """Make a run with one thread: jobs side by side use the cores better than one job on all of them."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return make_run(job, config, place)
    finally:
        torch.set_num_threads(threads)


def _end_with(parent: int) -> None:
    """Let this process end with the one that started it, however that ends."""
    Thread(target=_end_after, args=(parent,), daemon=True).start()


def _end_after(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


def _missing(
    runs: list[dict[str, Any]],
    place: Place,
    columns: tuple[str, ...],
    rows: tuple[str, ...],
    seeds: int,
) -> Iterator[tuple[str, list[Job]]]:
    """Yield what is left of all tasks, the seeds that choose before those that are reported, one by one."""
    for column in columns:
        first = [
            Job(column, row, rate, seed, alpha)
            for seed in COLUMNS[column].choosing
            for row in _own(rows, column)
            for rate, alpha in COLUMNS[column].choices
        ]
        yield f"{column}, choice", _left(first, runs, place)
    for count, column in product(range(1, seeds + 1), columns):
        reported = _reported(runs, column, _own(rows, column), count)
        yield f"{column}, seeds {count} of {seeds}", _left(reported, runs, place)


def _own(rows: tuple[str, ...], column: str) -> tuple[str, ...]:
    """Return those of some estimators that a task compares."""
    return tuple(row for row in rows if row in COLUMNS[column].rows)


def _left(asked: list[Job], runs: list[dict[str, Any]], place: Place) -> list[Job]:
    """Return the jobs that no recorded run has done."""
    made = {job_of(run) for run in runs if is_current(run) and _has_samples(run, place)}
    return [job for job in asked if job not in made]


def _has_samples(run: Mapping[str, Any], place: Place) -> bool:
    """Tell whether a run's bound was measured with the requested samples, or the run has no bound."""
    asked = place.num_samples
    return run.get("test", {}).get("num_samples", asked) == asked


def _reported(
    runs: list[dict[str, Any]], column: str, rows: tuple[str, ...], seeds: int
) -> list[Job]:
    """Return the runs to report, seed by seed, of rows that have a choice to run at."""
    best = {row: best_choice(runs, column, row) for row in rows}
    return [
        Job(column, row, choice[0], seed, choice[1])
        for seed in COLUMNS[column].reported(seeds)
        for row, choice in best.items()
        if choice is not None
    ]


def _check_asked(columns: tuple[str, ...], rows: tuple[str, ...]) -> None:
    """Check that the tasks and estimators exist, and that one of these belongs to one of those."""
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


def make_run(job: Job, config: Config, place: Place) -> dict[str, Any]:
    """Train and evaluate one run, and return what is recorded of it; a run that diverges says so."""
    described, start = machine.describe(), time.perf_counter()
    drawn = config.binarisation, config.binarisation_seed
    splits = read_splits(config.data, *drawn, place.folder, pooling=config.pooling)
    trainer = make_trainer(config, splits.train, torch.device(place.device))
    numbers: dict[str, Any]
    try:
        evaluated = _on_grey if config.binarisation == "grey" else _on_binary
        numbers = evaluated(trainer, splits, config, place)
    except FloatingPointError as error:
        numbers = {"validation": None, "diverged": str(error)}
    return {
        **asdict(job),
        **numbers,
        "config": config.as_json(),
        "seconds": round(time.perf_counter() - start, 1),
        "machine": described,
    }


def _on_binary(
    trainer: Trainer, splits: Splits, config: Config, place: Place
) -> dict[str, Any]:
    """Train, and return the bounds, and the training loss of every twentieth of the steps."""
    curves = _train(trainer, config.steps)
    found = _evaluate(trainer, splits, config, place)
    return found | _of_labels(trainer, config, splits) | curves


def _on_grey(
    trainer: Trainer, splits: Splits, config: Config, _: Place
) -> dict[str, Any]:
    """Train, and return the losses, which are no bounds, with both curves.

    They have a point after the first pass over the images, and then one after every half.
    """
    device = trainer.images.pixels.device
    generator = torch.Generator(device).manual_seed(config.seed + 1_000)
    loss = partial(discrete_loss, trainer.model, generator=generator)
    curve, validations, spent = [], [], 0.0
    each = len(trainer.images.pixels) // config.batch_size
    while trainer.steps_taken < config.steps:
        length = max(1, each if trainer.steps_taken < each else each // 2)
        length = min(length, config.steps - trainer.steps_taken)
        start = time.process_time()  # of the processor: a busy machine is no slower
        curve += _train(trainer, length, points=1)["curve"]
        spent += time.process_time() - start
        validations.append(loss(splits.validation))
    return {
        "validation": validations[-1],
        "test": {"grey_loss": loss(splits.test)},
        **trainer.model.metrics(splits.test.to(device)),
        "curve": curve,
        "validation_curve": validations,
        "step_seconds": spent / trainer.steps_taken,
    }


def _train(trainer: Trainer, steps: int, points: int = 20) -> dict[str, list[float]]:
    """Take the steps, and return the mean training loss of every twentieth of them.

    Of a model that learns from labels also how often the decoder ran for an image without one.
    """
    curve, decoded = [], []
    for stretch in range(points):
        length = steps * (stretch + 1) // points - steps * stretch // points
        with _decoded(trainer) as rows:
            losses = [trainer.step().loss for _ in range(length)]
        curve.append(round(sum(losses) / length, 3))
        decoded.append(round(_per_image(rows.count, trainer, length), 3))
    return {"curve": curve} | ({} if trainer.labelled is None else {"decoded": decoded})


def _decoded(trainer: Trainer) -> AbstractContextManager[Rows]:
    """Count what a semi-supervised model's decoder returns."""
    model = trainer.model
    if isinstance(model, SemiSupervisedVAE):
        return counted_rows(model.decoder)
    return nullcontext(Rows())


def _per_image(count: int, trainer: Trainer, steps: int) -> float:
    """Return the decoder's rows for each image without a label: those with one are decoded once a step."""
    with_label = trainer.labelled_batch()
    count -= steps * (0 if with_label is None else len(with_label.pixels))
    return count / (steps * trainer.recipe.batch_size)


def _evaluate(
    trainer: Trainer, splits: Splits, config: Config, place: Place
) -> dict[str, Any]:
    device = trainer.images.pixels.device
    assessed = partial(
        assess,
        trainer.model,
        temperature=trainer.recipe.temperature(trainer.steps_taken - 1),
        generator=torch.Generator(device).manual_seed(config.seed + 1_000),
    )
    validation = assessed(splits.validation, num_samples=5).multi_sample
    test = asdict(assessed(splits.test, num_samples=place.num_samples))
    metrics = trainer.model.metrics(splits.test.to(device))
    return {"validation": validation, "test": test} | metrics


def _of_labels(trainer: Trainer, config: Config, splits: Splits) -> dict[str, float]:
    """Return the share of validation images that a classifier gets wrong, and what labels alone give it.

    That is the share of right test images after training on the labels alone, from the same first weights.
    """
    if trainer.labelled is None:
        return {}
    validation, test = (
        images.to(trainer.images.pixels.device)
        for images in (splits.validation, splits.test)
    )
    wrong = 1 - accuracy(trainer.model, validation)
    model = make_model(config, test.pixels.shape[1]).to(test.pixels.device)
    steps = 300  # no labelled image is wrong then
    rate = config.learning_rate
    learn_labels_alone(model, trainer.labelled, steps=steps, learning_rate=rate)
    return {"validation_wrong": wrong, "labels_alone": accuracy(model, test)}


@lru_cache(maxsize=1)
def read_splits(
    data: str,
    binarisation: Binarisation,
    seed: int,
    folder: Path,
    *,
    pooling: int = 1,
) -> Splits:
    """Return the images of a task: drawn once, and the same for all runs."""
    config = Config(
        data=data,
        binarisation=binarisation,
        binarisation_seed=seed,
        pooling=pooling,
    )
    return make_splits(config, folder, download=False)
