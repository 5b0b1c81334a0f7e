"""Square images made smaller, by the means of blocks of pixels."""

import math

from torch.nn import functional as F

from gumbel_tutorial.checks import check_count, refuse
from gumbel_tutorial.vae.data.images import Images


def pooled(images: Images, side: int) -> Images:
    """Return images whose pixels are the means of square blocks.

    Args:
        images: square ones, grey or binary.
        side: side of a block in pixels, which divides that of the images; 1 leaves them as they are.

    Raises:
        ValueError: a side below 1; images that are not square, or that the blocks do not tile.

    Examples:
        >>> import torch
        >>> pooled(Images(torch.tensor([[0.0, 1.0, 0.5, 0.5]])), 2).pixels
        tensor([[0.5000]])
    """
    side = check_count(side, "side", 1)
    if side == 1:
        return images
    num_pixels = images.pixels.shape[-1]
    whole = math.isqrt(num_pixels)
    if whole**2 != num_pixels or whole % side:
        requirement = f"be square images that blocks of {side} by {side} pixels tile"
        refuse("images", requirement, f"{num_pixels} pixels")
    pictures = images.pixels.reshape(-1, 1, whole, whole)
    return images._replace(pixels=F.avg_pool2d(pictures, side).flatten(1))
