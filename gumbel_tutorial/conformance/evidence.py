"""Evidence against a law: test martingales, which may be looked at after every draw."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import gammaln, xlogy

# How strongly a Dirichlet law holds that the frequencies are those of the law, in draws: from 4 to 10^6.
_CONCENTRATIONS = 4.0 ** np.arange(1, 11)
# Draws of a group over the urn's concentration; of these draws it repeats about 19 %, 6 % and 1.5 %.
_EXPECTED_REPEATS = np.array([0.5, 0.125, 0.03125])
# Keeps the standard error of a cell without mass from being 0.
_LEAST_SPREAD = 1e-300
# Of two standard deviations, the rounding.
_TIE = 1e-9


class Martingale(ABC):
    """A bet against the law: its value begins at 1 and, under the law, never rises on average.

    Attributes:
        name: what it looks at, for a sentence.
    """

    name: str

    @abstractmethod
    def update(self, draws: np.ndarray) -> None:
        """Take more draws into account."""

    @property
    @abstractmethod
    def log_value(self) -> float:
        """The logarithm of the value now."""

    @abstractmethod
    def sentence(self) -> str:
        """Say what of the draws lies farthest from the law."""


class CellBets(Martingale):
    r"""Bets on counts of cells, whose probabilities under the law are known.

    The average of likelihood ratios to the law p: of Dirichlet-multinomial laws $\mathrm{Dir}(c\,p)$, which
    know that frequencies differ from p by about $\sqrt{p/c}$ and not in which direction, of the
    Dirichlet-multinomial law $\mathrm{Dir}(\tfrac12, \dots, \tfrac12)$ of Jeffreys, which takes any law for
    possible, and of the laws that known faults lead to.

    Args:
        name: what it looks at.
        probs: float64, shape ``(cells,)``, of a law or at least as large as those of each of several laws.
        cells: the cells of an array of draws; by default the draws themselves.
        faults: by what is wrong, as "it divided twice", the probabilities to which that leads.
        labels: names of the cells, for a sentence.
    """

    def __init__(
        self,
        name: str,
        probs: np.ndarray,
        *,
        cells: Callable[[np.ndarray], np.ndarray] | None = None,
        faults: Mapping[str, np.ndarray] | None = None,
        labels: Sequence[str] = (),
    ) -> None:
        self.name = name
        self.probs = np.asarray(probs, dtype=float)
        self.counts = np.zeros(len(self.probs), dtype=np.int64)
        self._cells = cells
        self._faults, self._labels = dict(faults or {}), labels

    def update(self, draws: np.ndarray) -> None:
        """Count the cells of more draws."""
        cells = draws if self._cells is None else self._cells(draws)
        self.counts += np.bincount(cells.reshape(-1), minlength=len(self.counts))

    @property
    def log_value(self) -> float:
        """The logarithm of the average of all ratios."""
        by_law = self._by_law()
        if by_law == -math.inf:
            return math.inf
        ratios = [*self._dirichlet_laws(), *self._known_laws().values()]
        return _log_average(ratios) - by_law

    def _by_law(self) -> float:
        """Return the logarithm of the probability of the draws under the law."""
        return float(xlogy(self.counts, self.probs).sum())

    def _dirichlet_laws(self) -> list[float]:
        possible = self.probs > 0
        counts, probs = self.counts[possible], self.probs[possible]
        near = log_dirichlet(counts, _CONCENTRATIONS[:, None] * probs)
        return [*near, log_dirichlet(counts, np.full(len(counts), 0.5))]

    def _known_laws(self) -> dict[str, float]:
        laws = self._faults.items()
        return {name: float(xlogy(self.counts, law).sum()) for name, law in laws}

    def clears(self, miss: float) -> bool:
        """Tell whether the draws rule out all known faults, each by mistake with this probability at most.

        Under a fault it is the ratio of the law to it whose mean is 1, and Ville's inequality bounds that.

        Args:
            miss: the probability, positive.
        """
        known = self._known_laws().values()
        return max(known) - self._by_law() <= math.log(miss)

    def sentence(self) -> str:
        """Say which cell lies farthest from its expected count, and to which fault the counts are nearest."""
        total = self.counts.sum()
        expected = total * self.probs
        spread = np.sqrt(np.maximum(expected * (1 - self.probs), _LEAST_SPREAD))
        far = np.abs(self.counts - expected) / spread
        # Of two cells, which lie equally far, the rarer one says more.
        farthest = np.flatnonzero(far >= far.max() * (1 - _TIE))
        worst = int(farthest[np.argmin(self.probs[farthest])])
        seen = _times(self.counts[worst], total, expected[worst])
        return f"{self.name}: {self._label(worst)} {seen}{self._resemblance()}"

    def _label(self, cell: int) -> str:
        return self._labels[cell] if self._labels else f"category {cell}"

    def _resemblance(self) -> str:
        known = self._known_laws()
        best = max(known, key=lambda name: known[name], default=None)
        if best is None or known[best] <= max(self._by_law(), *self._dirichlet_laws()):
            return ""
        return f", as if {best}"


class TransitionBets(Martingale):
    r"""Bets that draws, which should be independent, depend on those a step before.

    The bet is a Markov chain, in which what follows category i has a law $\theta_i \sim \mathrm{Dir}(c\,p)$
    of its own. A draw may be in two pairs, but is bet on once, by the one before it.

    Args:
        name: what it looks at.
        probs: p, float64, shape ``(K,)``.
        axis: of the draws, along which they may depend.
        step: how far apart.
    """

    def __init__(self, name: str, probs: np.ndarray, axis: int, step: int) -> None:
        self.name, self.probs, self._axis, self._step = name, probs, axis, step
        self.counts = np.zeros((len(probs), len(probs)), dtype=np.int64)

    def update(self, draws: np.ndarray) -> None:
        """Count what follows what in more draws."""
        draws = np.moveaxis(draws, self._axis, 0)
        pairs = draws[: -self._step] * len(self.probs) + draws[self._step :]
        counts = np.bincount(pairs.reshape(-1), minlength=self.counts.size)
        self.counts += counts.reshape(self.counts.shape)

    @property
    def log_value(self) -> float:
        """The logarithm of the average over the concentrations."""
        by_law = float(xlogy(self.counts, self.probs).sum())
        # A row of counts per category that comes before.
        weights = _CONCENTRATIONS[:, None, None] * self.probs
        chains = log_dirichlet(self.counts, weights).sum(axis=-1)
        return _log_average(chains) - by_law

    def sentence(self) -> str:
        """Say which pair lies farthest from its expected count, in standard errors."""
        total = self.counts.sum(axis=1, keepdims=True)
        expected = total * self.probs
        spread = np.sqrt(np.maximum(expected * (1 - self.probs), _LEAST_SPREAD))
        far = np.abs(self.counts - expected) / spread
        first, second = np.unravel_index(np.argmax(far), far.shape)
        pair = first, second
        seen = _times(self.counts[pair], total[first, 0], expected[pair])
        return f"{self.name}: after {first}, {second} {seen}"


class RepeatBets(Martingale):
    r"""Bets that draws of a uniform law, which should be independent, repeat one another.

    Draws come in groups. Within a group the bet is Polya's urn: the n-th draw is one of its predecessors with
    probability $(n-1)/(c+n-1)$, and drawn anew with probability $c/(c+n-1)$. Groups are independent of one
    another, so that their ratios are multiplied.
    Source: Blackwell and MacQueen (1973) for the urn, whose joint law is the Dirichlet-multinomial
    $\mathrm{Dir}(c/t, \dots, c/t)$ of t values.

    Args:
        name: what it looks at.
        num_values: t, how many values the uniform law has; of draws it is their residue that counts.
        groups: makes an array ``(groups, draws)`` of an array of draws.
    """

    def __init__(
        self, name: str, num_values: int, groups: Callable[[np.ndarray], np.ndarray]
    ) -> None:
        self.name, self._num_values, self._groups = name, num_values, groups
        self._log_ratios = np.zeros(len(_EXPECTED_REPEATS))
        self._repeats, self._expected, self._draws = 0, 0.0, 0

    def update(self, draws: np.ndarray) -> None:
        """Bet on the repeats of each group of more draws."""
        values = np.sort(self._groups(draws) % self._num_values, axis=-1)
        size = values.shape[-1]
        for counts in map(_run_lengths, values):
            concentrations = size / _EXPECTED_REPEATS
            weights = concentrations[:, None] / self._num_values
            urns = log_dirichlet(counts, weights, concentrations)
            self._log_ratios += urns + size * math.log(self._num_values)
            self._repeats += int((counts * (counts - 1)).sum()) // 2
        self._expected += len(values) * math.comb(size, 2) / self._num_values
        self._draws += values.size

    @property
    def log_value(self) -> float:
        """The logarithm of the average over the urns."""
        return _log_average(self._log_ratios)

    def sentence(self) -> str:
        """Say how many pairs of draws are the same."""
        return (
            f"{self.name}: {self._repeats:,} pairs of {self._draws:,} draws are the same, "
            f"expected {_number(self._expected)}"
        )


class Collected(Martingale):
    """A bet on the draws of several calls together, stacked along a new first axis.

    Args:
        bet: the bet.
        num_calls: how many calls make one array; what is left at the end is not bet on.
    """

    def __init__(self, bet: Martingale, num_calls: int) -> None:
        self.name, self._bet, self._num_calls = bet.name, bet, num_calls
        self._waiting: list[np.ndarray] = []

    def update(self, draws: np.ndarray) -> None:
        """Wait until there are enough calls, and bet."""
        self._waiting.append(draws)
        if len(self._waiting) == self._num_calls:
            self._bet.update(np.stack(self._waiting))
            self._waiting = []

    @property
    def log_value(self) -> float:
        """The logarithm of the value of the bet."""
        return self._bet.log_value

    def sentence(self) -> str:
        """Say what the bet says."""
        return self._bet.sentence()


class Evidence:
    r"""The average of several test martingales, which is one: what a check goes by.

    Under the law p, the ratio $M_n = q(x_1, \dots, x_n) / p(x_1, \dots, x_n)$ of any other joint law q to it
    begins at 1 and, whatever was drawn before, stays where it is on average, or falls where q allows what p
    excludes. So does every average of such ratios. By Ville's inequality

    $$P\Bigl(\sup_n M_n \ge \frac1\alpha\Bigr) \le \alpha,$$

    exactly, for any number of draws, looks and rare categories: nothing is approximated by a normal law, no
    cells are merged to make it hold, and stopping at the first look with $M_n \ge 1/\alpha$ costs nothing.
    $1 / \sup_n M_n$ bounds the p-value.
    Source: Ville (1939); Ramdas, Grünwald, Vovk and Shafer (2023), section 2.

    Args:
        bets: the martingales, of equal weight.
    """

    def __init__(self, bets: Sequence[Martingale]) -> None:
        self._bets = bets
        self._log_values = {id(bet): 0.0 for bet in bets}
        self._largest = 0.0

    def look(self, changed: Sequence[Martingale]) -> float:
        r"""Return the p-value so far, $1 / \sup_n M_n$.

        Args:
            changed: the bets that have seen more draws since the last look.
        """
        self._log_values.update({id(bet): bet.log_value for bet in changed})
        now = _log_average(list(self._log_values.values()))
        self._largest = max(self._largest, now)
        return math.exp(-self._largest)

    def sentence(self) -> str:
        """Return what the bet with the most evidence says."""
        return max(self._bets, key=lambda bet: self._log_values[id(bet)]).sentence()


def log_dirichlet(
    counts: np.ndarray, weights: np.ndarray, total_weight: np.ndarray | None = None
) -> np.ndarray:
    r"""Return $\log\bigl(\Gamma(A)/\Gamma(A+n)\prod_i\Gamma(a_i+n_i)/\Gamma(a_i)\bigr)$ of draws in order.

    Args:
        counts: $n_i$, shape ``(..., cells)``; those of cells that never came up may be left out.
        weights: $a_i$ of the same cells, of a shape that fits.
        total_weight: $A = \sum_i a_i$ of all cells, shape ``(...)``, where some are left out.
    """
    total = weights.sum(axis=-1) if total_weight is None else total_weight
    each = gammaln(weights + counts) - gammaln(weights)
    whole = gammaln(total) - gammaln(total + counts.sum(axis=-1))
    return each.sum(axis=-1) + whole


def _times(count: int, total: int, expected: float) -> str:
    """Say how often something came up, and how often it should have."""
    number = "once" if count == 1 else f"{count:,} times"
    return f"came up {number} in {total:,}, expected {_number(expected)}"


def _number(value: float) -> str:
    """Return a large number in full, and a small one to three digits."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _run_lengths(values: np.ndarray) -> np.ndarray:
    """Return how often each value comes up, of values in order."""
    return np.diff(np.flatnonzero(np.r_[True, values[1:] != values[:-1], True]))


def _log_average(values: ArrayLike) -> float:
    # SciPy's logsumexp takes longer than all else of a look at few draws.
    values = np.asarray(values)
    return float(np.logaddexp.reduce(values)) - math.log(len(values))
