"""The table: rates chosen on validation, runs made once, a record that a stopped command leaves whole."""

import json
import os
import signal
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from filelock import FileLock
from helpers.vae import threads

from gumbel_tutorial.vae.__main__ import main
from gumbel_tutorial.vae.data.binarisation import FIXED_SEED
from gumbel_tutorial.vae.runs.signals import Stopped
from gumbel_tutorial.vae.table import study as table

SMALL = {
    "small": table.Column(
        {"data": "digits", "num_latents": 4, "num_categories": 3, "batch_size": 20},
        steps=40,
        rates=(1e-3, 1e-2),
    )
}
ROWS = ("Gumbel-Softmax", "RLOO")


@pytest.fixture
def record(tmp_path, monkeypatch):
    monkeypatch.setattr(table, "COLUMNS", SMALL)
    monkeypatch.setattr(table, "workers", threads)
    return tmp_path / "results" / "table.json"


def try_rates(monkeypatch, *rates):
    column = replace(SMALL["small"], rates=rates)
    monkeypatch.setattr(table, "COLUMNS", {"small": column})


def bounds(found):
    return table.collect(found, "small", table.multi_sample)


def run(record, *, seeds=2, rows=ROWS, num_samples=20):
    place = table.Place(Path(), "cpu", num_samples)
    table.run_table(record, place, columns=("small",), rows=rows, seeds=seeds, jobs=1)
    return table.read_record(record)


def test_every_run_is_recorded_with_what_it_needs_to_be_repeated(record):
    found = run(record)
    assert len(found["runs"]) == 2 * (2 + 1)
    for row in ROWS:
        own = [r for r in found["runs"] if r["row"] == row]
        first = {r["learning_rate"]: r["validation"] for r in own if r["seed"] == 0}
        assert set(first) == {1e-3, 1e-2}
        best = min(first, key=first.get)
        assert {r["learning_rate"] for r in own if r["seed"] == 1} == {best}
        chosen = [r["test"]["multi_sample"] for r in own if r["learning_rate"] == best]
        assert bounds(found)[row] == chosen
    for made in found["runs"]:
        assert made["test"]["num_samples"] == 20
        assert made["test"]["multi_sample"] <= made["test"]["one_sample"]
        assert made["config"]["steps"] == 40
        assert len(made["curve"]) == 20
        assert made["seconds"] >= 0
        assert made["machine"]["torch"]
    assert found["published"]["VAE (Cat.)"]["Gumbel-Softmax"] == 101.5


def test_a_repeated_command_makes_what_is_missing_and_nothing_else(record, monkeypatch):
    made = []
    real = table.run_job
    monkeypatch.setattr(
        table, "run_job", lambda job, place: made.append(job) or real(job, place)
    )
    run(record, seeds=1, rows=("RLOO",))
    assert len(made) == 2
    first = record.read_text()
    run(record, seeds=1, rows=("RLOO",))
    assert len(made) == 2
    assert record.read_text() == first
    run(record, seeds=2)
    assert len(made) == 2 + 1 + 3
    # A run of another configuration is another run.
    monkeypatch.setitem(SMALL, "small", table.Column(SMALL["small"].settings, 50))
    kept = table.read_record(record)["runs"]
    found = run(record, seeds=1, rows=("RLOO",))
    assert len(made) == 8
    assert [r for r in found["runs"] if r["config"]["steps"] == 40] == kept
    # Only those of this configuration are reported.
    new = [r for r in found["runs"] if r["config"]["steps"] == 50]
    best = min(new, key=lambda r: r["validation"])
    assert bounds(found) == {"RLOO": [best["test"]["multi_sample"]]}


def test_a_bound_of_other_samples_is_another_run(record):
    run(record, seeds=1, rows=("RLOO",))
    found = run(record, seeds=1, rows=("RLOO",), num_samples=30)
    numbers = [r["test"]["num_samples"] for r in found["runs"]]
    assert sorted(numbers) == [20, 20, 30, 30]
    assert found == run(record, seeds=1, rows=("RLOO",))
    new = [r for r in found["runs"] if r["test"]["num_samples"] == 30]
    best = min(new, key=lambda r: r["validation"])["test"]["multi_sample"]
    assert bounds(found) == {"RLOO": [best]}


