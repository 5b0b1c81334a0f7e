"""An estimator by name for every stochastic layer of a model, with the state it keeps."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import nn

from gumbel_tutorial import estimators
from gumbel_tutorial.estimators.protocol import Estimator
from gumbel_tutorial.estimators.score_function import MovingAverage

# What follows the temperature schedule; the options of all others stay where they are.
_ANNEALED: Mapping[str, Callable[[float], dict[str, float]]] = {
    "gumbel_softmax": lambda tau: {"temperature": tau},
    "straight_through_gumbel_softmax": lambda tau: {"temperature": tau},
    "decoupled_straight_through": lambda tau: {"temperature": tau},
    "gapped_straight_through": lambda tau: {"temperature": tau},
    "gumbel_rao": lambda tau: {"temperature": tau},
    "slope_annealed": lambda tau: {"slope": 1 / tau},
}
_CONTROL_WIDTH = 100


class EstimatorLayers(nn.Module):
    """One estimator, once for each stochastic layer.

    Moving averages and the control variate of RELAX, a network of one hidden layer, belong to a layer each,
    and are part of the module's state.

    Args:
        name: of the estimator, as in :func:`~gumbel_tutorial.estimators.registry.get`.
        layers: number of variables and of categories of each layer.
        options: of the estimator, but for the one that follows the schedule.

    Raises:
        TypeError: an option that the estimator does not have.
        ValueError: an unknown name; an option that the schedule sets; vimco with several layers, whose bound
            is not linear in the losses of the layers below; arm or disarm with other than 2 categories.
    """

    def __init__(
        self, name: str, layers: Sequence[tuple[int, int]], **options: Any
    ) -> None:
        super().__init__()
        estimator = estimators.get(name)
        _check_layers(name, layers)
        _check_options(name, options)
        self.name = name
        #: Whether the estimator minimises a multi-sample bound, which the divergence is a part of.
        self.multi_sample = name == "vimco"
        self.prepared: list[partial[torch.Tensor]] = [
            estimator.prepare(**options) for _ in layers
        ]
        controls = [_Control(*size) for size in layers] if name == "relax" else []
        self.controls = nn.ModuleList(controls)
        for layer, control in enumerate(controls):
            self.prepared[layer] = partial(self.prepared[layer], control=control)

    def at(self, temperature: float) -> list[Estimator]:
        """Return the estimators at a temperature of the schedule."""
        annealed = _annealed(self.name, temperature)
        return [partial(estimator, **annealed) for estimator in self.prepared]

    def _averages(self) -> list[MovingAverage]:
        made = [estimator.keywords.get("baseline") for estimator in self.prepared]
        return [average for average in made if isinstance(average, MovingAverage)]

    def get_extra_state(self) -> torch.Tensor:
        """Return what the moving averages hold; NaN is nothing yet."""
        values = [average.value for average in self._averages()]
        numbers = [math.nan if value is None else float(value) for value in values]
        return torch.tensor(numbers, dtype=torch.float64)

    def set_extra_state(self, state: torch.Tensor) -> None:
        """Give the moving averages back what they held."""
        for average, value in zip(self._averages(), state, strict=True):
            average.value = None if value.isnan() else value.clone()


def _annealed(name: str, temperature: float) -> dict[str, float]:
    """Return the options that an estimator has at a temperature of the schedule."""
    return _ANNEALED[name](temperature) if name in _ANNEALED else {}


def _check_options(name: str, options: Mapping[str, Any]) -> None:
    """Require that options leave to the schedule what it sets, and what is reported of a run."""
    for option in _annealed(name, 1.0):
        if option in options:
            raise ValueError(
                f"options must leave the {option} of {name} to the temperature schedule, "
                f"got {options[option]}"
            )


def _check_layers(name: str, layers: Sequence[tuple[int, int]]) -> None:
    """Require layers that an estimator can be for."""
    if name == "vimco" and len(layers) > 1:
        raise ValueError(
            f"estimator must not be vimco with several layers, got {len(layers)} layers"
        )
    for _, num_categories in layers:
        if name in ("arm", "disarm") and num_categories != 2:
            raise ValueError(
                f"num_categories must be 2 with {name}, got {num_categories}"
            )


@contextmanager
def first_weights(seed: int) -> Iterator[None]:
    """Let torch's layers, which know the global generator alone, draw by a seed; nobody else notices."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield


class _Control(nn.Module):
    """A control variate of the perturbed logits: two linear maps with a bend between them."""

    def __init__(self, num_latents: int, num_categories: int) -> None:
        super().__init__()
        self.inner = nn.Linear(num_latents * num_categories, _CONTROL_WIDTH)
        self.outer = nn.Linear(_CONTROL_WIDTH, 1)

    def forward(self, perturbed: torch.Tensor) -> torch.Tensor:
        """Return values of the shape of the losses."""
        centred = perturbed - perturbed.mean(-1, keepdim=True)
        return self.outer(torch.tanh(self.inner(centred.flatten(-2)))).squeeze(-1)
