"""Blocks of pixels become their means, in place, and only where they tile the image."""

import pytest
import torch

from gumbel_tutorial.vae.data.images import Images
from gumbel_tutorial.vae.data.pooling import pooled


def test_pixels_are_the_means_of_their_blocks_in_place(torch_generator):
    pictures = torch.rand(5, 6, 6, generator=torch_generator)
    images = Images(pictures.flatten(1), torch.arange(5))
    small = pooled(images, 3)
    assert torch.equal(small.labels, images.labels)
    for row in range(2):
        for column in range(2):
            block = pictures[:, 3 * row : 3 * row + 3, 3 * column : 3 * column + 3]
            found = small.pixels[:, 2 * row + column]
            torch.testing.assert_close(found, block.mean((1, 2)))


def test_white_stays_white_and_one_leaves_the_images_alone():
    white = Images(torch.ones(2, 36))
    for side in (2, 3, 6):
        assert (pooled(white, side).pixels == 1).all()
    assert pooled(white, 1) is white
    assert pooled(Images(torch.ones(2, 7)), 1).pixels.shape == (2, 7)


@pytest.mark.parametrize(
    ("num_pixels", "side", "message"),
    [
        (36, 4, "images must be square images that blocks of 4 by 4 .* got 36 pixels"),
        (35, 5, "images must be square images that blocks of 5 by 5 .* got 35 pixels"),
        (36, 0, "side must be a whole number of at least 1, got 0"),
    ],
)
def test_blocks_that_do_not_tile_are_refused(num_pixels, side, message):
    with pytest.raises(ValueError, match=message):
        pooled(Images(torch.ones(2, num_pixels)), side)
