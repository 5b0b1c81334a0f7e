"""SIGINT and SIGTERM as a wish to stop at the next good moment."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Stopped(Exception):
    """A signal ended the work; what was done is saved.

    Args:
        number: of the signal.
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

    before = {n: signal.signal(n, note) for n in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield caught
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
