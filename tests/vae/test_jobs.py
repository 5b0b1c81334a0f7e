"""Jobs in processes: in order, so many at a time, and no result lost when something ends them."""

import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from gumbel_tutorial.vae import jobs, table

AT_A_TIME = 2


def finish(names, work, keep, *, caught=()):
    with ThreadPoolExecutor(max_workers=8) as pool:
        jobs.finish(
            *(names, work, keep),
            pool=pool,
            at_a_time=AT_A_TIME,
            caught=caught,
            label="jobs",
        )


def test_every_result_is_kept_and_no_more_run_at_a_time():
    running, most, lock = set(), [], threading.Lock()

    def work(name):
        with lock:
            running.add(name)
            most.append(len(running))
        time.sleep(0.02)
        with lock:
            running.discard(name)
        return name

    kept = []
    finish(list(range(10)), work, kept.append)
    assert sorted(kept) == list(range(10))
    assert max(most) == AT_A_TIME


def slow(begun):
    def work(name):
        begun.append(name)
        # The first of two jobs ends first.
        time.sleep(0.05 + 0.2 * (name % 2))
        return name

    return work


def test_an_error_waits_for_the_job_at_hand_and_begins_no_other():
    begun, kept = [], []

    def keep(name):
        if name == 0:
            raise OSError("no space")
        kept.append(name)

    with pytest.raises(OSError, match="no space"):
        finish(list(range(6)), slow(begun), keep)
    assert begun == [0, 1]
    assert kept == [1]

    def fails(name):
        if name == 0:
            raise ValueError("bad")
        return slow(begun)(name)

    begun.clear()
    with pytest.raises(ValueError, match="bad"):
        finish(list(range(6)), fails, kept.append)
    assert begun == [1]
    assert kept == [1, 1]


def test_a_signal_waits_for_the_jobs_at_hand_and_says_so(capsys):
    begun, kept, caught = [], [], []

    def keep(name):
        kept.append(name)
        caught.append(signal.SIGTERM)

    finish(list(range(6)), slow(begun), keep, caught=caught)
    assert kept == begun == [0, 1]
    assert "stopping after the 1 runs at hand" in capsys.readouterr().err
    finish(list(range(6)), slow(begun), keep, caught=caught)
    assert begun == [0, 1]


def test_workers_leave_the_interrupt_to_the_command():
    code = (
        "import signal; from gumbel_tutorial.vae import jobs; jobs._prepare(); "
        "assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# Processes that are started anew import the script, and so know its column.
SCRIPT = """
import sys
from gumbel_tutorial.vae import table
from gumbel_tutorial.vae.__main__ import main

settings = {"data": "digits", "num_latents": 4, "num_categories": 3, "batch_size": 20}
rates = tuple(1e-3 + 1e-5 * number for number in range(40))
table.COLUMNS = {"small": table.Column(settings, 1000, rates=rates)}

if __name__ == "__main__":
    sys.exit(main(["table", "--columns", "small", *sys.argv[1:]]))
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    "numbers",
    [[signal.SIGINT], [signal.SIGTERM], [signal.SIGINT, signal.SIGINT]],
    ids=["interrupt", "terminate", "interrupt twice"],
)
def test_a_stopped_table_keeps_what_is_at_hand_and_leaves_no_process(numbers, tmp_path):
    script, record = tmp_path / "small.py", tmp_path / "record.json"
    script.write_text(SCRIPT)
    process = subprocess.Popen(
        [sys.executable, script, *arguments(tmp_path, record)],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        start_new_session=True,
    )
    deadline = time.monotonic() + 240
    while not record.exists() or not table.read_record(record)["runs"]:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    before = len(table.read_record(record)["runs"])
    for number in numbers:
        process.send_signal(number)
        time.sleep(0.1)
    _, errors = process.communicate(timeout=120)
    after = len(table.read_record(record)["runs"])
    lines = errors.strip().splitlines()
    if len(numbers) == 1:
        (number,) = numbers
        assert process.returncode == 128 + number
        assert before < after <= before + 2 * AT_A_TIME
        line = f"stopped by {number.name} with {after} runs in {record}; the same"
        assert lines[-1].startswith(line)
    else:
        assert process.returncode == 130
        # The tracker of semaphores may have a word after it.
        assert "interrupted" in lines
    while group_lives(process.pid):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def group_lives(leader):
    try:
        os.killpg(leader, 0)
    except ProcessLookupError:
        return False
    return True


def arguments(folder, record):
    return [
        *("--folder", str(folder), "--record", str(record)),
        *("--num-samples", "5", "--jobs", str(AT_A_TIME)),
    ]
