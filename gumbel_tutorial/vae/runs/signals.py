"""Signals that ask a run to stop: it finishes the step, saves, and says so."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
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
    """Raise :class:`Stopped` where such a signal arrives, for work that may be dropped at any moment."""

    def stop(number: int, frame: FrameType | None) -> None:
        del frame
        raise Stopped(number, state)

    with _handled_by(stop):
        yield


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
