"""Evidence against a law: test martingales, which may be looked at after every draw."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
from scipy.special import gammaln, logsumexp

# How strongly a Dirichlet law holds that the frequencies are those of the law: from hardly to one in 10^6.
_CONCENTRATIONS = tuple(4.0**power for power in range(1, 11))


class Martingale(ABC):
    """A bet against the law: its value begins at 1 and, under the law, stays there on average.

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
        probs: float64, shape ``(cells,)``.
        cells: the cells of an array of draws; by default the draws themselves.
        faults: by the name of a fault, the probabilities to which it leads.
    """

    def __init__(
        self,
        name: str,
        probs: np.ndarray,
        *,
        cells: Callable[[np.ndarray], np.ndarray] | None = None,
        faults: Mapping[str, np.ndarray] | None = None,
    ) -> None:
        self.name = name
        self.probs = np.asarray(probs, dtype=float)
        self.counts = np.zeros(len(self.probs), dtype=np.int64)
        self._cells = cells
        self._faults = dict(faults or {})

    def update(self, draws: np.ndarray) -> None:
        """Count the cells of more draws."""
        cells = draws if self._cells is None else self._cells(draws)
        self.counts += np.bincount(cells.reshape(-1), minlength=len(self.counts))

    @property
    def log_value(self) -> float:
        """The logarithm of the average of all ratios."""
        return _log_average(list(self._log_ratios()))

    def _log_ratios(self) -> Iterable[float]:
        counts, probs = self._seen()
        with np.errstate(divide="ignore"):
            by_law = (counts * np.log(probs)).sum()
        if by_law == -math.inf:
            yield math.inf
            return
        for concentration in _CONCENTRATIONS:
            yield _log_dirichlet(counts, concentration * probs, concentration) - by_law
        flat = np.full(len(counts), 0.5)
        yield _log_dirichlet(counts, flat, len(self.probs) / 2) - by_law
        for other in self._faults.values():
            with np.errstate(divide="ignore"):
                yield (counts * np.log(other[self.counts > 0])).sum() - by_law

    def _seen(self) -> tuple[np.ndarray, np.ndarray]:
        seen = self.counts > 0
        return self.counts[seen], self.probs[seen]

    def sentence(self) -> str:
        """Say which cell lies farthest from its expected count, in standard errors."""
        total = self.counts.sum()
        expected = total * self.probs
        spread = np.sqrt(np.maximum(expected * (1 - self.probs), 1e-300))
        far = (self.counts - expected) / spread
        worst = int(np.argmax(np.abs(far)))
        return (
            f"{self.name}: {worst} came up {self.counts[worst]:,} times in {total:,}, "
            f"expected {expected[worst]:,.4g}"
        )


class Evidence:
    r"""The average of several test martingales, which is one: what a check goes by.

    Under the law p, the ratio $M_n = q(x_1, \dots, x_n) / p(x_1, \dots, x_n)$ of any other joint law q to it
    has the mean 1 at every n, and so has every average of such ratios. By Ville's inequality

    $$P\Bigl(\sup_n M_n \ge \frac1\alpha\Bigr) \le \alpha,$$

    exactly, for any number of draws, looks and rare categories: nothing is approximated by a normal law, no
    cells are merged to make it hold, and stopping at the first look with $M_n \ge 1/\alpha$ costs nothing.
    $1 / \sup_n M_n$ bounds the p-value.
    Source: Ville (1939); Ramdas, Grünwald, Vovk and Shafer (2023), section 2.

    Args:
        bets: the martingales, of equal weight.
    """

    def __init__(self, bets: Sequence[Martingale]) -> None:
        self.bets = bets
        self._largest = 0.0

    def look(self) -> float:
        r"""Return the p-value so far, $1 / \sup_n M_n$."""
        now = _log_average([bet.log_value for bet in self.bets])
        self._largest = max(self._largest, now)
        return math.exp(-self._largest)

    def sentence(self) -> str:
        """Return what the bet with the most evidence says."""
        return max(self.bets, key=lambda bet: bet.log_value).sentence()


def _log_average(values: Sequence[float]) -> float:
    if max(values) == math.inf:
        return math.inf
    return float(logsumexp(values)) - math.log(len(values))


def _log_dirichlet(
    counts: np.ndarray, weights: np.ndarray, total_weight: float
) -> float:
    r"""Return $\log\bigl(\Gamma(A)/\Gamma(A+n)\prod_i\Gamma(a_i+n_i)/\Gamma(a_i)\bigr)$ of draws in order."""
    each = gammaln(weights + counts) - gammaln(weights)
    whole = gammaln(total_weight) - gammaln(total_weight + counts.sum())
    return float(each.sum() + whole)
