"""The Gumbel-Softmax trick: laws, samplers, relaxations and gradient estimators.

The noise is an argument: a transform such as ``relax(logits, noise, temperature)`` draws nothing, and
``noise`` is the one module that does. Transforms take arrays of NumPy, torch and JAX alike.

The functions below and the modules load when they are first used, so that importing the package needs NumPy
and array-api-compat alone. Those that need more say what to install where it is missing, and
``from gumbel_tutorial import *`` then gives the others.

Examples:
    >>> import numpy as np
    >>> import gumbel_tutorial as gt
    >>> gumbels = gt.noise.gumbel((1000, 3), generator=np.random.default_rng(0))
    >>> gt.argmax_sample(np.log([6.0, 3.0, 1.0]), gumbels).shape
    (1000,)
    >>> gt.relax(np.log([6.0, 3.0, 1.0]), gumbels, 0.5).shape
    (1000, 3)
"""

from importlib import import_module, util
from typing import Any

# What must be installed for a module, and the extra that brings it.
_TORCH = ("torch", ["torch"])
_NEEDS: dict[str, tuple[str, list[str]]] = {
    "arrays": ("", []),
    "book": ("", []),
    "categorical": ("", []),
    "checks": ("", []),
    "concrete": ("", []),
    "conformance": ("conformance", ["scipy"]),
    "decoding": ("", []),
    "distributions": _TORCH,
    "estimators": _TORCH,
    "fused": ("", []),
    "gumbel": ("", []),
    "gumbel_max": ("", []),
    "kernels": ("triton", ["torch", "triton"]),
    "laboratory": _TORCH,
    "nn": _TORCH,
    "noise": ("", []),
    "schedules": ("", []),
    "streams": ("", []),
    "vae": ("vae", ["torch", "tqdm"]),
}
# Who changes a name here changes it in __init__.pyi, which type checkers and editors read.
_HOME = {
    name: module
    for module, names in {
        "categorical": (
            "alias_sample alias_table entropy inverse_cdf_sample kl log_probs mode one_hot perplexity probs"
        ),
        "checks": "check_values",
        "concrete": "binary_relax log_density log_relax relax",
        "gumbel_max": (
            "argmax_sample max_location noise_given_index top_k_log_prob top_k_sample top_k_weights"
        ),
        "nn": (
            "GumbelSoftmax gapped_straight_through gumbel_rao gumbel_softmax reinmax straight_through"
        ),
        "noise": "gumbel_like",
    }.items()
    for name in names.split()
}


def _missing(name: str) -> str | None:
    """Return the first library that a name needs and that is not installed."""
    _, libraries = _NEEDS[_HOME.get(name, name)]
    return next((each for each in libraries if util.find_spec(each) is None), None)


__all__ = sorted(name for name in [*_NEEDS, *_HOME] if _missing(name) is None)


def _version() -> str:
    # Here, since reading it takes most of the time of the import, in which an interrupt would be a traceback.
    from importlib import metadata

    try:
        return metadata.version("gumbel-tutorial")
    except (
        metadata.PackageNotFoundError
    ):  # a folder on the path, which is not installed
        return "0+unknown"


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return globals().setdefault(name, _version())
    module = _HOME.get(name, name)
    if module not in _NEEDS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    missing = _missing(name)
    if missing is not None:
        message = (
            f"{name} needs {missing}: install gumbel-tutorial[{_NEEDS[module][0]}]"
        )
        raise ModuleNotFoundError(message, name=missing)
    loaded = import_module(f"{__name__}.{module}")
    value = getattr(loaded, name) if name in _HOME else loaded
    globals()[name] = value  # found there the next time
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "__version__"})
