"""The calls of the kernels: arguments checked, rows made of any leading shape, results shaped back."""

from typing import Any

import torch

from gumbel_tutorial.checks import (
    check_floating,
    check_logits,
    check_temperature,
    check_torch_generator,
    reads_values,
    refuse,
    smallest_divisor,
)
from gumbel_tutorial.kernels import drawing
from gumbel_tutorial.kernels.launch import MOST_CATEGORIES, interprets, matrix, new_seed
from gumbel_tutorial.kernels.relaxing import Relaxed, StraightThrough

_DTYPES = (torch.float32, torch.bfloat16, torch.float16)


def can_run(logits: Any, dim: int = -1) -> bool:
    """Tell whether the kernels take these logits: a plain tensor of their dtypes and on their device."""
    return (
        type(logits) in (torch.Tensor, torch.nn.Parameter)
        and (logits.is_cuda or (interprets() and logits.is_cpu))
        and logits.dtype in _DTYPES
        and logits.layout is torch.strided
        and logits.ndim > 0
        and 0 < logits.shape[dim] <= MOST_CATEGORIES
    )


def sample(
    logits: torch.Tensor, *, generator: torch.Generator | None = None
) -> torch.Tensor:
    r"""Draw a category of $\mathrm{softmax}(\ell)$ for every row.

    From 512 categories on by one Gumbel for every cell of a row, whose maximum has the law
    $\mathrm{Gumbel}(\log\sum_{i\in c} e^{\ell_i})$, and a second draw within the winning cell; exact, and at
    one exponential a category cheap enough to read the logits as fast as memory gives them.
    Source: Maddison, Tarlow and Minka (2014), *A\* sampling*, for the maximum over a set.

    Args:
        logits: shape ``(..., K)``, on a CUDA device; -inf excludes a category.
        generator: torch's, on that device; None takes the device's default.

    Returns:
        Integer categories, shape ``(...)``.

    Raises:
        TypeError: ``logits`` is not a floating tensor, or ``generator`` not torch's.
        ValueError: the kernels do not take the logits; NaN, +inf or a row of -inf among them.

    Examples:
        >>> sample(torch.zeros(8, 50_257, device="cuda")).shape  # doctest: +SKIP
        torch.Size([8])
    """
    seed = _checked(logits, generator)
    return drawing.draw(matrix(logits.detach()), seed).reshape(logits.shape[:-1])


def gumbel_max(
    logits: torch.Tensor,
    *,
    generator: torch.Generator | None = None,
    cells: bool = False,
) -> tuple[torch.Tensor, torch.Tensor]:
    r"""Return $\arg\max_i(\ell_i+G_i)$ and $\max_i(\ell_i+G_i)$ of every row.

    The two are independent: a category of $\mathrm{softmax}(\ell)$, and a Gumbel at $\log\sum_i e^{\ell_i}$.
    Arguments and errors are those of :func:`sample`; the maximum is float32.

    Args:
        logits: shape ``(..., K)``, on a CUDA device.
        generator: torch's, on that device.
        cells: whether the noise is that of cells, as in :func:`sample`, in place of that of categories, which
            :func:`gumbel_like` shows.
    """
    seed = _checked(logits, generator)
    way = drawing.largest_of_cells if cells else drawing.largest_of_row
    maximum, index = way(matrix(logits.detach()), seed)
    shape = logits.shape[:-1]
    return index.reshape(shape), maximum.reshape(shape)


def gumbel_like(
    logits: torch.Tensor, *, generator: torch.Generator | None = None
) -> torch.Tensor:
    """Return the noise that :func:`gumbel_max` and the relaxed calls make of the generator's state.

    Arguments and errors are those of :func:`sample`; the noise is float32.
    """
    seed = _checked(logits, generator)
    return drawing.noise_of_rows(matrix(logits.detach()), seed).reshape(logits.shape)


