"""Signals that ask a run to stop: it finishes the step, saves, and says so."""

import signal
import sys
from _thread import interrupt_main
from collections.abc import Iterator
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from threading import Thread
from types import FrameType

# The last says that the terminal has closed; not every system has it.
_SIGNALS = [
    getattr(signal, name)
    for name in ("SIGINT", "SIGTERM", "SIGHUP")
    if hasattr(signal, name)
]


class Stopped(Exception):
    """A signal ended the work; what was done is saved.

    Args:
        number: number of the signal.
        state: what was done, and how it goes on.
    """

    def __init__(self, number: int, state: str) -> None:
        super().__init__(f"stopped by {signal.Signals(number).name} {state}")
        self.exit_code = 128 + number


@contextmanager
def collected() -> Iterator[list[int]]:
    """Collect the numbers of these signals instead of dying of them; SIGINT after any interrupts at once."""
    caught: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        del frame
        if number == signal.SIGINT and caught:
            raise KeyboardInterrupt
        caught.append(number)

    with _handled_by(note):
        yield caught


@contextmanager
def raised(state: str) -> Iterator[None]:
    """Raise :class:`Stopped` where such a signal arrives, for work that may be dropped at any moment.

    Where the work swallows it (a finaliser or a callback of the interpreter has nobody to raise to), it is
    raised again every second until the context ends.
    """
    asked: SimpleQueue[signal.Signals | None] = SimpleQueue()

    def stop(number: int, frame: FrameType | None) -> None:
        del frame
        # On its way already, it may be ending other processes, and they would be left behind.
        if not isinstance(sys.exception(), Stopped):
            asked.put(signal.Signals(number))
            raise Stopped(number, state)

    Thread(target=_repeat, args=(asked,), daemon=True).start()
    with _handled_by(stop):
        try:
            yield
        finally:
            asked.put(None)


def _repeat(asked: "SimpleQueue[signal.Signals | None]") -> None:
    """Let the last signal arrive again every second, until None says that the work has ended."""
    last = asked.get()
    while last is not None:
        try:
            following = asked.get(timeout=1)
        except Empty:
            interrupt_main(last)
        else:
            last = following


@contextmanager
def _handled_by(handler: "signal._HANDLER") -> Iterator[None]:
    # What is ignored stays so: nohup asks for that.
    numbers = [n for n in _SIGNALS if signal.getsignal(n) != signal.SIG_IGN]
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, former in before.items():
            signal.signal(number, former)
