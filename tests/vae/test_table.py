"""The table: rates chosen on validation, runs made once, a record that a stopped command leaves whole."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gumbel_tutorial.vae import table
from gumbel_tutorial.vae.__main__ import main

SMALL = {
    "small": table.Column(
        {"data": "digits", "num_latents": 4, "num_categories": 3, "batch_size": 20},
        steps=40,
    )
}
ROWS = ("Gumbel-Softmax", "RLOO")


@pytest.fixture
def record(tmp_path, monkeypatch):
    monkeypatch.setattr(table, "COLUMNS", SMALL)
    monkeypatch.setattr(table, "LEARNING_RATES", (1e-3, 1e-2))
    # In this process, which knows the small column.
    monkeypatch.setattr(
        table, "ProcessPoolExecutor", lambda *_: ThreadPoolExecutor(max_workers=1)
    )
    return tmp_path / "results" / "table.json"


def run(record, *, seeds=2, rows=ROWS):
    place = table.Place(Path(), "cpu", num_samples=20)
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
        assert table.collect_bounds(found)["small"][row] == chosen
    for made in found["runs"]:
        assert made["test"]["num_samples"] == 20
        assert made["test"]["multi_sample"] <= made["test"]["one_sample"]
        assert made["config"]["steps"] == 40
        assert len(made["curve"]) == 20
        assert made["seconds"] > 0
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
    runs = run(record, seeds=1, rows=("RLOO",))["runs"]
    assert len(made) == 8
    assert {r["config"]["steps"] for r in runs} == {50}


def test_a_repeated_run_has_the_same_numbers(record):
    one, other = (run(record, seeds=1, rows=("RLOO",))["runs"] for _ in range(2))
    record.unlink()
    again = run(record, seeds=1, rows=("RLOO",))["runs"]
    assert one == other
    for first, second in zip(one, again, strict=True):
        assert first["validation"] == second["validation"]
        assert first.get("test") == second.get("test")


def test_a_run_that_diverges_is_recorded_and_never_chosen(record, monkeypatch):
    monkeypatch.setattr(table, "LEARNING_RATES", (1e-3, 1e38))
    runs = run(record, seeds=1, rows=("Gumbel-Softmax",))["runs"]
    (bad,) = [r for r in runs if r["learning_rate"] == 1e38]
    assert bad["validation"] is None
    assert "must be finite" in bad["diverged"]
    assert table.best_rate(runs, "small", "Gumbel-Softmax") == 1e-3


def test_a_file_that_is_no_record_is_refused(record, capsys):
    record.parent.mkdir()
    for content in ("", "[]", json.dumps({"runs": []})):
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
    ):
        with pytest.raises(ValueError, match=message):
            table.run_table(
                record, table.Place(Path(), "cpu", 5), seeds=1, jobs=1, **options
            )
