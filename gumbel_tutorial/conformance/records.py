"""What a check finds, and what ends it early."""

from dataclasses import dataclass
from typing import Literal

Verdict = Literal["passed", "failed", "not checked"]
Kind = Literal["categorical", "without_replacement", "relaxed", "speculative"]


@dataclass(frozen=True)
class Finding:
    """What one check found.

    Attributes:
        verdict: "passed", "failed" or "not checked".
        sentence: what was seen, in one sentence.
        p_value: an upper bound on the probability that a sound sampler looks as bad; None where nothing
            was computed.
        draws: how many draws it took.
    """

    verdict: Verdict
    sentence: str
    p_value: float | None = None
    draws: int = 0


class Violation(Exception):
    """A sampler broke what no sound one ever breaks: a shape, a range, an error of its own."""


class Unsupported(Exception):
    """A sampler says that it does not offer what it is asked for."""
