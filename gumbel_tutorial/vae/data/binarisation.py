"""Grey levels made binary: fixed once, drawn anew each time, or cut at one half."""

import torch

from gumbel_tutorial import noise
from gumbel_tutorial.checks import (
    check_floating,
    check_probability,
    check_torch_generator,
)

#: The seed of the fixed binarisation, unless another is named.
FIXED_SEED = 2008

BINARISATIONS = ("fixed", "dynamic", "threshold", "grey")

# Noise for all of MNIST at once would take a gigabyte.
_PIXELS_AT_ONCE = 2**20


def binarise(
    pixels: torch.Tensor,
    how: str,
    *,
    seed: int | None = None,
    generator: torch.Generator | None = None,
) -> torch.Tensor:
    """Return grey levels made binary in one of four ways, chosen by name.

    Args:
        pixels: grey levels in [0, 1], floating, of any shape.
        how: ``"fixed"``, ``"dynamic"``, ``"threshold"``, each the function of that name, or ``"grey"``, which
            returns the grey levels themselves.
        seed: seed of the draw, for ``"fixed"`` alone; by default ``FIXED_SEED``.
        generator: draws the pixels, for ``"dynamic"`` alone, which needs one.

    Raises:
        TypeError: ``pixels`` are no floating tensor; ``seed`` or ``generator`` is given where it would do
            nothing, or ``generator`` is missing where it is needed.
        ValueError: ``how`` is no known name; a pixel is outside [0, 1]; ``generator`` is on another device.

    Examples:
        >>> binarise(torch.tensor([0.0, 0.4, 0.5, 1.0]), "threshold")
        tensor([0., 0., 1., 1.])
    """
    if how not in BINARISATIONS:
        raise ValueError(f"how must be one of {', '.join(BINARISATIONS)}, got {how!r}")
    if seed is not None and how != "fixed":
        raise TypeError(f"seed must be None unless how is 'fixed', got {seed}")
    if generator is not None and how != "dynamic":
        raise TypeError("generator must be None unless how is 'dynamic', got one")
    if how == "fixed":
        return fixed(pixels, seed=FIXED_SEED if seed is None else seed)
    if how == "dynamic":
        if generator is None:
            raise TypeError("generator must be given when how is 'dynamic', got None")
        return dynamic(pixels, generator=generator)
    if how == "threshold":
        return threshold(pixels)
    _check_grey(pixels)
    return pixels


def fixed(pixels: torch.Tensor, *, seed: int = FIXED_SEED) -> torch.Tensor:
    """Set each pixel with probability its grey level, once and for all: the seed decides.

    The binarised MNIST of Salakhutdinov and Murray (2008) is one draw of this law, and this is another.
    Numbers measured on the two differ slightly, by the chance of the draw. The draw is made on the CPU, so
    that a seed means the same images on every device. Give each split a seed of its own, or they share noise.

    Args:
        pixels: grey levels in [0, 1], floating, of any shape.
        seed: seed of the draw.

    Returns:
        Zeros and ones, of the shape, dtype and device of the pixels.

    Raises:
        TypeError: ``pixels`` are no floating tensor.
        ValueError: a pixel is outside [0, 1].

    Examples:
        >>> fixed(torch.full((8,), 0.5), seed=0)
        tensor([0., 0., 1., 0., 0., 0., 1., 1.])
    """
    _check_grey(pixels)
    generator = torch.Generator().manual_seed(seed)
    blocks = pixels.cpu().reshape(-1).split(_PIXELS_AT_ONCE)
    draws = torch.cat([_draw(block, generator) for block in blocks])
    return draws.reshape(pixels.shape).to(pixels.device)


def dynamic(pixels: torch.Tensor, *, generator: torch.Generator) -> torch.Tensor:
    """Set each pixel with probability its grey level, anew in every call.

    Args:
        pixels: grey levels in [0, 1], floating, of any shape.
        generator: on the device of the pixels.

    Returns:
        Zeros and ones, of the shape and dtype of the pixels.

    Raises:
        TypeError: ``pixels`` are no floating tensor, or ``generator`` is no ``torch.Generator``.
        ValueError: a pixel is outside [0, 1]; ``generator`` is on another device.

    Examples:
        >>> generator = torch.Generator().manual_seed(0)
        >>> dynamic(torch.tensor([0.0, 0.5, 0.5, 1.0]), generator=generator)
        tensor([0., 0., 1., 1.])
    """
    _check_grey(pixels)
    check_torch_generator(generator, pixels.device)
    return _draw(pixels, generator)


def threshold(pixels: torch.Tensor) -> torch.Tensor:
    """Set the pixels whose grey level is at least one half: no chance, and harder edges than the others.

    Args:
        pixels: grey levels in [0, 1], floating, of any shape.

    Returns:
        Zeros and ones, of the shape, dtype and device of the pixels.

    Raises:
        TypeError: ``pixels`` are no floating tensor.
        ValueError: a pixel is outside [0, 1].

    Examples:
        >>> threshold(torch.tensor([0.0, 0.4, 0.5, 1.0]))
        tensor([0., 0., 1., 1.])
    """
    _check_grey(pixels)
    return (pixels >= 0.5).to(pixels.dtype)


def _check_grey(pixels: torch.Tensor) -> None:
    if not isinstance(pixels, torch.Tensor):
        raise TypeError(f"pixels must be a torch.Tensor, got {type(pixels).__name__}")
    check_floating(pixels, "pixels")
    check_probability(pixels, "pixels")


def _draw(pixels: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    # The noise is never 0 and never 1, so black stays black and white stays white. It is not rounded to the
    # dtype of the pixels: in bfloat16 a grey level would lose up to 0.002 of its probability.
    draws = noise.uniform(pixels.shape, generator=generator, dtype=torch.float64)
    return (draws < pixels).to(pixels.dtype)
