"""What a check is: one question to a sampler."""

from collections.abc import Callable
from dataclasses import dataclass

from gumbel_tutorial.conformance.records import Finding, Kind
from gumbel_tutorial.conformance.samplers import Sampler
from gumbel_tutorial.conformance.trials import Trial


@dataclass(frozen=True)
class Check:
    """One question to a sampler.

    Attributes:
        name: what is asked, in a few words.
        kind: of which kind of sampler.
        fault: the error that it must catch, as a sentence.
        power: the stated probability of catching that error within the false-alarm rate of a full report.
        run: answers the question; it may raise :class:`~gumbel_tutorial.conformance.records.Violation` or
            :class:`~gumbel_tutorial.conformance.records.Unsupported`.
        needs: keywords that the sampler must announce.
    """

    name: str
    kind: Kind
    fault: str
    power: float
    run: Callable[[Sampler, Trial], Finding]
    needs: tuple[str, ...] = ()
