"""Adapters by name; a library is loaded when one of its adapters is asked for."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from gumbel_tutorial import categorical
from gumbel_tutorial.checks import refuse
from gumbel_tutorial.conformance.records import Kind


@dataclass(frozen=True)
class Adapter:
    """A sampler of a library.

    Attributes:
        kind: what it draws.
        load: imports the library and returns the sampler.
        library: the distribution whose version a report states.
    """

    kind: Kind
    load: Callable[[], Callable[..., Any]]
    library: str


def _own_categorical() -> Callable[..., Any]:
    def sample(logits: np.ndarray, num_draws: int, seed: int) -> np.ndarray:
        generator = np.random.default_rng(seed)
        draws = categorical.sample(logits, generator=generator, num_samples=num_draws)
        return np.moveaxis(draws, -1, 0)

    return sample


_ADAPTERS: Mapping[str, Adapter] = {
    "categorical.sample": Adapter("categorical", _own_categorical, "gumbel-tutorial"),
}


def names() -> tuple[str, ...]:
    """Return the names of all adapters."""
    return tuple(_ADAPTERS)


def by_name(name: str) -> Adapter:
    """Return the adapter of a name.

    Raises:
        ValueError: there is none of that name.
    """
    if name not in _ADAPTERS:
        refuse("name", f"be one of {', '.join(_ADAPTERS)}", name)
    return _ADAPTERS[name]
