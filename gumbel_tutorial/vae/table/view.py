"""The table as folds over the recorded runs."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from gumbel_tutorial.vae.runs.config import from_json
from gumbel_tutorial.vae.table.tasks import COLUMNS, ROWS, Job

Run = Mapping[str, Any]

_KEYS = ("column", "row", "learning_rate", "seed")


def job_of(run: Run) -> Job:
    """Return what a recorded run has done."""
    return Job(*(run[key] for key in _KEYS))


def is_current(run: Run) -> bool:
    """Tell whether a recorded run was made with the configuration that its job has now."""
    job = job_of(run)
    known = job.column in COLUMNS and job.row in ROWS
    return known and from_json(run["config"]) == job.config()


def best_rate(runs: Iterable[Run], column: str, row: str) -> float | None:
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
        and is_current(run)
    ]
    if not first:
        return None
    return min(first, key=lambda run: run["validation"])["learning_rate"]


def current_runs(runs: Iterable[Run], column: str) -> list[Run]:
    """Return the runs of a task that have its configuration and did not diverge."""
    return [
        run
        for run in runs
        if run["column"] == column and "test" in run and is_current(run)
    ]


def collect(
    runs: Iterable[Run], column: str, read: Callable[[Run], float]
) -> dict[str, list[float]]:
    """Return one number per reported run of a task: by estimator, one per seed.

    The learning rate is the one with the lowest validation bound at the first seed. Runs that diverged, or
    of another configuration, are left out; of runs that differ in the samples of the bound, the one with
    the most counts.

    Args:
        runs: as :func:`~gumbel_tutorial.vae.table.store.read` returns them.
        column: the task.
        read: a run of the record to the number, such as :func:`multi_sample`.
    """
    runs = current_runs(runs, column)
    numbers: dict[Job, float] = {}
    for run in sorted(runs, key=lambda run: run["test"]["num_samples"]):
        numbers[job_of(run)] = read(run)
    found: dict[str, list[float]] = {}
    for job in dict.fromkeys(map(job_of, runs)):
        if job.learning_rate == best_rate(runs, column, job.row):
            found.setdefault(job.row, []).append(numbers[job])
    return found


def averages(found: Mapping[str, list[float]]) -> dict[str, float]:
    """Return the means over seeds of what :func:`collect` found, by estimator."""
    return {row: sum(numbers) / len(numbers) for row, numbers in found.items()}


def multi_sample(run: Run) -> float:
    """Return the multi-sample bound of a run on the test images."""
    return run["test"]["multi_sample"]


def one_sample(run: Run) -> float:
    """Return the one-sample bound of a run on the test images."""
    return run["test"]["one_sample"]


def last_fall(run: Run) -> float:
    """Return how far the mean training loss fell between the last two twentieths of the steps."""
    return run["curve"][-2] - run["curve"][-1]


def percent_right(run: Run) -> float:
    """Return the percentage of test images whose class a run with classes found."""
    return 100 * run["accuracy"]


def percent_by_labels(run: Run) -> float:
    """Return the percentage that the classifier of such a run finds by the labels alone."""
    return 100 * run["labels_alone"]
