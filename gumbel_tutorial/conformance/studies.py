"""Draws from laws that are known, followed until a bet against one of them is won or the draws are done."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np

from gumbel_tutorial.conformance.evidence import Evidence, Martingale
from gumbel_tutorial.conformance.records import Finding
from gumbel_tutorial.conformance.samplers import Request, Sampler
from gumbel_tutorial.conformance.trials import Trial

# Logits times draws of one call: what a sampler of one noise per category holds in memory.
_LARGEST_CALL = 1 << 22


@dataclass(frozen=True)
class Study:
    """Draws from one law and the bets on them.

    Attributes:
        arguments: of the sampler before the number of draws; the first one is the logits.
        num_draws: how many draws at effort 1.
        bets: martingales, of which each sees all draws.
        options: keywords for the sampler.
        per_call: draws of every call, where bets look at calls as they are; by default as many as fit.
        calls_together: how many calls a bet looks at together.
        is_clear: tells whether the draws are enough to pass, before all are made.
    """

    arguments: tuple[Any, ...]
    num_draws: int
    bets: Sequence[Martingale]
    options: Mapping[str, Any] = field(default_factory=dict)
    per_call: int | None = None
    calls_together: int = 1
    is_clear: Callable[[], bool] | None = None

    def requests(self, trial: Trial, seeds: Iterator[int]) -> Iterator[Request]:
        """Yield the calls that make the draws."""
        most = self.per_call or max(1, _LARGEST_CALL // self._size())
        left = trial.scaled(self.num_draws)
        if self.per_call is not None:
            unit = self.per_call * self.calls_together
            left = unit * max(1, round(left / unit))
        while left > 0:
            now = min(left, most)
            yield Request(self.arguments, now, next(seeds), self.options)
            left -= now

    def _size(self) -> int:
        arrays = [each for each in self.arguments if isinstance(each, np.ndarray)]
        return sum(prod(each.shape) for each in arrays)


def follow(
    sampler: Sampler, trial: Trial, studies: Sequence[Study], passed: str
) -> Finding:
    """Make the draws of studies one after the other, and stop where the answer is clear.

    Args:
        sampler: the sampler under test.
        trial: seed, false-alarm rate and effort.
        studies: laws, draws and bets.
        passed: the sentence of a sampler that passes.
    """
    evidence = Evidence([bet for study in studies for bet in study.bets])
    seeds, before, p_value = trial.seeds(), sampler.draws, 1.0
    for study in studies:
        for draws in sampler.each(study.requests(trial, seeds)):
            for bet in study.bets:
                bet.update(draws)
            p_value = evidence.look(study.bets)
            if p_value <= trial.false_alarm:
                taken = sampler.draws - before
                return Finding("failed", evidence.sentence(), p_value, taken)
            if study.is_clear is not None and study.is_clear():
                break
    return Finding("passed", passed, p_value, sampler.draws - before)
