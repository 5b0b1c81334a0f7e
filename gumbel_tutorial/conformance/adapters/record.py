"""What is known of a sampler that ships with the checks, and the parts in which all of them draw."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import metadata
from typing import Any

import numpy as np

from gumbel_tutorial.conformance.records import Kind

# Numbers of noise that a part may hold: 16 MB in float32.
_MOST_IN_A_PART = 2**22


@dataclass(frozen=True)
class Adapter:
    """A sampler of a library, in the form that the checks take.

    Attributes:
        name: the library's own name for it; a variant follows after a slash.
        kind: what it draws, as the checks know it.
        sample: the sampler; it imports its library when it is called.
        libraries: distributions whose versions decide what it draws, besides NumPy.
    """

    name: str
    kind: Kind
    sample: Callable[..., Any]
    libraries: tuple[str, ...] = ()

    def missing(self) -> tuple[str, ...]:
        """Return the distributions that are not installed."""
        return tuple(filter(_is_missing, self.libraries))

    def load(self) -> Callable[..., Any]:
        """Return the sampler.

        Raises:
            ModuleNotFoundError: a library is not installed.
        """
        if missing := self.missing():
            needs = " and ".join(missing)
            raise ModuleNotFoundError(f"{self.name} needs {needs}", name=missing[0])
        return self.sample


def _is_missing(name: str) -> bool:
    try:
        metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return True
    return False


def in_parts(
    num_draws: int, shape: Sequence[int], draw: Callable[[int], np.ndarray]
) -> np.ndarray:
    """Return ``num_draws`` draws of ``draw(count)``, in parts whose noise of a shape each fits memory."""
    most = max(1, _MOST_IN_A_PART // max(1, int(np.prod(shape))))
    counts = [most] * (num_draws // most) + [num_draws % most]
    return np.concatenate([np.asarray(draw(count)) for count in counts if count])
