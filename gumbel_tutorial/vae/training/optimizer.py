"""A step of Adam, as it costs a small model least."""

from typing import Any

import torch
from torch.optim.adam import adam


def fused_adam(parameters: list[torch.nn.Parameter]) -> torch.optim.Adam:
    """Return Adam with one kernel for all parameters."""
    return torch.optim.Adam(parameters, fused=True)


def forget_gradients(optimizer: torch.optim.Adam) -> None:
    """Set the gradients to None, as ``optimizer.zero_grad()`` does."""
    for group in optimizer.param_groups:
        for own in group["params"]:
            own.grad = None


@torch.no_grad()
def step(optimizer: torch.optim.Adam, learning_rate: float) -> None:
    """Take the step of :func:`fused_adam`.

    What ``optimizer.step()`` does around its kernel, hooks and profiling among it, costs as much as the
    kernel does at 300,000 parameters. Here the kernel is called by itself, once every moment has begun.
    """
    (group,) = optimizer.param_groups
    group["lr"] = learning_rate
    parameters = [own for own in group["params"] if own.grad is not None]
    moments: list[dict[str, Any]] = [optimizer.state[own] for own in parameters]
    if all(moments):
        beta1, beta2 = group["betas"]
        adam(
            parameters,
            [own.grad for own in parameters],
            [own["exp_avg"] for own in moments],
            [own["exp_avg_sq"] for own in moments],
            [],
            [own["step"] for own in moments],
            fused=True,
            amsgrad=False,
            beta1=beta1,
            beta2=beta2,
            lr=learning_rate,
            weight_decay=0.0,
            eps=group["eps"],
            maximize=False,
        )
    else:
        optimizer.step()
