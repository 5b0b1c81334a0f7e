"""A batch shared among processes, each of which draws the noise of the whole batch and keeps its own rows.

So two processes with half a batch each take the step that one process takes, noise and all.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.distributed

from gumbel_tutorial.estimators.protocol import Estimator, Losses


@dataclass(frozen=True)
class Share:
    """One process's share of every batch: its rank, and the number of processes."""

    rank: int
    count: int

    def check(self, batch_size: int, estimator: str) -> None:
        """Require a batch that the processes can divide, and an estimator that a batch can be divided for."""
        if batch_size % self.count:
            raise ValueError(
                f"batch_size must be a multiple of the {self.count} processes, got {batch_size}"
            )
        if self.count > 1 and estimator == "relax":
            # Its control variate learns from the variance over the whole batch.
            raise ValueError(
                "estimator must not be relax with several processes, got relax"
            )

    def most(self, count: int) -> int:
        """Return the largest number up to ``count`` that the processes can divide."""
        if count < self.count:
            raise ValueError(
                f"labelled must hold an image for each of the {self.count} processes, got {count}"
            )
        return count - count % self.count

    def rows(self, batch_size: int) -> slice:
        """Return this process's rows of a batch."""
        size = batch_size // self.count
        return slice(self.rank * size, (self.rank + 1) * size)

    def normal(
        self, shape: Sequence[int], *, generator: torch.Generator
    ) -> torch.Tensor:
        """Return standard normal noise ``(..., rows, d)`` for this process's rows of the whole batch's."""
        *leading, rows, size = shape
        whole = (*leading, rows * self.count, size)
        noise = torch.randn(whole, generator=generator, device=generator.device)
        return noise[..., self.rows(rows * self.count), :]

    def mean(self, losses: torch.Tensor) -> float:
        """Return the mean loss over all processes."""
        mean = losses.detach().mean()
        if self.count > 1:
            torch.distributed.all_reduce(mean)
            mean /= self.count
        return mean.item()

    def any(self, flag: bool, device: torch.device) -> bool:
        """Tell whether the flag is set in any process."""
        if self.count == 1:
            return flag
        flags = torch.tensor(float(flag), device=device)
        torch.distributed.all_reduce(flags)
        return flags.item() > 0

    def spread(self, estimator: Estimator) -> Estimator:
        """Return an estimator for this process's rows ``(rows, N, K)`` that acts on the whole batch.

        Rows of other processes are zero logits; their losses come from those processes, as numbers.
        """
        if self.count == 1:
            return estimator

        def shared(
            f: Losses, logits: torch.Tensor, *, generator: torch.Generator
        ) -> torch.Tensor:
            own = self.rows(logits.shape[-3] * self.count)

            def losses(samples: torch.Tensor) -> torch.Tensor:
                return self._gather(f(samples[..., own, :, :]))

            whole = [torch.zeros_like(logits)] * self.count
            whole[self.rank] = logits
            loss = estimator(losses, torch.cat(whole, -3), generator=generator)
            return loss[..., own]

        return shared

    def _gather(self, losses: torch.Tensor) -> torch.Tensor:
        parts = [torch.empty_like(losses) for _ in range(self.count)]
        torch.distributed.all_gather(parts, losses.detach().contiguous())
        parts[self.rank] = losses
        return torch.cat(parts, -1)
