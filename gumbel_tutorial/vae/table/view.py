"""The table as folds over the recorded runs."""

import math
from collections.abc import Callable, Iterable, Mapping
from statistics import fmean
from typing import Any

from gumbel_tutorial.book.statistics import half_width, honest_difference, interval
from gumbel_tutorial.vae.runs.config import from_json
from gumbel_tutorial.vae.table.tasks import (
    COLUMNS,
    PUBLISHED,
    PUBLISHED_CLASSES,
    PUBLISHED_GREY,
    ROWS,
    Choice,
    Job,
)

Run = Mapping[str, Any]

# Of MNIST's splits.
_TRAINING_IMAGES = 50_000
_KEYS = ("column", "row", "learning_rate", "seed")


def job_of(run: Run) -> Job:
    """Return what a recorded run has done."""
    return Job(**{key: run[key] for key in _KEYS}, alpha=run.get("alpha"))


def is_current(run: Run) -> bool:
    """Tell whether a recorded run was made with the configuration that its job has now."""
    job = job_of(run)
    known = job.column in COLUMNS and job.row in ROWS
    return known and from_json(run["config"]) == job.config()


def best_choice(runs: Iterable[Run], column: str, row: str) -> Choice | None:
    """Return the learning rate and weight of the labels that did best at the seeds that choose.

    By the mean over these seeds of what the task chooses by: the bound on validation images, or the share of
    them whose class is wrong. Runs of another configuration do not count, nor does a choice with a seed that
    diverged or is missing. None where no choice counts.
    """
    task = COLUMNS[column]
    found: dict[Choice, dict[int, float]] = {choice: {} for choice in task.choices}
    for run in current_runs(runs, column):
        job = job_of(run)
        asked = job.seed in task.choosing and job.choice in found
        if job.row == row and asked:
            found[job.choice][job.seed] = run[task.chosen_by]
    means = {
        choice: fmean(by_seed.values())
        for choice, by_seed in found.items()
        if len(by_seed) == len(task.choosing)
    }
    return min(means, key=means.__getitem__, default=None)


def best_rate(runs: Iterable[Run], column: str, row: str) -> float | None:
    """Return the learning rate of :func:`best_choice`."""
    best = best_choice(runs, column, row)
    return None if best is None else best[0]


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

    Each estimator with its :func:`best_choice`. Runs that diverged, or of another configuration, are left
    out, and so are seeds that only choose; of runs that differ in the samples of the bound, the one with the
    most counts.

    Args:
        runs: as :func:`~gumbel_tutorial.vae.table.store.read` returns them.
        column: the task.
        read: a run of the record to the number, such as :func:`multi_sample`.
    """
    runs = current_runs(runs, column)
    numbers: dict[Job, float] = {}
    for run in sorted(runs, key=lambda run: run["test"].get("num_samples", 0)):
        numbers[job_of(run)] = read(run)
    rows = dict.fromkeys(job.row for job in numbers)
    best = {row: best_choice(runs, column, row) for row in rows}
    found: dict[str, list[float]] = {}
    for job in dict.fromkeys(map(job_of, runs)):
        if job.choice == best[job.row] and job.seed >= COLUMNS[column].first:
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


def grey_loss(run: Run) -> float:
    """Return what stands in place of the one-sample bound of a run on grey test images."""
    return run["test"]["grey_loss"]


def step_milliseconds(run: Run) -> float:
    """Return the processor's time for a step of training of a run on grey pixels."""
    return 1000 * run["step_seconds"]


def passes(column: str) -> int:
    """Return how often the runs of a task see each of MNIST's training images."""
    task = COLUMNS[column]
    batch_size = Job(column, task.rows[0], task.rates[0], 0).config().batch_size
    return task.steps * batch_size // _TRAINING_IMAGES


def late_fall(run: Run) -> float:
    """Return how far the mean training loss fell per pass over the images, just before the rate falls.

    From the ninth to the tenth twentieth of the steps: later the loss rests because the learning rate does.
    """
    return 20 * (run["curve"][8] - run["curve"][9]) / passes(run["column"])


