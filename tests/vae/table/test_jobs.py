"""Jobs in processes: in order, so many at a time, and no result lost when something ends them."""

import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool

import pytest
from helpers.vae import running, threads, wait_until

from gumbel_tutorial.vae.table import jobs
from gumbel_tutorial.vae.table import study as table

AT_A_TIME = 2


def finish(names, work, keep, *, caught=()):
    with threads(AT_A_TIME) as pools:
        jobs.finish(names, work, keep, pools=pools, caught=caught, label="jobs")


def test_every_result_is_kept_and_no_more_run_at_a_time():
    at_work, most, lock = set(), [], threading.Lock()

    def work(name):
        with lock:
            at_work.add(name)
            most.append(len(at_work))
        time.sleep(0.02)
        with lock:
            at_work.discard(name)
        return name

    kept = []
    finish(list(range(10)), work, kept.append)
    assert sorted(kept) == list(range(10))
    assert max(most) == AT_A_TIME


class InTurn:
    """Two jobs at a time, of which the second ends when the first has been kept."""

    def __init__(self):
        self.begun, self.kept, self.first_kept = [], [], threading.Event()

    def work(self, name):
        self.begun.append(name)
        if name > 0:
            assert self.first_kept.wait(60)
        return name

    def keep(self, name):
        self.kept.append(name)
        self.first_kept.set()


def test_an_error_of_keeping_waits_for_the_job_at_hand_and_begins_no_other():
    turn = InTurn()

    def keep(name):
        turn.keep(name)
        if name == 0:
            raise OSError("no space")

    with pytest.raises(OSError, match="no space"):
        finish(range(6), turn.work, keep)
    assert sorted(turn.begun) == turn.kept == [0, 1]


def test_an_error_of_a_job_waits_for_the_job_at_hand_and_begins_no_other():
    turn = InTurn()

    def fails(name):
        if name == 0:
            # The other one ends later.
            threading.Timer(0.3, turn.first_kept.set).start()
            raise ValueError("bad")
        return turn.work(name)

    with pytest.raises(ValueError, match="bad"):
        finish(range(6), fails, turn.keep)
    assert turn.begun == turn.kept == [1]


def test_a_pool_that_takes_no_job_is_an_error_of_the_job(monkeypatch):
    turn = InTurn()
    submit = ThreadPoolExecutor.submit

    def refuses(self, work, name):
        if name == 1:
            turn.first_kept.set()
            raise BrokenProcessPool("gone")
        return submit(self, work, name)

    monkeypatch.setattr(ThreadPoolExecutor, "submit", refuses)
    with pytest.raises(BrokenProcessPool, match="gone"):
        finish(range(6), turn.work, turn.keep)
    assert turn.kept == [0]


def test_a_signal_waits_for_the_jobs_at_hand_and_says_so(capsys):
    turn, caught = InTurn(), []

    def keep(name):
        caught.append(signal.SIGTERM)
        turn.kept.append(name)
        threading.Timer(1.5, turn.first_kept.set).start()

    finish(range(6), turn.work, keep, caught=caught)
    assert sorted(turn.begun) == turn.kept == [0, 1]
    assert "stopping when the 1 at hand are done" in capsys.readouterr().err
    finish(range(6), turn.work, keep, caught=caught)
    assert len(turn.begun) == 2


@pytest.mark.slow
def test_a_process_that_dies_takes_no_other_with_it():
    kept = []
    asked = ["__import__('os')._exit(1)", "__import__('time').sleep(3) or 'slept'"] * 2
    with jobs.workers(2) as pools, pytest.raises(BrokenProcessPool):
        jobs.finish(asked, eval, kept.append, pools=pools, caught=[], label="jobs")
    assert kept == ["slept"]


# Processes that are started anew import the script, and so know its column.
SCRIPT = """
import sys
from gumbel_tutorial.vae.table import study as table
from gumbel_tutorial.vae.__main__ import main

settings = {"data": "digits", "num_latents": 4, "num_categories": 3, "batch_size": 20}
rates = tuple(1e-3 + 1e-5 * number for number in range(40))
table.COLUMNS = {"small": table.Column(settings, int(sys.argv[-1]), rates=rates)}

if __name__ == "__main__":
    sys.exit(main(["table", "--columns", "small", *sys.argv[1:-1]]))
"""


def table_command(tmp_path, steps):
    """Return the words of a command, and its record; a thousand steps take about a second."""
    script, record = tmp_path / "small.py", tmp_path / "record.json"
    script.write_text(SCRIPT)
    places = ["--folder", str(tmp_path), "--record", str(record)]
    counts = ["--num-samples", "5", "--jobs", str(AT_A_TIME)]
    return [sys.executable, script, *places, *counts, str(steps)], record


def read_until(stream, text):
    shown = ""
    while text not in shown:
        shown += (part := stream.read(1))
        assert part, shown


def count(record):
    return len(table.read_record(record)["runs"]) if record.exists() else 0


def group_lives(leader):
    try:
        os.killpg(leader, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.slow
@pytest.mark.parametrize("send", [os.kill, os.killpg], ids=["command", "group"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_table_keeps_what_is_at_hand(send, number, tmp_path):
    words, record = table_command(tmp_path, 1000)
    with running(words, stderr=subprocess.PIPE) as process:
        wait_until(lambda: count(record) > 0)
        before = count(record)
        send(process.pid, number)
        _, errors = process.communicate(timeout=120)
        wait_until(lambda: not group_lives(process.pid))
    after = count(record)
    assert process.returncode == 128 + number, errors
    assert before < after <= before + 2 * AT_A_TIME
    line = f"stopped by {number.name} with {after} runs in {record}; the same command"
    assert errors.strip().splitlines()[-1].startswith(line)


@pytest.mark.slow
def test_an_interrupt_of_what_is_stopping_ends_it_at_once(tmp_path):
    words, _ = table_command(tmp_path, 1_000_000)
    with running(words, stderr=subprocess.PIPE, bufsize=0) as process:
        read_until(process.stderr, "first seed")
        time.sleep(2)  # until the first jobs have been handed out
        process.send_signal(signal.SIGTERM)
        read_until(process.stderr, "stopping when the 2 at hand are done")
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=120)
        wait_until(lambda: not group_lives(process.pid))
    # The tracker of semaphores may have a word after it.
    assert "interrupted" in errors.splitlines()
    assert process.returncode == 130


@pytest.mark.slow
def test_no_worker_outlives_a_command_that_was_killed(tmp_path):
    words, record = table_command(tmp_path, 1000)
    with running(words, stderr=subprocess.DEVNULL) as process:
        wait_until(lambda: count(record) > 0)
        process.kill()
        process.wait()
        wait_until(lambda: not group_lives(process.pid))