def test_a_repeated_run_has_the_same_numbers_and_another_seed_others(monkeypatch):
    monkeypatch.setattr(table, "COLUMNS", SMALL)
    place = table.Place(Path(), "cpu", num_samples=20)
    one, again, other = (
        table.run_job(table.Job("small", "RLOO", 1e-3, seed), place)
        for seed in (0, 0, 1)
    )
    for key in ("validation", "test", "curve"):
        assert one[key] == again[key] != other[key]


def test_an_error_stops_what_has_not_begun(record, monkeypatch):
    made = []

    def fails(job, place):
        del place
        made.append(job)
        time.sleep(0.2)
        return {}

    monkeypatch.setattr(table, "run_job", fails)
    try_rates(monkeypatch, *(10.0**-k for k in range(8)))
    # What the run returned cannot be written.
    with pytest.raises(KeyError):
        run(record, seeds=1, rows=("RLOO",))
    time.sleep(0.5)
    assert len(made) <= 2


def test_a_record_that_cannot_be_written_is_refused_before_the_first_run(
    record, monkeypatch
):
    made = []
    monkeypatch.setattr(table, "run_job", lambda job, **_: made.append(job))
    # The place where a new record is written, before it takes the place of the old one.
    record.with_name("table.json.part").mkdir(parents=True)
    with pytest.raises(OSError, match=r"Is a directory.*table.json.part"):
        run(record)
    assert made == []


def test_a_run_that_could_not_be_recorded_is_recorded_at_the_end(record, monkeypatch):
    real, calls = table.write_record, []

    def full_once(path, runs):
        calls.append(len(runs))
        if calls == [0, 1]:
            raise OSError(28, "No space left on device", str(path))
        real(path, runs)

    monkeypatch.setattr(table, "write_record", full_once)
    place = table.Place(Path(), "cpu", 5)
    with pytest.raises(OSError, match="No space left"):
        table.run_table(
            record, place, columns=("small",), rows=("RLOO",), seeds=1, jobs=1
        )
    assert calls == [0, 1, 1]
    assert len(table.read_record(record)["runs"]) == 1


def test_a_signal_when_nothing_is_left_changes_nothing(record, monkeypatch):
    real = table.run_job

    def signalled(job, place):
        made = real(job, place)
        if job.learning_rate == 1e-2:
            os.kill(os.getpid(), signal.SIGTERM)
        return made

    monkeypatch.setattr(table, "run_job", signalled)
    place = table.Place(Path(), "cpu", 5)
    asked = {"columns": ("small",), "rows": ("RLOO",), "jobs": 1}
    with pytest.raises(Stopped, match="SIGTERM with 2 runs in"):
        table.run_table(record, place, **asked, seeds=2)
    record.unlink()
    table.run_table(record, place, **asked, seeds=1)
    assert len(table.read_record(record)["runs"]) == 2


def test_a_record_that_another_command_writes_is_refused(record):
    before = run(record, seeds=1, rows=("RLOO",))
    with FileLock(f"{record}.lock"):
        message = f"record must be that of no other running command, got {record}"
        with pytest.raises(ValueError, match=message):
            run(record)
    assert table.read_record(record) == before
    assert run(record, seeds=1, rows=("RLOO",)) == before


def test_a_name_given_twice_counts_once(record):
    assert len(run(record, seeds=1, rows=("RLOO", "RLOO"))["runs"]) == 2


def test_no_two_rows_of_a_task_are_the_same_run():
    recorded = Path(__file__).parents[3] / "benchmarks" / "results" / "vae_table.json"
    for name in table.COLUMNS:
        curves = [
            tuple(run["curve"])
            for run in table.current_runs(table.read_record(recorded), name)
        ]
        assert len(curves) == len(set(curves)) > 0


def test_a_row_that_diverges_at_every_rate_has_no_other_seeds(record, monkeypatch):
    try_rates(monkeypatch, 1e37, 1e38)
    found = run(record, seeds=3, rows=("Gumbel-Softmax",))
    assert [r["seed"] for r in found["runs"]] == [0, 0]
    assert table.best_rate(found["runs"], "small", "Gumbel-Softmax") is None
    assert bounds(found) == {}