def rate_gains(runs: Iterable[Run], column: str) -> dict[str, float]:
    """Return by how much the larger learning rate lowers the validation bound, by estimator.

    At the first seed; negative where the smaller rate is better. For tasks that choose no other setting.
    """
    found: dict[str, dict[float, float]] = {}
    for run in current_runs(runs, column):
        if run["seed"] == 0:
            rates = found.setdefault(run["row"], {})
            rates[run["learning_rate"]] = run["validation"]
    return {
        row: rates[min(rates)] - rates[max(rates)]
        for row, rates in found.items()
        if len(rates) > 1
    }


def leading(found: Mapping[str, list[float]]) -> list[str]:
    """Return the rows that the runs do not tell from the best, by name.

    They are less than :func:`~gumbel_tutorial.book.statistics.honest_difference` behind it.

    Args:
        found: as :func:`collect` returns it, as many runs of each row.
    """
    means, apart = averages(found), honest_difference([*found.values()])
    return sorted(row for row in means if means[row] < min(means.values()) + apart)


def compare(runs: Iterable[Run], *columns: str) -> tuple[list[list[str]], list[str]]:
    """Return the lines of a table of tasks, and its header.

    For each task the means over seeds of both bounds, before those of a thousand codes the published number
    in brackets; and in a last line the honest differences from which on two rows are told apart.

    Args:
        runs: as :func:`~gumbel_tutorial.vae.table.store.read` returns them.
        columns: tasks that compare the same estimators.
    """
    runs, header, cells = list(runs), ["estimator"], []
    for column in columns:
        for name, read in (("a thousand", multi_sample), ("one", one_sample)):
            found = collect(runs, column, read)
            published = PUBLISHED[column] if read is multi_sample else {}
            header.append(f"{column}, {name}")
            cells.append(_cells(found, published))
    rows = [*COLUMNS[columns[0]].rows, "told apart from"]
    return [[row, *(made[row] for made in cells)] for row in rows], header


def _cells(
    found: Mapping[str, list[float]], published: Mapping[str, float]
) -> dict[str, str]:
    made = {row: f"{mean:.1f}" for row, mean in averages(found).items()}
    for row, number in published.items():
        made[row] = f"({number}) {made[row]}"
    return made | _told_apart_from(found)


def _told_apart_from(found: Mapping[str, list[float]]) -> dict[str, str]:
    # Rounded up: what is said to be told apart is.
    apart = math.ceil(10 * honest_difference([*found.values()])) / 10
    return {"told apart from": f"{apart:.1f}"}


def complete(found: Mapping[str, list[float]]) -> dict[str, list[float]]:
    """Return what :func:`collect` found of the first seeds alone, as many as every row in it has."""
    least = min(map(len, found.values()))
    return {row: numbers[:least] for row, numbers in found.items()}


def compare_grey(runs: Iterable[Run]) -> tuple[list[list[str]], list[str]]:
    """Return the lines of a table of the tasks on grey pixels, and its header.

    For each task the published number in brackets, the means over :func:`complete` seeds of the loss on test
    images with the half width of Student's interval, where runs of the row are recorded, and the
    milliseconds of a step; in a last line the honest differences from which on two rows are told apart.

    Args:
        runs: as :func:`~gumbel_tutorial.vae.table.store.read` returns them.
    """
    runs, header, cells = list(runs), ["estimator"], []
    for column, published in PUBLISHED_GREY.items():
        found = complete(collect(runs, column, grey_loss))
        made = {row: f"({number})" for row, number in published.items()}
        for row, numbers in found.items():
            made[row] = f"{made[row]} {interval(numbers)}"
        costs = averages(collect(runs, column, step_milliseconds))
        header += [column.removeprefix("Grey VAE ").strip("()").replace("x", "×"), "ms"]
        cells += [made | _told_apart_from(found)]
        cells += [{row: f"{cost:.0f}" for row, cost in costs.items()}]
    rows = [*COLUMNS[column].rows, "told apart from"]
    return [[row, *(made.get(row, "") for made in cells)] for row in rows], header


