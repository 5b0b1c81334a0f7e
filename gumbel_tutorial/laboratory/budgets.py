"""What recorded moments of estimators are worth at a budget of time, at fitted and at shared settings."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from gumbel_tutorial.laboratory.measurement import progress

Row = Mapping[str, Any]

# What each of these costs was measured under another name.
_SAME_PRICE = {
    "mean field": "straight-through",
    "constant baseline": "REINFORCE",
    "ARM": "RLOO, 2",
    "DisARM": "RLOO, 2",
}
_UNIT = "REINFORCE"
_UNBIASED = {
    *("REINFORCE", "constant baseline", "RLOO", "unordered set", "MuProp"),
    *("REBAR", "RELAX", "ARM", "DisARM"),
}
_DRAWS_NOTHING = {"mean field"}
_SETTINGS = ("forward_temperature", "temperature", "gap", "num_samples")


class Budgets:
    """Progress of a step by budget, in units of one REINFORCE estimate.

    Args:
        moments: for each problem the rows of the record `progress`, one for each estimator and setting.
        times: time of one estimate by label, one price list of the record `estimators`.

    Examples:
        >>> row = {"estimator": "RLOO", "num_samples": 2, "along": 1.0, "squared_error": 6.0, "variance": 6.0}
        >>> lab = Budgets({"toy": [row]}, {"REINFORCE": 1.0, "RLOO, 2 samples": 2.0})
        >>> lab.worth(row, 4)  # two estimates: a variance of 3 in their mean
        0.25
    """

    def __init__(
        self, moments: Mapping[str, Sequence[Row]], times: Mapping[str, float]
    ) -> None:
        self.moments = moments
        self.times = times

    def price(self, row: Row) -> float:
        """Return the time of one estimate in units of REINFORCE."""
        name: str = row["estimator"]
        label = _SAME_PRICE.get(name, name)
        if "num_samples" in row:
            label += f", {row['num_samples']:.0f}"
        found = next(t for key, t in self.times.items() if key.startswith(label))
        return found / self.times[_UNIT]

    def worth(self, row: Row, budget: float) -> float:
        """Return the progress of a setting within a budget, 0 if it does not afford one estimate."""
        count = budget / self.price(row)
        figures = (row["along"], row["squared_error"], row["variance"])
        return progress(*figures, count) if count >= 1 else 0.0

    def fitted(self, key: str, budget: float) -> dict[str, float]:
        """Return the progress of every estimator on a problem, each at its best setting for it."""
        best: dict[str, float] = {}
        for row in self.moments[key]:
            name = row["estimator"]
            best[name] = max(best.get(name, 0.0), self.worth(row, budget))
        return best

    def average(self, keys: Iterable[str], budget: float) -> dict[str, float]:
        """Return the mean of :meth:`fitted` over problems, of the estimators that all of them have."""
        scores = [self.fitted(key, budget) for key in keys]
        common = [name for name in scores[0] if all(name in score for score in scores)]
        return {
            name: sum(score[name] for score in scores) / len(scores) for name in common
        }

    def leaders(
        self, keys: Iterable[str], budget: float
    ) -> tuple[tuple[str, float], tuple[str, float]]:
        """Return the best of the biased and of the unbiased that draw, with their mean progress."""
        scores = self.average(keys, budget)
        unbiased = scores.keys() & _UNBIASED
        biased = scores.keys() - _UNBIASED - _DRAWS_NOTHING
        first, second = (max(n, key=lambda k: scores[k]) for n in (biased, unbiased))
        return (first, scores[first]), (second, scores[second])

    def shared(
        self, name: str, keys: Sequence[str], budget: float
    ) -> tuple[float, str]:
        """Return the mean progress at the one setting that serves the problems best, and the setting."""
        totals: dict[str, float] = {}
        for row in (row for key in keys for row in self.moments[key]):
            if row["estimator"] == name:
                setting = ", ".join(f"{row[k]:g}" for k in _SETTINGS if k in row)
                worth = self.worth(row, budget) / len(keys)
                totals[setting] = totals.get(setting, 0.0) + worth
        best = max(totals, key=lambda setting: totals[setting])
        return totals[best], best
