"""The Gumbel-Softmax trick: laws, samplers, relaxations and gradient estimators.

The noise is an argument: a transform such as ``concrete.relax(logits, noise, temperature)`` draws nothing,
and ``noise`` is the one module that does. Transforms take NumPy arrays and torch tensors alike.

The public names are the modules; each loads when it is first used, so that importing the package
needs NumPy and array-api-compat alone.
"""

from importlib import import_module
from importlib.metadata import version
from typing import Any

__version__ = version("gumbel-tutorial")

__all__ = [
    "arrays",
    "book",
    "categorical",
    "checks",
    "concrete",
    "estimators",
    "gumbel",
    "gumbel_max",
    "laboratory",
    "nn",
    "noise",
    "schedules",
    "vae",
]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
