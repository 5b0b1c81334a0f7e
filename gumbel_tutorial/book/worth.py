"""The record of class draws as curves: what a step costs, and what its gradient is worth, against K."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from gumbel_tutorial.book import plots
from gumbel_tutorial.book.statistics import half_width
from gumbel_tutorial.checks import refuse

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Record = Mapping[str, Mapping[str, Any]]
#: What the chart of costs shows.
SHOWN = ("sum", "sparse, 4 classes", "MVE", "RLOO", "Gumbel-Softmax")


def costs(measured: Record, key: str = "milliseconds") -> dict[str, np.ndarray]:
    """Return what a step costs, by estimator, each an entry for each number of classes.

    Args:
        measured: ``costs`` of the record: by number of classes and estimator.
        key: ``"milliseconds"``, or ``"decoded"`` for the decoder's evaluations per image.

    Returns:
        Shape ``(n,)`` each, NaN where an estimator was not measured.

    Examples:
        >>> costs({"10": {"sum": {"milliseconds": 4.0}}, "30": {"sum": {"milliseconds": 9.0}}})
        {'sum': array([4., 9.])}
    """
    names = dict.fromkeys(name for row in measured.values() for name in row)
    return {
        name: np.array(
            [row.get(name, {}).get(key, np.nan) for row in measured.values()]
        )
        for name in names
    }


def work(measured: Record, stage: str, name: str) -> np.ndarray:
    """Return the variance of a gradient times the milliseconds that it takes, shape ``(n, blocks)``.

    In a given time so many gradients can be averaged that the variance of their mean is in proportion to this
    number. Source: Glynn and Whitt (1992).

    Args:
        measured: ``worth`` of the record: by number of classes and stage of the training.
        stage: its number of steps.
        name: the estimator.

    Examples:
        >>> of_sum = {"milliseconds": 2.0, "variances": [3.0, 5.0]}
        >>> work({"10": {"100": {"estimators": {"sum": of_sum}}}}, "100", "sum")
        array([[ 6., 10.]])
    """
    found = [row[stage]["estimators"][name] for row in measured.values()]
    return np.array([row["milliseconds"] * np.array(row["variances"]) for row in found])


def work_ratios(measured: Record, name: str = "RLOO") -> dict[str, np.ndarray]:
    """Return the :func:`work` of an estimator over that of the sum, by stage, shape ``(n, blocks)`` each.

    Both saw the same images in a block, so a ratio is taken in each.
    """
    stages = next(iter(measured.values()))
    return {
        stage: work(measured, stage, name) / work(measured, stage, "sum")
        for stage in stages
    }


def counts(measured: Record) -> np.ndarray:
    """Return the numbers of classes that were measured, shape ``(n,)``."""
    return np.array([int(count) for count in measured])


def crossing(counts: ArrayLike, above: ArrayLike, below: ArrayLike) -> float:
    """Return the number of classes at which one curve comes to lie above another, on logarithmic axes.

    Args:
        counts: numbers of classes, ascending, shape ``(n,)``.
        above: the curve that lies above at the end, positive.
        below: the other, below it at the end and above it before, in this order.

    Raises:
        ValueError: curves that do not cross once, that way.

    Examples:
        >>> round(crossing([1, 100], [1.0, 100.0], [10.0, 10.0]), 6)
        10.0
    """
    lead = np.log(np.asarray(above) / np.asarray(below))
    ahead = lead > 0
    if np.diff(ahead).sum() != 1 or not ahead[-1]:
        refuse("above", "come to lie above once", ahead.tolist())
    last = int(np.flatnonzero(~ahead)[-1])
    pair = slice(last, last + 2)
    return float(np.exp(np.interp(0.0, lead[pair], np.log(np.asarray(counts)[pair]))))


def crossings(results: Mapping[str, Record]) -> dict[str, float]:
    """Return at how many classes curves of the record cross.

    ``"MVE"``: from there on its step takes longer than that of the sum. A stage of the training: from there
    on RLOO is worth more per second than the sum.
    """
    times = costs(results["costs"])
    classes = counts(results["costs"])
    found = {"MVE": crossing(classes, times["MVE"], times["sum"])}
    for stage, ratio in work_ratios(results["worth"]).items():
        means = ratio.mean(1)
        found[stage] = crossing(counts(results["worth"]), np.ones_like(means), means)
    return found


def draw(axes: "Sequence[Axes]", results: Mapping[str, Record]) -> None:
    """Draw what steps cost against the number of classes, and beside it the work of RLOO over the sum's.

    Circles are where :func:`crossings` says.
    """
    times = costs(results["costs"])
    left, right = axes
    shown = {name: times[name] for name in SHOWN}
    plots.curves(left, counts(results["costs"]), shown, labelled=False)
    ratios = work_ratios(results["worth"])
    classes = counts(results["worth"])
    means = {f"{stage} steps": ratio.mean(1) for stage, ratio in ratios.items()}
    plots.curves(right, classes, means, labelled=False)
    for ratio in ratios.values():
        widths = [half_width(blocks) for blocks in ratio]
        right.errorbar(
            classes, ratio.mean(1), widths, fmt="none", ecolor="0.4", capsize=3
        )
    right.axhline(1, color="0.6", linewidth=0.8)
    solved, *meet = crossings(results).values()
    of_sum = np.log(counts(results["costs"])), np.log(times["sum"])
    height = np.exp(np.interp(np.log(solved), *of_sum))
    for ax, x, y in ((left, [solved], [height]), (right, meet, np.ones(len(meet)))):
        ax.plot(x, y, "o", color="0.3", fillstyle="none", markersize=9)
    for ax, label in ((left, "milliseconds"), (right, "work, RLOO / sum")):
        ax.set(xlabel="classes $K$", ylabel=label, xscale="log", yscale="log")
        ax.legend(fontsize="small")
    # Room for the names above the curves.
    left.set_ylim(top=20 * times["sum"].max())
