"""What the laws share: checked parameters, draws from a generator, expansion, Pyro."""

import sys
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.distributions import Distribution, constraints
from torch.distributions.utils import lazy_property

from gumbel_tutorial.arrays import cast, common_dtype, log_softmax, softmax, widen
from gumbel_tutorial.categorical import divergence, shannon_entropy
from gumbel_tutorial.checks import (
    check_category_axis,
    check_floating,
    check_same_categories,
    refuse,
)
from gumbel_tutorial.distributions.supports import require

_PYRO = "pyro.distributions.torch_distribution"


class Law(Distribution):
    """A distribution that draws from a generator and names what it refuses.

    A subclass hands on the parameters that it was given, to be checked; says in ``own_axes`` how many axes of
    each tensor it holds belong to one event; and draws in ``draw``.
    """

    own_axes: ClassVar[dict[str, int]]

    def __init__(
        self,
        batch_shape: torch.Size,
        event_shape: torch.Size,
        validate_args: bool | None,
        **given: Tensor,
    ) -> None:
        _meet_pyro()
        super().__init__(batch_shape, event_shape, validate_args=False)
        # Checked here and not by torch, whose check cannot be compiled or mapped and names no entry.
        self._validate_args = (
            Distribution._validate_args if validate_args is None else validate_args
        )
        for name, value in given.items():
            check_floating(value, name)
            if self._validate_args:
                require(self.arg_constraints[name], value, name)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        """Return the law with its batch expanded to ``batch_shape``, in no new memory."""
        new = type(self).__new__(type(self)) if _instance is None else _instance
        new.__dict__.update(self.__dict__)
        new._batch_shape = torch.Size(batch_shape)
        for name, own in self.own_axes.items():
            value = self.__dict__.get(name)
            if value is not None and value.ndim >= own:  # a lone temperature fits any
                tail = value.shape[value.ndim - own :]
                new.__dict__[name] = value.expand(new._batch_shape + tail)
        return new

    def sample(
        self,
        sample_shape: Any = (),
        *,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Draw without derivatives.

        Args:
            sample_shape: shape of the independent draws, in front of the batch.
            generator: on the device of the parameters; None stands for torch's default one.
        """
        with torch.no_grad():
            return self.draw(self._extended_shape(sample_shape), generator)

    def rsample(
        self,
        sample_shape: Any = (),
        *,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Draw with derivatives in the parameters; arguments as :meth:`sample`.

        Raises:
            NotImplementedError: the law is discrete.
        """
        if not type(self).has_rsample:
            raise NotImplementedError(f"{type(self).__name__} has no rsample")
        return self.draw(self._extended_shape(sample_shape), generator)

    def draw(self, shape: torch.Size, generator: torch.Generator | None) -> Tensor:
        """Draw a tensor of a shape that ends in the batch and the event."""
        raise NotImplementedError

    def check_prob(self, value: Tensor) -> None:
        """Require probabilities, where validation is on."""
        if self._validate_args:
            require(constraints.unit_interval, value, "value")

    def check_shape(self, value: Tensor) -> None:
        """Require a tensor whose shape fits the batch and the event."""
        if not isinstance(value, Tensor):
            refuse("value", "be a tensor", type(value).__name__)
        shape = self._batch_shape + self._event_shape
        start = value.ndim - len(self._event_shape)
        # Aligned from the right, an axis fits its like or a 1; those of one event must be alike.
        pairs = zip(reversed(value.shape), reversed(shape), strict=False)
        fits = all(one == other or 1 in (one, other) for one, other in pairs)
        if not fits or start < 0 or value.shape[start:] != self._event_shape:
            refuse(
                "value",
                f"broadcast against batch and event of shape {tuple(shape)}",
                f"shape {tuple(value.shape)}",
            )

    def _validate_sample(self, value: Tensor) -> None:
        self.check_shape(value)
        support = self.support
        assert support is not None  # every law has one
        require(support, value, "value")

    def __repr__(self) -> str:
        """Show small parameters, and the shapes of the others."""
        held = {n: self.__dict__[n] for n in self.arg_constraints if n in self.__dict__}
        shown = (
            f"{name}: {value if value.numel() == 1 else value.shape}"
            for name, value in held.items()
        )
        return f"{type(self).__name__}({', '.join(shown)})"


class CategoricalLaw(Law):
    r"""A law of K categories, given by logits or by probabilities.

    ``logits`` and ``probs`` are normalised, each computed when it is first asked for. Draws are made from
    ``unnormalised``, the logits as given, which half precision has not rounded again.
    """

    own_axes: ClassVar = {
        "unnormalised": 1,
        "logits": 1,
        "probs": 1,
        "temperature": 1,
    }

    def take(self, probs: Tensor | None, logits: Tensor | None) -> dict[str, Tensor]:
        """Hold logits or probabilities, which need not sum to one, and return them by name."""
        name, value = exactly_one(probs=probs, logits=logits)
        check_floating(value, name)
        check_category_axis(value, name)
        if logits is not None:
            self.unnormalised = value
            return {"logits": value}
        wide = widen(value)
        self.probs = cast(wide / wide.sum(-1, keepdim=True), value.dtype)
        # The inner where keeps the derivative at a category of probability 0 from being 0 * inf.
        held = torch.where(self.probs > 0, self.probs, 1.0).log()
        self.unnormalised = torch.where(self.probs > 0, held, -torch.inf)
        return {"probs": self.probs}

    @lazy_property
    def logits(self) -> Tensor:
        r"""Log-probabilities, $\ell - \log\sum_i e^{\ell_i}$."""
        return cast(log_softmax(widen(self.unnormalised)), self.unnormalised.dtype)

    @lazy_property
    def probs(self) -> Tensor:
        r"""Probabilities, $\mathrm{softmax}(\ell)$."""
        return cast(softmax(widen(self.unnormalised)), self.unnormalised.dtype)

    def categorical_entropy(self) -> Tensor:
        r"""Return $-\sum_i \pi_i\log\pi_i$."""
        logits = self.unnormalised
        return cast(shannon_entropy(widen(logits)), logits.dtype)

    @property
    def param_shape(self) -> torch.Size:
        """Shape of the logits and the probabilities."""
        return self.unnormalised.shape

    def __repr__(self) -> str:
        """Show numbers, and the shape of the batch if there is one."""
        shown = {"K": self.param_shape[-1]} | {
            name: value
            for name, value in vars(self).items()
            if name == "k" or (name == "temperature" and value.numel() == 1)
        }
        if self.batch_shape:
            shown["batch"] = tuple(self.batch_shape)
        text = ", ".join(f"{name}: {value}" for name, value in shown.items())
        return f"{type(self).__name__}({text})"


def categorical_kl(law: Any, other: Any) -> Tensor:
    """Return the divergence of two laws that have ``logits``, torch's among them."""
    logits, other_logits = law.logits, other.logits
    check_same_categories(other_logits, "other logits", logits)
    own, others = (log_softmax(widen(each)) for each in (logits, other_logits))
    return cast(divergence(own, others), common_dtype(logits, other_logits))


def exactly_one(
    *, probs: Tensor | float | None, logits: Tensor | float | None
) -> tuple[str, Any]:
    """Return the one of the two that is given, with its name.

    Raises:
        ValueError: both are given, or neither.
    """
    if (probs is None) == (logits is None):
        got = "neither" if probs is None else "both"
        refuse("probs or logits", "be given, one of the two", got)
    return ("probs", probs) if logits is None else ("logits", logits)


def _meet_pyro() -> None:
    """Let Pyro know the laws for its own, and give them its methods: once, if Pyro is there."""
    if torch.compiler.is_compiling() or _PYRO not in sys.modules:
        return
    mixin = sys.modules[_PYRO].TorchDistributionMixin
    if issubclass(Law, mixin):
        return
    mixin.register(Law)
    for name in dir(mixin):
        known = any(name in vars(base) for base in Law.__mro__)
        if not known and (name == "__call__" or not name.startswith("_")):
            member = next(vars(b)[name] for b in mixin.__mro__ if name in vars(b))
            setattr(Law, name, member)
