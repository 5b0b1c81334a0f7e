"""Which images a step shows, and what else a seed decides before the first step."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

# Counters of epochs are added to a seed: those of neighbouring runs, and of the labelled images, must not
# reach each other.
_BETWEEN_SEEDS, _TO_THE_LABELLED = 1_000_003, 500_000


class Order:
    """The rows of every step: a new permutation each epoch, a function of the seed and the step alone.

    So the step says where in the data a run is. What is left over of an epoch is not used in it.

    Args:
        count: number of images.
        size: images per batch; with all of them every step shows them in their order.
        seed: seed of the run.
        labelled: whether the images are the labelled ones of the run, whose order is another.

    Examples:
        >>> order = Order(5, 2, seed=0)
        >>> [order.rows(step).tolist() for step in range(3)]
        [[4, 0], [1, 3], [0, 4]]
    """

    def __init__(self, count: int, size: int, seed: int, *, labelled: bool = False):
        self.count, self.size = count, size
        self.seed = seed * _BETWEEN_SEEDS + labelled * _TO_THE_LABELLED
        self._epoch, self._order = -1, torch.empty(0, dtype=torch.long)

    def rows(self, step: int) -> torch.Tensor:
        """Return the indices of the images of a step, from 0."""
        if self.size == self.count:
            return torch.arange(self.count)
        epoch, position = divmod(step, self.count // self.size)
        if epoch != self._epoch:
            generator = torch.Generator().manual_seed(self.seed + epoch)
            self._order = torch.randperm(self.count, generator=generator)
            self._epoch = epoch
        return self._order[position * self.size :][: self.size]


def is_due(step: int, every: int, steps: int) -> bool:
    """Tell whether something is done after a step, counted from 1; the last one is never left out."""
    return step % every == 0 or step == steps


@contextmanager
def first_weights(seed: int) -> Iterator[None]:
    """Initialise layers from a seed.

    torch's layers use the global generator, whose state is restored afterwards.
    """
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield
