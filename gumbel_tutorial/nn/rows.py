r"""The quick way to many samples: rows of a plain tensor on the CPU, a cache's worth at a time.

From the draw of the noise to the sample the numbers stay in the cache, and the graph keeps the relaxed
sample y alone: for the slope g the derivative is $y\,(g - \langle g, y\rangle)/\tau$. The numbers are those
of the general way up to rounding, from the same noise.
"""

from typing import Any

import torch

from gumbel_tutorial.arrays import NEAR
from gumbel_tutorial.checks import reads_values
from gumbel_tutorial.nn.plain import is_near
from gumbel_tutorial.streams import Logarithms, tensors

# So many numbers at once: their noise and their sample stay in a core's cache.
_CHUNK = 2**17
# torch's own softmax is slow on the CPU where a row has fewer entries than a vector register.
_SHORT = 16


def sample(
    logits: torch.Tensor, tau: Any, hard: bool, generator: torch.Generator | None
) -> torch.Tensor | None:
    """Return relaxed or one-hot samples of rows on the last axis; None where a row has to be looked for."""
    graph = logits.requires_grad and torch.is_grad_enabled()
    noise = tensors.logarithms(generator, logits.numel(), logits.dtype)
    drawn = _draw(logits.detach(), tau, hard, graph, noise)
    if drawn is None:
        return None
    return _Graph.apply(logits, drawn, tau)[0] if graph else drawn[0]


class _Graph(torch.autograd.Function):
    """Gives samples that are drawn the derivative of the last of them, the relaxed one."""

    @staticmethod
    def forward(
        ctx: Any, logits: torch.Tensor, drawn: tuple[torch.Tensor, ...], tau: float
    ) -> tuple[torch.Tensor, ...]:
        del logits
        # A result that is saved keeps its place in the graph, for second derivatives.
        ctx.save_for_backward(drawn[-1])
        ctx.tau = tau
        ctx.set_materialize_grads(False)
        return drawn

    @staticmethod
    def backward(ctx: Any, *slopes: torch.Tensor | None) -> tuple[Any, ...]:
        (relaxed,) = ctx.saved_tensors
        # The one-hot sample and the relaxed one have the same derivative.
        present = [slope for slope in slopes if slope is not None]
        slope = present[0] if len(present) == 1 else torch.add(*present)
        if relaxed.shape[-1] >= _SHORT:
            back = torch._softmax_backward_data(slope, relaxed, -1, relaxed.dtype)
        else:
            back = relaxed * (slope - (slope * relaxed).sum(-1, keepdim=True))
        return back.mul_(1 / ctx.tau), None, None


def _draw(
    logits: torch.Tensor, tau: float, hard: bool, graph: bool, noise: Logarithms
) -> tuple[torch.Tensor, ...] | None:
    """Return the one-hot sample if it is asked for, and the relaxed one if that is, or has a derivative."""
    num_categories = logits.shape[-1]
    rows = logits.reshape(-1, num_categories)
    step = max(1, _CHUNK // num_categories)
    log_noise = torch.empty_like(rows[:step], memory_format=torch.contiguous_format)
    relaxed = torch.empty_like(rows if graph or not hard else log_noise)
    index = torch.empty_like(rows[:, 0], dtype=torch.int64)
    for start in range(0, len(rows), step):
        part = rows[start : start + step]
        values = relaxed[start : start + step] if graph or not hard else relaxed
        values = values[: len(part)]
        if not _perturb(part, tau, noise, log_noise[: len(part)], values):
            return None
        if hard:
            # NumPy's argmax takes a tenth of the time of torch's.
            found = values.numpy().argmax(-1)
            index[start : start + step] = torch.from_numpy(found)
        if graph or not hard:
            _soften(values, tau)
    drawn = (relaxed.view(logits.shape),) if graph or not hard else ()
    return (_corners(index, rows).view(logits.shape), *drawn) if hard else drawn


def _perturb(
    rows: torch.Tensor,
    tau: float,
    noise: Logarithms,
    log_noise: torch.Tensor,
    out: torch.Tensor,
) -> bool:
    """Write perturbed logits into ``out``, up to a constant per row; tell whether they are sound."""
    noise.fill(log_noise.view(-1).numpy())
    torch.sub(rows, log_noise, out=out)
    if is_near(out, NEAR * tau):
        return True
    torch.sub(rows, rows.amax(-1, True), out=out).sub_(log_noise)
    return not reads_values() or not out.amax().isnan()


def _soften(values: torch.Tensor, tau: float) -> None:
    """Replace values by the softmax of their rows at a temperature."""
    values.mul_(1 / tau)
    if values.shape[-1] >= _SHORT:
        torch.softmax(values, -1, out=values)
        return
    if not is_near(values, NEAR):
        values.sub_(values.amax(-1, True))
    values.exp_()
    values.div_(values.sum(-1, keepdim=True))


def _corners(index: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
    """Return the one-hot vectors of categories, like the rows."""
    corners = torch.zeros_like(rows, memory_format=torch.contiguous_format)
    first = torch.arange(len(rows), device="cpu") * rows.shape[-1]
    corners.view(-1).index_fill_(0, first + index, 1.0)
    return corners
