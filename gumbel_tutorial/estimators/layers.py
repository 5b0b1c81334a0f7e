"""An estimator by name for every stochastic layer of a model, with the state it keeps."""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import nn

from gumbel_tutorial.checks import refuse
from gumbel_tutorial.estimators.protocol import Estimator
from gumbel_tutorial.estimators.registry import ESTIMATORS, get
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
# What follows the schedule the other way where that is asked for: as the temperature falls, the price of an
# error on quadratics rises.
_PRICED = ("mve",)
# Options whose values belong to one layer each.
_OF_THE_LAYER: Mapping[str, tuple[str, ...]] = {"relax": ("control", "parameters")}
_MULTI_SAMPLE = "vimco"
_CONTROL_WIDTH = 100


class EstimatorLayers(nn.Module):
    """One estimator, once for each stochastic layer.

    Each layer has its own moving average or RELAX control variate (one hidden layer); both are saved with
    the module.

    Args:
        name: the estimator's, as in :func:`~gumbel_tutorial.estimators.registry.get`.
        layers: number of variables N and number of categories K of each layer.
        anneal_price: let the temperature of :func:`~gumbel_tutorial.estimators.minimum_variance.mve`, a price
            that has no schedule otherwise, be the reciprocal of the schedule's.
        options: options for the estimator, except the one that the temperature schedule sets.

    Raises:
        TypeError: an option that the estimator does not have.
        ValueError: an unknown name; an option that :func:`check_options` refuses; ``anneal_price`` with
            another estimator than mve; vimco with several layers, whose bound is not linear in the losses of
            the layers below; arm or disarm with other than 2 categories.

    Examples:
        >>> (estimator,) = EstimatorLayers("rloo", [(20, 10)], num_samples=4).at(1.0)
        >>> generator = torch.Generator().manual_seed(0)
        >>> losses = estimator(lambda z: z[..., 0].sum(-1), torch.zeros(5, 20, 10), generator=generator)
        >>> tuple(losses.shape)
        (5,)
    """

    def __init__(
        self,
        name: str,
        layers: Sequence[tuple[int, int]],
        *,
        anneal_price: bool = False,
        **options: Any,
    ) -> None:
        super().__init__()
        check_options(name, options, anneal_price=anneal_price)
        _check_layers(name, layers)
        estimator = get(name)
        self.name, self.anneal_price = name, anneal_price
        #: Whether the estimator minimises a bound of several samples.
        self.multi_sample = name == _MULTI_SAMPLE
        self.prepared: list[partial[torch.Tensor]] = [
            estimator.prepare(**options) for _ in layers
        ]
        controls = [_Control(*size) for size in layers] if name == "relax" else []
        self.controls = nn.ModuleList(controls)
        for layer, control in enumerate(controls):
            self.prepared[layer] = partial(self.prepared[layer], control=control)

    def at(self, temperature: float) -> list[Estimator]:
        """Return the estimators at a temperature of the schedule."""
        annealed = _annealed(self.name, temperature, self.anneal_price)
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


def _annealed(
    name: str, temperature: float, anneal_price: bool = False
) -> dict[str, float]:
    """Return the options that an estimator has at a temperature of the schedule."""
    if anneal_price:
        return {"temperature": 1 / temperature}
    return _ANNEALED[name](temperature) if name in _ANNEALED else {}


def check_options(
    name: str, options: Mapping[str, Any], *, anneal_price: bool = False
) -> None:
    """Refuse an option that :class:`EstimatorLayers` or the temperature schedule sets.

    The run would log a temperature that it does not use, or all layers would share what each has for itself.

    Raises:
        TypeError: an option that the estimator does not have.
        ValueError: an unknown name, an option that is not for the caller to set, or ``anneal_price`` where
            there is no price.
    """
    get(name).prepare(**options)
    if anneal_price and name not in _PRICED:
        refuse("anneal_price", f"be False with {name}", anneal_price)
    for option in _annealed(name, 1.0, anneal_price):
        if option in options:
            refuse(
                "options",
                f"leave the {option} of {name} to the temperature schedule",
                options[option],
            )
    for option in _OF_THE_LAYER.get(name, ()):
        if option in options:
            refuse("options", f"not set the {option} of {name}", options[option])


def _check_layers(name: str, layers: Sequence[tuple[int, int]]) -> None:
    """Require layers that the estimator can handle."""
    if name == _MULTI_SAMPLE and len(layers) > 1:
        refuse(
            "estimator", f"not be {name} with several layers", f"{len(layers)} layers"
        )
    for _, num_categories in layers:
        if name in ("arm", "disarm") and num_categories != 2:
            refuse("num_categories", f"be 2 with {name}", num_categories)


def name_of(estimator: Estimator) -> str | None:
    """Return the name of an estimator, whatever options are set on it; None for one without a name.

    Examples:
        >>> name_of(partial(get("rloo").function, num_samples=4))
        'rloo'
    """
    function = estimator.func if isinstance(estimator, partial) else estimator
    known = (name for name, info in ESTIMATORS.items() if info.function is function)
    return next(known, None)


def minimises_multi_sample_bound(estimator: Estimator) -> bool:
    """Tell whether an estimator minimises a bound of several samples, which the divergence is a part of.

    Its loss must hold the log-ratio of posterior and prior at the codes, and nothing may be added to it.
    """
    return name_of(estimator) == _MULTI_SAMPLE


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
