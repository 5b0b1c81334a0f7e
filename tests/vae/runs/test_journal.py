"""Metrics: lines that a disk may not take, and TensorBoard's events, which get the same."""

import json
import threading

import pytest
from helpers.runs import SETTINGS, Interrupt, at_step, die, output

from gumbel_tutorial.vae.runs.config import Config
from gumbel_tutorial.vae.runs.journal import METRICS, Journal, keep_until
from gumbel_tutorial.vae.runs.on_disk import run
from gumbel_tutorial.vae.runs.saved import CHECKPOINT


def full(*_, **__):
    raise OSError(28, "No space left on device")


def test_a_metric_that_does_not_fit_is_an_error_by_name(tmp_path, monkeypatch):
    journal = Journal(output(tmp_path), 0, 10)
    journal.file.close()
    journal.file = open("/dev/full", "w")  # noqa: PTH123, SIM115
    with pytest.raises(OSError, match=f"No space left on device: .*{METRICS}"):
        journal.write({"step": 1})
    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match=f"No space left on device: .*{METRICS}"):
        journal.sync()
    journal.close()  # a full disk has said so already


@pytest.mark.parametrize(
    ("line", "kept"),
    [
        ({"step": 9, "train_loss": 1.0}, True),
        ({"step": 10, "train_loss": 1.0}, True),  # which is due there
        ({"step": 11, "train_loss": 1.0}, False),
        ({"step": 10, "validation_loss": 1.0}, False),  # the end of a shorter run
        ({"step": 10, "validation": 1.0}, False),  # as an earlier version says it
        ({"step": 10, "loss": 1.0}, True),
        ([10], False),
        ({"train_loss": 1.0}, False),
        ({"step": "9"}, False),
    ],
)
def test_lines_of_steps_that_are_taken_again_are_dropped(line, kept, tmp_path):
    path, text = tmp_path / METRICS, json.dumps(line) + "\n"
    path.write_text(text + text[:-1])
    keep_until(path, 10, output(tmp_path, log_every=5, evaluate_every=7), 20)
    assert path.read_text() == (text if kept else "")


accumulator = pytest.importorskip(
    "tensorboard.backend.event_processing.event_accumulator"
)


def events_of(folder, name="train_loss"):
    events = accumulator.EventAccumulator(str(folder / "tensorboard"))
    events.Reload()
    return events.Scalars(name)


def test_tensorboard_gets_what_the_metrics_get(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        at_step(patch, 37, die)
        with pytest.raises(Interrupt):
            run(Config(**SETTINGS), output(tmp_path, tensorboard=True))
    run(None, output(tmp_path, tensorboard=True, resume=True))
    lines = [json.loads(line) for line in (tmp_path / METRICS).read_text().splitlines()]
    losses = {row["step"]: row["train_loss"] for row in lines if "train_loss" in row}
    found = {event.step: event.value for event in events_of(tmp_path)}
    assert list(found) == list(range(5, 121, 5))  # none twice
    assert found == pytest.approx(losses)
    for name in ("validation_kl", "validation_active_units", "validation_perplexity"):
        values = {row["step"]: row[name] for row in lines if name in row}
        events = {event.step: event.value for event in events_of(tmp_path, name)}
        assert events == pytest.approx(values)


def test_events_that_do_not_fit_stop_the_run_by_name(tmp_path, monkeypatch, capfd):
    from tensorboard.summary.writer.record_writer import RecordWriter

    hook = threading.excepthook
    at_step(monkeypatch, 30, lambda _: monkeypatch.setattr(RecordWriter, "write", full))
    with pytest.raises(OSError, match="No space left on device: .*tensorboard"):
        run(Config(**SETTINGS), output(tmp_path, tensorboard=True))
    assert "Traceback" not in capfd.readouterr().err
    assert threading.excepthook is hook
    monkeypatch.undo()
    assert (tmp_path / CHECKPOINT).exists()
    run(None, output(tmp_path, tensorboard=True, resume=True))


def test_an_error_of_another_thread_is_still_reported(tmp_path):
    heard, before = [], threading.excepthook
    threading.excepthook = heard.append
    try:
        journal = Journal(output(tmp_path, tensorboard=True), 0, 10)
        thread = threading.Thread(target=full)
        thread.start()
        thread.join()
        journal.close()
    finally:
        threading.excepthook = before
    assert [type(said.exc_value) for said in heard] == [OSError]
