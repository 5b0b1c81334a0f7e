r"""Relaxed and hardened rows on the device, with their derivatives; nothing is checked here."""

from typing import Any

import torch

from gumbel_tutorial.kernels.device import relaxing as device
from gumbel_tutorial.kernels.device.gumbel_noise import REFINED_BELOW
from gumbel_tutorial.kernels.drawing import (
    noise_of_rows,
    statistics_of_row,
    temperature_arguments,
)
from gumbel_tutorial.kernels.launch import (
    Tiling,
    alignment,
    matrix,
    row_tiling,
    start_on_tiles,
)

Temperature = float | torch.Tensor


class Relaxed(torch.autograd.Function):
    r"""$y = \mathrm{softmax}((\ell+G)/\tau)$, which keeps y alone for its derivative.

    Takes rows (B, K), a number or B temperatures, and a seed.
    """

    @staticmethod
    def forward(
        ctx: Any, rows: torch.Tensor, tau: Temperature, seed: torch.Tensor
    ) -> torch.Tensor:
        """Return the relaxed rows in the dtype of the logits."""
        relaxed = relax_rows(rows, tau, seed)
        _keep(ctx, tau, relaxed, seed)
        return relaxed

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        """Return the derivatives in the logits and in the temperatures."""
        tau, (relaxed, seed) = _kept(ctx)
        if torch.is_grad_enabled():  # to be differentiated again
            return *_plain_backward(relaxed, grads[0], tau), None
        wants_tau = ctx.needs_input_grad[1]
        return *backward_rows(relaxed, grads[0], tau, seed, wants_tau=wants_tau), None


class StraightThrough(torch.autograd.Function):
    r"""The index of $\max_i(\ell_i+G_i)$, and a tensor that takes the derivative of its one-hot vector.

    For the derivative it keeps the logits, which it was given, the seed and two numbers a row: the relaxed
    row is made again, from the same noise.
    """

    @staticmethod
    def forward(
        ctx: Any, rows: torch.Tensor, tau: Temperature, seed: torch.Tensor, dense: bool
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the indices, and one-hot rows or else zeros that take no memory."""
        largest, index, sums = statistics_of_row(rows, seed, tau)
        _keep(ctx, tau, rows, seed, largest, sums)
        ctx.mark_non_differentiable(index)
        if dense:
            one_hot = torch.zeros(rows.shape, dtype=rows.dtype, device=rows.device)
            return index, one_hot.scatter_(1, index[:, None], 1.0)
        return index, rows.new_zeros(()).expand(rows.shape)

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        """Return the derivatives of the relaxed row in the logits and in the temperatures."""
        tau, (rows, seed, largest, sums) = _kept(ctx)
        if torch.is_grad_enabled():
            scale = tau[:, None] if isinstance(tau, torch.Tensor) else tau
            perturbed = rows.float() + noise_of_rows(rows, seed)
            relaxed = (perturbed / scale).softmax(1)
            return *_plain_backward(relaxed, grads[1], tau), None, None
        statistics = (largest, sums)
        wants_tau = ctx.needs_input_grad[1]
        found = backward_rows(
            rows, grads[1], tau, seed, statistics, wants_tau=wants_tau
        )
        return *found, None, None


def _keep(ctx: Any, tau: Temperature, *tensors: torch.Tensor) -> None:
    is_tensor = isinstance(tau, torch.Tensor)
    ctx.tau = None if is_tensor else tau
    ctx.save_for_backward(*tensors, *([tau] if is_tensor else []))


def _kept(ctx: Any) -> tuple[Temperature, list[torch.Tensor]]:
    tensors = list(ctx.saved_tensors)
    tau = tensors.pop() if ctx.tau is None else ctx.tau
    return tau, tensors


def relax_rows(
    rows: torch.Tensor, tau: Temperature, seed: torch.Tensor
) -> torch.Tensor:
    """Return relaxed rows, in one pass up to a length and in two beyond."""
    num_rows, num_categories = rows.shape
    align = alignment(num_categories, rows.stride(0))
    tiles = row_tiling(num_categories, align)
    out = torch.empty(rows.shape, dtype=rows.dtype, device=rows.device)
    statistics = None
    if tiles.chunks > 1:
        largest, _, sums = statistics_of_row(rows, seed, tau)
        statistics = (largest, sums)
    arguments = {
        "logits": rows,
        "stride": rows.stride(0),
        **_common_arguments(tau, seed, statistics),
        "out": out,
        "num_categories": num_categories,
        "ALIGN": align,
        "HAS_SUMS": statistics is not None,
    }
    start_on_tiles(device.soft_kernel, tiles, num_rows, arguments)
    return out


def backward_rows(
    relaxed: torch.Tensor,
    grads: torch.Tensor,
    tau: Temperature,
    seed: torch.Tensor,
    statistics: tuple[torch.Tensor, torch.Tensor] | None = None,
    *,
    wants_tau: bool = False,
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Return the derivatives in the logits and in the temperatures.

    ``relaxed`` is y, or where statistics are given the logits from which y is made again.
    """
    num_rows, num_categories = relaxed.shape
    grads = matrix(grads)
    align = alignment(num_categories, relaxed.stride(0), grads.stride(0))
    tiles = row_tiling(num_categories, align)
    out = torch.empty(relaxed.shape, dtype=relaxed.dtype, device=relaxed.device)
    shares = relaxed.new_empty((num_rows, tiles.chunks), dtype=torch.float32)
    tau_grads = torch.empty_like(shares) if wants_tau else shares
    arguments = {
        "relaxed": relaxed,
        "stride": relaxed.stride(0),
        "grads": grads,
        "grad_stride": grads.stride(0),
        **_common_arguments(tau, seed, statistics),
        "products": shares,
        "out": out,
        "tau_grads": tau_grads,
        "num_categories": num_categories,
        "ALIGN": align,
        "REMADE": statistics is not None,
        "TAU_GRADS": wants_tau,
        "SHARE": device.WHOLE.value,
    }
    if tiles.chunks > 1:
        _start_backward(tiles, num_rows, arguments, SHARE=device.PRODUCTS.value)
        arguments |= {"products": shares.sum(1), "SHARE": device.RESULT.value}
    _start_backward(tiles, num_rows, arguments)
    return out, (tau_grads.sum(1) if wants_tau else None)


def _start_backward(
    tiles: Tiling, num_rows: int, arguments: dict[str, Any], **changes: Any
) -> None:
    start_on_tiles(device.backward_kernel, tiles, num_rows, arguments | changes)


def _common_arguments(
    tau: Temperature,
    seed: torch.Tensor,
    statistics: tuple[torch.Tensor, torch.Tensor] | None,
) -> dict[str, Any]:
    maxima, sums = statistics or (seed, seed)
    return {
        "seed": seed,
        **temperature_arguments(tau, seed),
        "maxima": maxima,
        "sums": sums,
        "REFINED_BELOW": REFINED_BELOW.value,
    }


def _plain_backward(
    relaxed: torch.Tensor, grads: torch.Tensor, tau: Temperature
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Return the derivatives as operations of torch, which can be differentiated."""
    y = relaxed.float()
    scale = tau[:, None] if isinstance(tau, torch.Tensor) else tau
    product = (y * grads).sum(1, keepdim=True)
    out = y * (grads - product) / scale
    logs = y.clamp_min(torch.finfo(torch.float32).tiny).log()
    tau_grads = -(out * logs).sum(1) if isinstance(tau, torch.Tensor) else None
    return out.to(relaxed.dtype), tau_grads
