"""Bias and variance of an estimator all of whose values are known, with no draw."""

import torch

from gumbel_tutorial.checks import refuse


def exact_moments(
    estimates: torch.Tensor, law: torch.Tensor, gradient: torch.Tensor
) -> tuple[float, float]:
    r"""Return bias and variance relative to the exact gradient g, as a ``Measurement`` does.

    $\lVert\mathbb E\hat g - g\rVert/\lVert g\rVert$ and
    $\mathbb E\lVert\hat g - \mathbb E\hat g\rVert^2/\lVert g\rVert^2$.

    Args:
        estimates: every value that the estimate may have, ``(n, K)``.
        law: their probabilities, ``(n,)``.
        gradient: g, shape ``(K,)``, not zero.

    Raises:
        ValueError: shapes that do not match, a gradient of zero.

    Examples:
        >>> both = torch.tensor([[1.0, -1.0], [3.0, -3.0]])
        >>> exact_moments(both, torch.tensor([0.5, 0.5]), torch.tensor([2.0, -2.0]))
        (0.0, 0.25)
    """
    if estimates.shape != (*law.shape, *gradient.shape):
        shape = (*law.shape, *gradient.shape)
        refuse("estimates", f"have shape {shape}", f"shape {tuple(estimates.shape)}")
    size = gradient.square().sum()
    if size == 0:
        refuse("gradient", "not be zero", "norm 0")
    mean = law @ estimates
    bias = (mean - gradient).square().sum() / size
    variance = law @ (estimates - mean).square().sum(-1) / size
    return bias.sqrt().item(), variance.item()
