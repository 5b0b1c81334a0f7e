"""One law of each kind, from parameters that a test may shape, differentiate and refuse."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from gumbel_tutorial import distributions as gt

_LOGITS = torch.tensor([0.5, -1.0, 0.2, 1.5], dtype=torch.float64)

# The class, and its parameters for a batch of shape (2,): float64, none at the border of its range.
LAWS: dict[str, tuple[Callable[..., Any], dict[str, Tensor]]] = {
    "Gumbel": (
        gt.Gumbel,
        {"loc": torch.tensor([0.3, -1.0]), "scale": torch.tensor([0.5, 2.0])},
    ),
    "TruncatedGumbel": (
        gt.TruncatedGumbel,
        {
            "loc": torch.tensor([0.3, -1.0]),
            "scale": torch.tensor([0.5, 2.0]),
            "upper": torch.tensor([0.1, 3.0]),
        },
    ),
    "GumbelMax": (gt.GumbelMax, {"logits": torch.stack([_LOGITS, _LOGITS.flip(0)])}),
    "PlackettLuce": (
        lambda logits, **options: gt.PlackettLuce(logits, 3, **options),
        {"logits": torch.stack([_LOGITS, _LOGITS.flip(0)])},
    ),
    "ExpRelaxedCategorical": (
        gt.ExpRelaxedCategorical,
        {
            "temperature": torch.tensor([[0.7], [1.5]]),
            "logits": torch.stack([_LOGITS, _LOGITS.flip(0)]),
        },
    ),
    "RelaxedOneHotCategorical": (
        gt.RelaxedOneHotCategorical,
        {
            "temperature": torch.tensor([[0.7], [1.5]]),
            "logits": torch.stack([_LOGITS, _LOGITS.flip(0)]),
        },
    ),
    "LogitRelaxedBernoulli": (
        gt.LogitRelaxedBernoulli,
        {"temperature": torch.tensor([0.7, 1.5]), "logits": torch.tensor([0.4, -1.0])},
    ),
    "RelaxedBernoulli": (
        gt.RelaxedBernoulli,
        {"temperature": torch.tensor([0.7, 1.5]), "logits": torch.tensor([0.4, -1.0])},
    ),
}
DISCRETE = ("GumbelMax", "PlackettLuce")
CONTINUOUS = tuple(name for name in LAWS if name not in DISCRETE)
ON_THE_LINE = (
    "Gumbel",
    "TruncatedGumbel",
    "LogitRelaxedBernoulli",
    "RelaxedBernoulli",
)


def parameters(name: str, dtype: torch.dtype = torch.float64) -> dict[str, Tensor]:
    """Return the parameters of a law, in a dtype."""
    return {
        key: value.detach().to(dtype, copy=True) for key, value in LAWS[name][1].items()
    }


def law(name: str, dtype: torch.dtype = torch.float64, **options: Any) -> Any:
    """Return the law with a batch of shape (2,)."""
    return LAWS[name][0](**parameters(name, dtype), **options)
