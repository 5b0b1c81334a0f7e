"""Samplers that ship with the checks, by name: of NumPy, torch, JAX, Pyro and this package.

A library is loaded when a sampler of it first draws.
"""

from gumbel_tutorial.checks import refuse
from gumbel_tutorial.conformance.adapters import (
    jax_samplers,
    numpy_samplers,
    package_samplers,
    package_torch_samplers,
    pyro_samplers,
    torch_samplers,
)
from gumbel_tutorial.conformance.adapters.record import Adapter

__all__ = ["ADAPTERS", "Adapter", "by_name", "names"]

ADAPTERS = (
    *numpy_samplers.ADAPTERS,
    *torch_samplers.ADAPTERS,
    *jax_samplers.ADAPTERS,
    *pyro_samplers.ADAPTERS,
    *package_samplers.ADAPTERS,
    *package_torch_samplers.ADAPTERS,
)


def names() -> tuple[str, ...]:
    """Return the names of all samplers, whether their libraries are installed or not.

    Examples:
        >>> names()[0]
        'numpy.random.Generator.choice'
    """
    return tuple(adapter.name for adapter in ADAPTERS)


def by_name(name: str) -> Adapter:
    """Return the sampler of a name, with its kind and libraries.

    Raises:
        ValueError: a name that no sampler has.

    Examples:
        >>> adapter = by_name("numpy.random.Generator.choice")
        >>> adapter.kind
        'categorical'
        >>> import numpy as np
        >>> adapter.load()(np.zeros(3, np.float32), 5, seed=0).shape
        (5,)
    """
    known = {adapter.name: adapter for adapter in ADAPTERS}
    if name not in known:
        refuse("name", f"be one of {', '.join(known)}", repr(name))
    return known[name]
