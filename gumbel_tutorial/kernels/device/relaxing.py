r"""Kernels of the relaxed sample $y = \mathrm{softmax}((\ell+G)/\tau)$ and of its derivative.

$\partial L/\partial\ell_i = y_i\,(g_i - \langle g,y\rangle)/\tau$ needs y and g alone, and y is either
what was returned, or made again from the logits and the same noise where only an index was returned. The
derivative in $\tau$ is $-\sum_i y_i\,(g_i-\langle g,y\rangle)\ln y_i/\tau$: what the logarithm of y lacks to
$(\ell+G)/\tau$ is the same in a row, and falls out of the sum.
"""

import triton
import triton.language as tl

from gumbel_tutorial.kernels.device.drawing import (
    LOG2_E,
    finite_or_zero,
    perturbed_tile,
)
from gumbel_tutorial.kernels.device.gumbel_noise import LN_2, log2
from gumbel_tutorial.kernels.device.tiles import (
    load_column,
    load_tile,
    store_share,
    store_tile,
    temperatures,
    tile_of,
)

# How much of the derivative a program makes: all of it, its share of <g, y>, or its share of the result.
WHOLE = tl.constexpr(0)
PRODUCTS = tl.constexpr(1)
RESULT = tl.constexpr(2)


@triton.jit
def soft_kernel(
    logits,
    stride,
    seed,
    tau,
    taus,
    maxima,
    sums,
    out,
    num_rows,
    num_categories,
    ROWS: tl.constexpr,
    BLOCK: tl.constexpr,
    ALIGN: tl.constexpr,
    HAS_TAUS: tl.constexpr,
    HAS_SUMS: tl.constexpr,
    REFINED_BELOW: tl.constexpr,
):
    """Write relaxed samples. A program holds whole rows, or is given the maxima and sums of the rows.

    A category costs 4 bytes read and 4 written in float32; where rows are longer than a program can hold,
    gumbel_max_kernel has read 4 before, and the noise is made twice.
    """
    tile = tile_of(ROWS, BLOCK)
    size = (num_rows, num_categories)
    values = perturbed_tile((logits, stride), seed, tile, size, ALIGN, REFINED_BELOW)
    scale = LOG2_E / temperatures(tau, taus, tile, size, HAS_TAUS)
    if HAS_SUMS:
        largest = load_column(maxima, tile, size, 0.0)
        total = load_column(sums, tile, size, 1.0)
        weights = tl.exp2((values - largest) * scale)
    else:
        largest = finite_or_zero(tl.max(values, axis=1, keep_dims=True))
        weights = tl.exp2((values - largest) * scale)
        total = tl.sum(weights, axis=1, keep_dims=True)
    relaxed = weights * (1 / tl.where(total > 0, total, 1.0))
    store_tile(out, relaxed, tile, size, ALIGN)


@triton.jit
def backward_kernel(
    relaxed,
    stride,
    grads,
    grad_stride,
    seed,
    tau,
    taus,
    maxima,
    sums,
    products,
    out,
    tau_grads,
    num_rows,
    num_categories,
    ROWS: tl.constexpr,
    BLOCK: tl.constexpr,
    ALIGN: tl.constexpr,
    HAS_TAUS: tl.constexpr,
    REMADE: tl.constexpr,
    SHARE: tl.constexpr,
    TAU_GRADS: tl.constexpr,
    REFINED_BELOW: tl.constexpr,
):
    """Write the derivative in the logits and, if asked, each chunk's share of that in the temperature.

    ``relaxed`` is y, or where it is REMADE the logits. A category costs 8 bytes read and 4 written in
    float32; where rows are longer than a program can hold, 8 more are read for the products, before.
    """
    tile = tile_of(ROWS, BLOCK)
    size = (num_rows, num_categories)
    matrix = (relaxed, stride)
    temperature = temperatures(tau, taus, tile, size, HAS_TAUS)
    if REMADE:
        values = perturbed_tile(matrix, seed, tile, size, ALIGN, REFINED_BELOW)
        largest = load_column(maxima, tile, size, 0.0)
        total = load_column(sums, tile, size, 1.0)
        y = tl.exp2((values - largest) * (LOG2_E / temperature)) * (1 / total)
    else:
        y = load_tile(matrix, tile, size, 0.0, ALIGN)
    g = load_tile((grads, grad_stride), tile, size, 0.0, ALIGN)
    if SHARE == RESULT:
        product = load_column(products, tile, size, 0.0)
    else:
        product = tl.sum(y * g, axis=1, keep_dims=True)
    if SHARE == PRODUCTS:
        store_share(products, product, tile, size)
    else:
        grad = y * (g - product) * (1 / temperature)
        store_tile(out, grad, tile, size, ALIGN)
        if TAU_GRADS:
            # What is below the normal numbers has no logarithm here, and no share that counts.
            logs = log2(tl.maximum(y, 2.0**-126))
            total = tl.sum(grad * logs, axis=1, keep_dims=True)
            store_share(tau_grads, total * -LN_2, tile, size)
