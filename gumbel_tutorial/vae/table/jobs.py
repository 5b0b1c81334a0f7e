"""Jobs in processes: so many at a time, each result kept as it comes, and none lost when they are stopped."""

import os
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
from contextlib import ExitStack, contextmanager
from multiprocessing import active_children, get_context, parent_process
from threading import Thread
from typing import TypeVar

import torch
from tqdm import tqdm

_Job = TypeVar("_Job")
_Result = TypeVar("_Result")
_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_STOPPING = "stopping when the {} at hand are done; interrupt once more to drop them"


@contextmanager
def workers(count: int) -> Iterator[list[Executor]]:
    """Start processes of one thread each; they end with the context, at once when it is interrupted.

    Each is a pool of its own, so that one that dies takes no other with it.
    """
    others = active_children()
    with ExitStack() as stack:
        spawn = get_context("spawn")
        pools = [ProcessPoolExecutor(1, spawn, _prepare) for _ in range(count)]
        for pool in pools:
            stack.callback(pool.shutdown, cancel_futures=True)
        try:
            yield list[Executor](pools)
        except KeyboardInterrupt:
            for child in set(active_children()) - set(others):
                child.kill()
            raise


def _prepare() -> None:
    # Jobs side by side use the processor's cores better than one job on all of them.
    torch.set_num_threads(1)
    # A signal to all processes is for the command, which then begins no more jobs.
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
    Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def finish(
    jobs: Sequence[_Job],
    work: Callable[[_Job], _Result],
    keep: Callable[[_Result], None],
    *,
    pools: Sequence[Executor],
    caught: Sequence[int],
    label: str,
) -> None:
    """Do jobs, and keep the result of each as soon as it is done.

    After a signal, or an error of a job or of keeping its result, no job is begun any more; those at hand
    are finished and kept.

    Args:
        jobs: what is done, in this order.
        work: does one, in a process.
        keep: takes a result, in this process.
        pools: as :func:`workers` gives them; each has one job at a time, so that none waits in a queue, which
            could not be told to leave it.
        caught: signals, as :func:`~gumbel_tutorial.vae.runs.signals.collected` gives them.
        label: of the progress bar.

    Raises:
        Exception: the first error, after the jobs at hand.
    """
    if caught or not jobs:
        return
    waiting, idle = deque(jobs), list(pools)
    running: dict[Future[_Result], Executor] = {}
    errors: list[Exception] = []
    told = False
    with tqdm(total=len(jobs), desc=label) as bar:
        while running or (waiting and not caught and not errors):
            while waiting and idle and not caught and not errors:
                pool = idle.pop()
                running[_begin(pool, work, waiting.popleft())] = pool
            if caught and not told:
                told = True
                bar.write(_STOPPING.format(len(running)), file=sys.stderr)
            done, _ = wait(running, timeout=0.5, return_when=FIRST_COMPLETED)
            for future in done:
                idle.append(running.pop(future))
                try:
                    keep(future.result())
                    bar.update()
                except Exception as error:
                    errors.append(error)
    if errors:
        raise errors[0]


def _begin(
    pool: Executor, work: Callable[[_Job], _Result], job: _Job
) -> Future[_Result]:
    """Hand a job to a pool; what keeps it from taking it is the error of the job."""
    # The process that this may start inherits the mask, until it knows what to do with a signal.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        return pool.submit(work, job)
    except Exception as error:
        failed: Future[_Result] = Future()
        failed.set_exception(error)
        return failed
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
