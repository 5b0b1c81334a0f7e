"""Gumbel-Softmax as a layer."""

import math
from collections.abc import Callable
from typing import Any

import torch

from gumbel_tutorial.arrays import is_number
from gumbel_tutorial.checks import check_count, check_logits, check_positive, refuse
from gumbel_tutorial.nn.arguments import checked_logits, whole_dim
from gumbel_tutorial.nn.call import gumbel_softmax
from gumbel_tutorial.nn.hard import one_hot


class GumbelSoftmax(torch.nn.Module):
    r"""Gumbel-Softmax as a layer: relaxed or straight-through samples in training, exact ones in evaluation.

    In training mode ``forward`` is :func:`gumbel_softmax` with the layer's ``tau``, ``hard`` and ``dim``. In
    evaluation mode it draws exact one-hot categorical samples, whatever ``hard`` is: what comes after the
    layer is measured on what it will be used with. Where one answer is wanted and no draw, take
    :meth:`mode`; where the noise must be the same again, hand it in.

    Soft samples (``hard=False``) suit what takes points inside the simplex, and their gradient is the least
    biased at low temperature; take hard ones where the rest of the network, or its meaning, needs one
    category.

    ``tau`` is one of four:

    * a number: set ``layer.tau = 0.5`` whenever it changes;
    * a schedule, a function of the step, as :mod:`gumbel_tutorial.schedules` makes them: call
      :meth:`advance` after each optimiser step. The layer does not count its own calls, since gradients may
      be accumulated and a layer used twice;
    * learned (``learned=True``, from a number): the parameter is $\log\tau$, so that no step of an optimiser
      can make the temperature negative;
    * a ``torch.nn.Parameter`` without axes of your own, which may be shared with other modules. It is the
      temperature itself, and a call refuses it where an optimiser has made it negative.

    The temperature is a tensor of the module's state and moves with it, and so does the step: a loaded
    layer continues where the saved one was. Compiled code takes a changed temperature without being
    compiled again.

    Args:
        tau: the temperature, positive: a number, a schedule or a parameter.
        hard: one-hot samples in training too.
        dim: where the categories lie.
        learned: whether ``tau``, a number, is only the start of a learned one.

    Raises:
        TypeError: ``tau`` is of another kind, or no number and would be learned; ``dim`` is not whole.
        ValueError: a temperature that is not positive; a parameter with axes.

    Examples:
        >>> layer = GumbelSoftmax(tau=lambda step: max(0.5, 1.0 - 0.1 * step), hard=True)
        >>> net = torch.nn.Sequential(torch.nn.Linear(8, 4), layer, torch.nn.Linear(4, 1))
        >>> net(torch.zeros(2, 8)).shape
        torch.Size([2, 1])
        >>> layer.advance()
        >>> layer
        GumbelSoftmax(tau=0.9, hard=True, dim=-1, step=1)
    """

    temperature: torch.Tensor
    step: torch.Tensor

    def __init__(
        self,
        tau: float | Callable[[int], float] | torch.nn.Parameter = 1.0,
        hard: bool = False,
        dim: int = -1,
        *,
        learned: bool = False,
    ) -> None:
        """Set the temperature and how samples come out."""
        super().__init__()
        self.hard, self.dim = hard, whole_dim(dim)
        own = isinstance(tau, torch.nn.Parameter)
        self.schedule = tau if callable(tau) and not own else None
        if learned and not is_number(tau):
            kind = "a parameter" if own else "a schedule"
            refuse("tau", "be a number to be learned", kind, TypeError)
        if own:
            self.temperature = _checked_parameter(tau)
            return
        start = _checked_number(self.schedule(0) if self.schedule else tau)
        if learned:
            self.log_temperature = torch.nn.Parameter(torch.tensor(start).log())
        else:
            self.register_buffer("temperature", torch.tensor(start))
        if self.schedule is not None:
            self.register_buffer("step", torch.tensor(0))

    @property
    def learned(self) -> bool:
        """Whether the temperature is learned as its logarithm."""
        return hasattr(self, "log_temperature")

    @property
    def tau(self) -> torch.Tensor:
        """The temperature that the next call takes, a tensor without axes; a number may be set."""
        return self.log_temperature.exp() if self.learned else self.temperature

    @tau.setter
    def tau(self, value: float) -> None:
        if self.schedule is not None:
            raise AttributeError("tau belongs to the schedule: advance() moves it")
        number = _checked_number(value)
        with torch.no_grad():
            if self.learned:
                self.log_temperature.fill_(math.log(number))
            else:
                self.temperature.fill_(number)

    def advance(self, steps: int = 1) -> None:
        """Move the schedule on, by one step of training unless told otherwise.

        Raises:
            AttributeError: the temperature follows no schedule.
            ValueError: ``steps`` is not a whole number of at least 0, or the schedule's next temperature
                is not positive.
        """
        if self.schedule is None:
            raise AttributeError("advance() needs a schedule, got a tau that has none")
        step = int(self.step) + check_count(steps, "steps", 0)
        self.temperature.fill_(_checked_number(self.schedule(step)))
        self.step.fill_(step)

    def forward(
        self,
        logits: torch.Tensor,
        *,
        generator: torch.Generator | None = None,
        mask: torch.Tensor | None = None,
        noise: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Draw a sample, in evaluation mode an exact one-hot one; arguments as :func:`gumbel_softmax`."""
        return gumbel_softmax(
            logits,
            self.tau,
            self.hard or not self.training,
            dim=self.dim,
            generator=generator,
            mask=mask,
            noise=noise,
        )

    def mode(
        self, logits: torch.Tensor, mask: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Return the one-hot vector of the most probable category, what the layer gives without noise.

        Its index alone is ``gumbel_tutorial.mode(logits, mask)``.
        """
        working, dim = checked_logits(logits, self.dim, mask)
        check_logits(working, axis=dim)
        return one_hot(working.detach(), dim).to(logits.dtype)

    def extra_repr(self) -> str:
        """Return the settings, as they are given to the constructor."""
        shown = [f"tau={self.tau.item():.4g}", f"hard={self.hard}", f"dim={self.dim}"]
        if self.learned:
            shown.append("learned=True")
        if self.schedule is not None:
            shown.append(f"step={int(self.step)}")
        return ", ".join(shown)


def _checked_parameter(tau: Any) -> torch.nn.Parameter:
    if tau.ndim:
        refuse("tau", "have no axes", f"shape {tuple(tau.shape)}")
    check_positive(tau, "tau")
    return tau


def _checked_number(tau: Any) -> float:
    if not is_number(tau):
        kind = type(tau).__name__
        refuse(
            "tau", "be a number, a schedule of the step or a parameter", kind, TypeError
        )
    check_positive(tau, "tau", least=2.0**-126)
    return float(tau)
