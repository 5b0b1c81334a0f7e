"""How codes enter and leave a network: categories as K numbers, bits as one."""

import math

import torch

from gumbel_tutorial import noise
from gumbel_tutorial.arrays import widen
from gumbel_tutorial.checks import extremes, first_true, refuse
from gumbel_tutorial.estimators.protocol import as_one_hot


def width(num_latents: int, num_categories: int) -> int:
    """Return how many numbers a network gives, or takes, for the codes: N K, or N for bits."""
    return num_latents if num_categories == 2 else num_latents * num_categories


def as_logits(outputs: torch.Tensor, num_categories: int) -> torch.Tensor:
    r"""Return outputs of a network as logits, ``(..., width)`` to ``(..., N, K)``.

    The one output $\alpha$ of a bit stands for the logits $(0, \alpha)$. Outputs in half precision become
    float32, since divergences are sums of small differences.
    """
    outputs = widen(outputs)
    if num_categories == 2:
        return torch.stack([torch.zeros_like(outputs), outputs], -1)
    return outputs.unflatten(-1, (-1, num_categories))


def as_inputs(codes: torch.Tensor) -> torch.Tensor:
    """Return codes as inputs of a network, ``(..., N, K)`` to ``(..., width)``; of a bit its second entry."""
    return codes[..., 1] if codes.shape[-1] == 2 else codes.flatten(-2)


def check_finite(logits: torch.Tensor) -> torch.Tensor:
    """Return the logits of a model, which are finite unless its training has diverged."""
    found = extremes(logits)
    if found is not None and not all(map(math.isfinite, found)):
        where = first_true(~logits.isfinite())
        assert where is not None
        refuse("logits", "be finite", logits[where].item(), FloatingPointError)
    return logits


def draw_codes(
    logits: torch.Tensor, num_samples: int, *, generator: torch.Generator
) -> torch.Tensor:
    """Draw one-hot codes to evaluate with, ``(..., N, K)`` to ``(num_samples, ..., N, K)``.

    By ``torch.multinomial``, not the package's samplers: many samples of few laws are cheaper by a table
    of the laws than by Gumbel noise for every sample. Bits take one comparison each, which is far cheaper
    where the laws are many. The logits must be finite, which the models have checked.
    """
    if logits.shape[-1] == 2:
        return _draw_bits(logits, num_samples, generator=generator)
    probs = logits.softmax(-1).flatten(0, -2)
    index = torch.multinomial(probs, num_samples, replacement=True, generator=generator)
    return as_one_hot(index.T.reshape(num_samples, *logits.shape[:-1]), logits)


def _draw_bits(
    logits: torch.Tensor, num_samples: int, *, generator: torch.Generator
) -> torch.Tensor:
    probs = widen(logits[..., 1] - logits[..., 0]).sigmoid()
    # In float32 a uniform would fall below the smallest probabilities much too often.
    shape = (num_samples, *probs.shape)
    uniform = noise.uniform(shape, generator=generator, dtype=torch.float64)
    bits = (uniform < probs).to(logits.dtype)
    return torch.stack([1 - bits, bits], -1)