def test_a_seed_that_diverges_is_left_out(record):
    found = run(record, seeds=2, rows=("RLOO",))
    (other,) = [r for r in found["runs"] if r["seed"] == 1]
    before = bounds(found)["RLOO"]
    del other["test"]
    other["validation"] = None
    assert bounds(found)["RLOO"] == before[:1]


def test_a_task_with_classes_reports_how_many_are_right(record, monkeypatch):
    settings = {"data": "digits", "model": "semi-supervised", "hidden": (9,)}
    rows = ("Marginalization", "Gumbel-Softmax")
    column = table.Column(settings, steps=200, rows=rows, rates=(1e-2,))
    run(record, rows=("RLOO",))  # of a task without classes, in the same record
    monkeypatch.setattr(table, "COLUMNS", {**SMALL, "classes": column})
    place = table.Place(Path(), "cpu", 20)
    asked = ("Marginalization", "RLOO", "Gumbel-Softmax")
    table.run_table(record, place, columns=("classes",), rows=asked, seeds=2, jobs=1)
    found = table.read_record(record)
    percent = table.collect(found, "classes", table.percent_right)
    bounds = table.collect(found, "classes", table.one_sample)
    assert sorted(percent) == sorted(bounds) == sorted(rows)
    alone = table.collect(found, "classes", table.percent_by_labels)
    # From the same labels and first weights, and so the same for all rows.
    assert alone["Marginalization"] == alone["Gumbel-Softmax"]
    assert all(50 < value < 100 for value in alone["Gumbel-Softmax"])
    for row in rows:
        assert len(percent[row]) == len(bounds[row]) == 2
        assert all(50 < value < 100 for value in percent[row])
        tighter = table.collect(found, "classes", table.multi_sample)[row]
        assert all(map(float.__lt__, tighter, bounds[row]))
    with pytest.raises(ValueError, match="rows must be among those of classes, got RL"):
        table.run_table(
            record, place, columns=("classes",), rows=("RLOO",), seeds=1, jobs=1
        )
    del found["runs"][0]["accuracy"]
    record.write_text(json.dumps(found))
    with pytest.raises(ValueError, match="must be a record of the table, got 'accur"):
        table.read_record(record)


def test_the_images_are_those_of_the_column():
    fixed, other = (
        table._splits("digits", "fixed", seed, Path()).train.pixels
        for seed in (FIXED_SEED, 1)
    )
    grey = table._splits("digits", "grey", FIXED_SEED, Path()).train.pixels
    assert len(fixed.unique()) == 2
    assert not torch.equal(fixed, other)
    assert len(grey.unique()) == 17


def test_a_run_that_diverges_is_recorded_and_never_chosen(record, monkeypatch):
    try_rates(monkeypatch, 1e-3, 1e38)
    runs = run(record, seeds=1, rows=("Gumbel-Softmax",))["runs"]
    (bad,) = [r for r in runs if r["learning_rate"] == 1e38]
    assert bad["validation"] is None
    assert "must be finite" in bad["diverged"]
    assert table.best_rate(runs, "small", "Gumbel-Softmax") == 1e-3


def test_a_file_that_is_no_record_is_refused(record, capsys):
    record.parent.mkdir()
    incomplete = {"runs": [{}], "published": {}}
    wrong = {"runs": {}, "published": []}
    for content in (
        "",
        "[]",
        json.dumps({"runs": []}),
        json.dumps(incomplete),
        json.dumps(wrong),
    ):
        record.write_text(content)
        with pytest.raises(ValueError, match=f"{record} must be a record of the table"):
            table.read_record(record)
    places = ["--folder", str(record.parent), "--record", str(record)]
    arguments = ["table", *places, "--columns", "small"]
    assert main(arguments) == 1
    assert "must be a record" in capsys.readouterr().err


def test_an_unknown_column_or_row_is_refused(record):
    for options, message in (
        ({"columns": ("x",), "rows": ROWS}, "columns must be among small, got 'x'"),
        ({"columns": ("small",), "rows": ("y",)}, "rows must be among SF, .* got 'y'"),
        ({"columns": (), "rows": ROWS}, "columns must be among small, got none"),
        ({"columns": ("small",), "rows": ()}, "rows must be among SF, .*, got none"),
    ):
        with pytest.raises(ValueError, match=message):
            table.run_table(
                record, table.Place(Path(), "cpu", 5), seeds=1, jobs=1, **options
            )
