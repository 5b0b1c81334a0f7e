"""Signals: collected or raised, and what is ignored stays so."""

import os
import signal
from contextlib import suppress

import pytest
from helpers.vae import wait_until

from gumbel_tutorial.vae.runs.signals import Stopped, collected, raised

SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


def send(number):
    os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_is_collected_and_its_handler_given_back(number):
    before = signal.getsignal(number)
    with collected() as caught:
        send(number)
    assert caught == [number]
    assert signal.getsignal(number) is before


def test_an_interrupt_after_a_signal_interrupts():
    with collected() as caught:
        send(signal.SIGTERM)
        send(signal.SIGTERM)  # once more is nothing new
        with pytest.raises(KeyboardInterrupt):
            send(signal.SIGINT)
    assert caught == [signal.SIGTERM] * 2


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_is_raised_where_work_may_be_dropped(number):
    with (
        pytest.raises(Stopped, match=f"stopped by {number.name} with all") as stop,
        raised("with all"),
    ):
        send(number)
    assert stop.value.exit_code == 128 + number


def swallow(number):
    """Send a signal twice to work that takes no notice, and work on."""
    for _ in range(2):
        with suppress(Stopped):
            send(number)
    wait_until(lambda: False)


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_that_the_work_swallows_is_raised_again(number):
    with pytest.raises(Stopped, match=number.name), raised("with all"):
        swallow(number)


def drop(dropped):
    """Receive every signal while a first one ends the work."""
    try:
        send(signal.SIGTERM)
    finally:
        for number in SIGNALS:
            send(number)
        dropped.append("all")


def test_signals_while_work_is_being_dropped_do_not_cut_that_short():
    dropped = []
    with pytest.raises(Stopped, match="SIGTERM"), raised("with all"):
        drop(dropped)
    assert dropped == ["all"]


def test_a_signal_that_is_ignored_stays_so():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    try:
        with collected() as caught:
            send(signal.SIGHUP)
        assert caught == []
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