def gumbel_softmax(
    logits: torch.Tensor,
    tau: float | torch.Tensor = 1,
    hard: bool = False,
    *,
    generator: torch.Generator | None = None,
) -> torch.Tensor:
    r"""Return relaxed samples $\mathrm{softmax}((\ell+G)/\tau)$, or one-hot ones with their derivative.

    The derivative keeps the result alone; in hard form the logits, which it was given, and two numbers a row.
    Arguments, result and errors are those of :func:`gumbel_tutorial.nn.gumbel_softmax`.

    Examples:
        >>> gumbel_softmax(torch.zeros(8, 10, device="cuda"), 0.5).sum()  # doctest: +SKIP
        tensor(8., device='cuda:0')
    """
    seed = _checked(logits, generator)
    rows, column = matrix(logits), _temperatures(tau, logits)
    if hard:
        relaxed = StraightThrough.apply(rows, column, seed, True)[1]
    else:
        relaxed = Relaxed.apply(rows, column, seed)
    return relaxed.reshape(logits.shape)


def straight_through_index(
    logits: torch.Tensor,
    tau: float | torch.Tensor = 1,
    *,
    generator: torch.Generator | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    r"""Draw the index of a hard Gumbel-softmax sample, and return what takes the derivative of its vector.

    The second result has the shape of the logits, is zero and takes no memory. A gradient that arrives there
    is that of the one-hot vector, and goes on to the logits through $\mathrm{softmax}((\ell+G)/\tau)$, made
    again in the backward pass from the same noise: nothing of the size of the logits is made or kept, but
    for the logits themselves. :func:`embed` is the product of the vector with a matrix.
    Arguments and errors are those of :func:`gumbel_softmax`.

    Returns:
        Integer categories, shape ``(...)``, and zeros of the shape of ``logits``.
    """
    seed = _checked(logits, generator)
    rows, column = matrix(logits), _temperatures(tau, logits)
    index, carrier = StraightThrough.apply(rows, column, seed, False)
    return index.reshape(logits.shape[:-1]), carrier.reshape(logits.shape)


def embed(
    index: torch.Tensor, carrier: torch.Tensor, weight: torch.Tensor
) -> torch.Tensor:
    r"""Return the rows $W_x$ of a matrix: its product with vectors of :func:`straight_through_index`.

    Args:
        index: categories, shape ``(...)``.
        carrier: what takes the derivative of their vectors, shape ``(..., K)``.
        weight: shape ``(K, D)``.

    Returns:
        Shape ``(..., D)``.

    Raises:
        ValueError: ``weight`` has not K rows.
    """
    if weight.ndim != 2 or weight.shape[0] != carrier.shape[-1]:
        requirement = f"have a row for each of the {carrier.shape[-1]} categories"
        refuse("weight", requirement, f"shape {tuple(weight.shape)}")
    return _Embedding.apply(index, carrier, weight)


class _Embedding(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, index: Any, carrier: Any, weight: Any) -> torch.Tensor:
        del carrier  # which takes the derivative, and has no value
        ctx.save_for_backward(index, weight)
        return weight[index]

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        index, weight = ctx.saved_tensors
        rows = grads[0].reshape(-1, weight.shape[1])
        weight_grad = torch.zeros_like(weight).index_add(0, index.reshape(-1), rows)
        return None, grads[0] @ weight.T, weight_grad


def _checked(logits: Any, generator: Any) -> torch.Tensor:
    """Check what all calls take, and draw their seed."""
    check_floating(logits, "logits")
    if not can_run(logits):
        requirement = "be float32, bfloat16 or float16 on a CUDA device, with at least one category"
        got = f"{logits.dtype} of shape {tuple(logits.shape)} on {logits.device}"
        refuse("logits", requirement, got)
    if generator is not None:
        check_torch_generator(generator, logits.device)
    if reads_values():
        check_logits(logits)
    return new_seed(logits.device, generator)


def _temperatures(tau: Any, logits: torch.Tensor) -> float | torch.Tensor:
    """Return one temperature, or one a row."""
    check_temperature(tau, logits, "tau", least=smallest_divisor(logits))
    if not isinstance(tau, torch.Tensor):
        return float(tau)
    return row_temperatures(tau, logits)


def row_temperatures(tau: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
    """Return a tensor of temperatures as one for each row."""
    shape = (*logits.shape[:-1], 1)
    return tau.to(torch.float32).expand(shape).reshape(-1).contiguous()
