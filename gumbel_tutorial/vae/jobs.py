"""Jobs in processes: so many at a time, each result kept as it comes, and none lost when they are stopped."""

import signal
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import (
    FIRST_COMPLETED,
    Executor,
    Future,
    ProcessPoolExecutor,
    wait,
)
from contextlib import contextmanager
from multiprocessing import active_children, get_context
from typing import TypeVar

import torch
from tqdm import tqdm

_Job = TypeVar("_Job")
_Result = TypeVar("_Result")


@contextmanager
def workers(count: int) -> Iterator[Executor]:
    """Start processes of one thread each; they end with the context, at once when it is interrupted."""
    pool = ProcessPoolExecutor(count, get_context("spawn"), _prepare)
    try:
        yield pool
    except KeyboardInterrupt:
        for child in active_children():
            child.terminate()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _prepare() -> None:
    # Jobs side by side use the processor's cores better than one job on all of them.
    torch.set_num_threads(1)
    # An interrupt is for the command, which then begins no more jobs.
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def finish(
    jobs: Sequence[_Job],
    work: Callable[[_Job], _Result],
    keep: Callable[[_Result], None],
    *,
    pool: Executor,
    at_a_time: int,
    caught: Sequence[int],
    label: str,
) -> None:
    """Do jobs, and keep the result of each as soon as it is done.

    After a signal, or an error of a job or of keeping its result, no job is begun any more; those at hand
    are finished and kept.

    Args:
        jobs: what is done, in this order.
        work: does one, in a process of the pool.
        keep: takes a result, in this process.
        pool: does the work.
        at_a_time: how many jobs; none waits in the pool itself, which could not be told to leave it.
        caught: signals, as :func:`~gumbel_tutorial.vae.signals.collected` gives them.
        label: of the progress bar.

    Raises:
        Exception: the first error, after the jobs at hand.
    """
    if caught or not jobs:
        return
    waiting, running = deque(jobs), set[Future[_Result]]()
    errors: list[Exception] = []
    told = False
    with tqdm(total=len(jobs), desc=label) as bar:
        while running or (waiting and not caught and not errors):
            while waiting and len(running) < at_a_time and not caught and not errors:
                running.add(pool.submit(work, waiting.popleft()))
            if caught and not told:
                told = True
                bar.write(_STOPPING.format(len(running)), file=sys.stderr)
            done, running = wait(running, timeout=0.5, return_when=FIRST_COMPLETED)
            for future in done:
                try:
                    keep(future.result())
                    bar.update()
                except Exception as error:
                    errors.append(error)
    if errors:
        raise errors[0]


_STOPPING = "stopping after the {} runs at hand; interrupt once more to drop them"
