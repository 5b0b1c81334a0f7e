"""Signals as a terminal leaves them, whoever starts the tests: the background and nohup ignore some."""

import signal

import pytest


@pytest.fixture(autouse=True)
def signals_of_a_terminal():
    """Give signals their default handlers where they are ignored, which the package respects."""
    defaults = {
        signal.SIGINT: signal.default_int_handler,
        signal.SIGHUP: signal.SIG_DFL,
    }
    ignored = [n for n in defaults if signal.getsignal(n) == signal.SIG_IGN]
    for number in ignored:
        signal.signal(number, defaults[number])
    yield
    for number in ignored:
        signal.signal(number, signal.SIG_IGN)
