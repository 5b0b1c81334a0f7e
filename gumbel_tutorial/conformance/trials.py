"""The circumstances of one check: its seed, its false-alarm rate, its effort."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from zlib import crc32

import numpy as np

# Seeds stay in what a signed 32-bit number holds: some libraries take no more.
_LARGEST_BASE = 1 << 30


@dataclass(frozen=True)
class Trial:
    """The circumstances of one check.

    Attributes:
        name: of the check, so that no two checks of a report share their seeds.
        seed: of the report.
        false_alarm: the probability with which a sound sampler may fail.
        effort: a factor of all numbers of draws; the stated powers hold at 1.
    """

    name: str
    seed: int
    false_alarm: float
    effort: float = 1.0

    def generator(self) -> np.random.Generator:
        """Return a generator for what the check itself chooses at random, such as an order of categories."""
        return np.random.default_rng([self.seed, crc32(self.name.encode()), 1])

    def seeds(self) -> Iterator[int]:
        """Return consecutive seeds, below 2^31, that begin at a place of the check's own."""
        words = np.random.SeedSequence([self.seed, crc32(self.name.encode())])
        base = int(words.generate_state(1)[0]) % _LARGEST_BASE
        return count(base)

    def scaled(self, num_draws: int) -> int:
        """Return a number of draws times the effort, at least one."""
        return max(1, round(num_draws * self.effort))
