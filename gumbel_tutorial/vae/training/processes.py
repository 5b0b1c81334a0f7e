"""Several processes that train one model, as ``torchrun`` starts them; one process is the plain case.

Each takes its own rows of every batch and draws its own noise, from a generator seeded by the run's seed and
its rank; their gradients are averaged. So a run is repeated exactly by the same number of processes, and
another number takes other steps, whose gradient has the same law but for what an estimator reads off a whole
batch: a moving average, or the variance that RELAX lowers, is that of a process's own rows.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed

from gumbel_tutorial.checks import refuse
from gumbel_tutorial.vae.training.device import find_device

# Larger than any run's seed, so that two runs never share a process's draws.
_BETWEEN_RANKS = 2**32


@dataclass(frozen=True)
class Processes:
    """The processes of a run as one of them sees them.

    Attributes:
        rank: number of this process, from 0.
        count: number of all processes.

    Examples:
        >>> Processes(rank=1, count=4).rows(100)
        slice(25, 50, None)
    """

    rank: int = 0
    count: int = 1

    def check_batch(self, batch_size: int) -> None:
        """Require a batch that the processes can divide."""
        if batch_size % self.count:
            refuse(
                "batch_size", f"be a multiple of the {self.count} processes", batch_size
            )

    def largest_multiple(self, count: int) -> int:
        """Return the largest number of labelled images up to ``count`` that the processes can divide."""
        if count < self.count:
            refuse(
                "labelled",
                f"hold an image for each of the {self.count} processes",
                count,
            )
        return count - count % self.count

    def rows(self, batch_size: int) -> slice:
        """Return this process's rows of a batch."""
        size = batch_size // self.count
        return slice(self.rank * size, (self.rank + 1) * size)

    def seed(self, seed: int) -> int:
        """Return the seed of this process's own noise; that of the first is the run's."""
        return seed + self.rank * _BETWEEN_RANKS

    def mean(self, own: torch.Tensor) -> float:
        """Return the mean over all processes of a number of each, a tensor without axes."""
        mean = own.detach()
        if self.count > 1:
            mean = mean.clone()
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

    def gather(self, own: Any) -> list[Any]:
        """Return every process's object in every process, by rank."""
        found: list[Any] = [own]
        if self.count > 1:
            found *= self.count
            torch.distributed.all_gather_object(found, own)
        return found


#: The plain case.
ALONE = Processes()


class ReportedElsewhere(Exception):
    """Another process of the run met an error first, and reports it."""

    def __init__(self, exit_code: int) -> None:
        super().__init__("another process of the run reports the error")
        self.exit_code = exit_code


@contextmanager
def joined(device: str | None) -> Iterator[tuple[Processes, torch.device]]:
    """Join the other processes that torchrun started, if it did, and find this one's device.

    Args:
        device: a name; None is cuda where there is one, or else cpu.

    Raises:
        ValueError: the machine has no such device.
        ReportedElsewhere: another process has raised an error before.
    """
    kind = device or ("cuda" if torch.cuda.is_available() else "cpu")
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield ALONE, find_device(kind)
        return
    store, rank, count = next(torch.distributed.rendezvous("env://"))
    with reported_once(store):
        own = find_device(kind)
    if own.type == "cuda":
        own = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(own)
    torch.distributed.init_process_group(
        "nccl" if own.type == "cuda" else "gloo",
        store=store,
        rank=rank,
        world_size=count,
    )
    try:
        # An error is known to the store before the others notice that this process is gone.
        with reported_once(store):
            yield Processes(rank, count), own
    finally:
        torch.distributed.destroy_process_group()


@contextmanager
def reported_once(store: torch.distributed.Store) -> Iterator[None]:
    """Let the first process that fails raise its error, while the others exit quietly.

    The others fail too, by the same error or because a process is gone. A store is used because a collective
    would hang once one is.
    """
    try:
        yield
    except Exception as error:
        if _count_failure(store) > 1:
            raise ReportedElsewhere(getattr(error, "exit_code", 1)) from error
        raise


def _count_failure(store: torch.distributed.Store) -> int:
    """Return how many processes have failed, this one included; 1 where the store is gone."""
    try:
        return store.add("failures", 1)
    except RuntimeError:
        return 1