def percent_right(run: Run) -> float:
    """Return the percentage of test images whose class a run with classes found."""
    return 100 * run["accuracy"]


def percent_by_labels(run: Run) -> float:
    """Return the percentage that the classifier of such a run finds by the labels alone."""
    return 100 * run["labels_alone"]


def compare_published(runs: Iterable[Run]) -> tuple[list[list[str]], list[str]]:
    """Return the lines of the table of the published task with classes, and its header.

    For each estimator the one-sample bound and the percentage right, with Student's intervals, and beside
    either the published number where there is one.
    """
    runs, column = list(runs), "Semi-supervised"
    bounds, shares = (
        collect(runs, column, read) for read in (one_sample, percent_right)
    )
    lines = []
    for row in COLUMNS[column].rows:
        bound, share = map(str, PUBLISHED_CLASSES.get(row, ("", "")))
        lines.append([row, interval(bounds[row]), bound, interval(shares[row]), share])
    header = ["estimator", "bound, nats", "their bound", "right of 100", "their right"]
    return lines, header


def decodings(run: Run) -> float:
    """Return how often the decoder ran for an image without a label, the mean over the training."""
    return fmean(run["decoded"])


def behind(found: Mapping[str, list[float]], first: str) -> dict[str, list[float]]:
    """Return how far the other rows are behind one of them, seed by seed.

    Args:
        found: as :func:`collect` returns it, the same seeds of each row.
        first: the row to compare with.
    """
    return {
        row: [best - own for best, own in zip(found[first], numbers, strict=True)]
        for row, numbers in found.items()
        if row != first
    }


def at_once(comparisons: int) -> float:
    """Return the confidence of each of several intervals that hold at once with 95 percent: Bonferroni's."""
    return 1 - 0.05 / comparisons


def lost_classes(runs: Iterable[Run], column: str) -> dict[str, list[float]]:
    """Return how many more of a hundred images the first estimator has right than each other, by seed.

    The last row, ``"labels alone"``, is of a classifier that saw no other image.
    """
    return behind(_shares(list(runs), column), COLUMNS[column].rows[0])


def _shares(runs: list[Run], column: str) -> dict[str, list[float]]:
    """Return the percentages right of a task with classes by estimator, and those by the labels alone."""
    by_labels = collect(runs, column, percent_by_labels)[COLUMNS[column].rows[0]]
    return collect(runs, column, percent_right) | {"labels alone": by_labels}


def told_apart(lost: Mapping[str, list[float]]) -> set[str]:
    """Return the rows of :func:`behind` whose interval, of those that hold at once, leaves out zero."""
    confidence = at_once(len(lost))
    return {
        row
        for row, less in lost.items()
        if abs(fmean(less)) > half_width(less, confidence=confidence)
    }


def compare_classes(
    runs: Iterable[Run], column: str
) -> tuple[list[list[str]], list[str]]:
    """Return the lines of a table of a task with classes, and its header.

    For each estimator the weight of the labels that was chosen; how often the decoder ran for an image; of a
    hundred test images those whose class is right; and how many more the first estimator has right, seed by
    seed, its intervals widened to hold for all estimators at once. A last line is of the labels alone.
    """
    runs, rows = list(runs), COLUMNS[column].rows
    right, cost = _shares(runs, column), averages(collect(runs, column, decodings))
    lost = behind(right, rows[0])
    confidence = at_once(len(lost))
    lines = []
    for row in (*rows, "labels alone"):
        best = best_choice(runs, column, row)
        lines.append(
            [
                row,
                "" if best is None else f"{best[1]:g}",
                f"{cost[row]:.2f}" if row in cost else "",
                interval(right[row]),
                interval(lost[row], confidence=confidence) if row in lost else "",
            ]
        )
    return lines, ["estimator", "α", "decodings", "right of 100", "behind the first"]
