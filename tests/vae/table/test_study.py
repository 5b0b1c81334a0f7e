"""The runs of the table: rates chosen on validation, each made once, none lost that had ended."""

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from filelock import FileLock
from helpers.vae import running, wait_until

from gumbel_tutorial.vae import table
from gumbel_tutorial.vae.__main__ import main
from gumbel_tutorial.vae.data.binarisation import FIXED_SEED
from gumbel_tutorial.vae.runs.signals import Stopped
from gumbel_tutorial.vae.table import store, study, view
from gumbel_tutorial.vae.table.tasks import Job

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
    set_columns(monkeypatch, SMALL)
    return tmp_path / "results" / "table"


def set_columns(monkeypatch, columns):
    for module in (study, view, sys.modules[Job.__module__]):
        monkeypatch.setattr(module, "COLUMNS", columns)


def try_rates(monkeypatch, *rates):
    column = replace(SMALL["small"], rates=rates)
    set_columns(monkeypatch, {"small": column})


def bounds(found):
    return table.collect(found, "small", table.multi_sample)


def run(record, *, seeds=2, rows=ROWS, num_samples=20):
    place = table.Place(Path(), "cpu", num_samples)
    table.make_runs(record, place, columns=("small",), rows=rows, seeds=seeds, jobs=1)
    return table.read(record)


def test_every_run_is_recorded_with_what_it_needs_to_be_repeated(record):
    found = run(record)
    assert len(found) == 2 * (2 + 1)
    for row in ROWS:
        own = [r for r in found if r["row"] == row]
        first = {r["learning_rate"]: r["validation"] for r in own if r["seed"] == 0}
        assert set(first) == {1e-3, 1e-2}
        best = min(first, key=first.get)
        assert {r["learning_rate"] for r in own if r["seed"] == 1} == {best}
        chosen = [r["test"]["multi_sample"] for r in own if r["learning_rate"] == best]
        assert bounds(found)[row] == chosen
    for made in found:
        assert made["test"]["num_samples"] == 20
        assert made["test"]["multi_sample"] <= made["test"]["one_sample"]
        assert made["config"]["steps"] == 40
        assert len(made["curve"]) == 20
        assert made["seconds"] >= 0
        assert made["machine"]["torch"]


def test_weights_of_labels_are_chosen_by_wrong_classes_at_seeds_of_their_own(
    record, monkeypatch
):
    settings = {"data": "digits", "model": "semi-supervised", "hidden": (9,)}
    task = table.Column(
        *(settings, 60, ("Marginalization",), (1e-2,)),
        alphas=(0.0, 1.0),
        chosen_by="validation_wrong",
        first=2,
    )
    set_columns(monkeypatch, {"classes": task})
    place = table.Place(Path(), "cpu", 5)
    asked = {"columns": ("classes",), "rows": ("Marginalization",), "jobs": 1}
    table.make_runs(record, place, seeds=2, **asked)
    found = table.read(record)
    # Without a weight the classifier learns nothing from labels; the bound does not see that.
    assert table.best_choice(found, "classes", "Marginalization") == (1e-2, 1.0)
    assert table.best_rate(found, "classes", "Marginalization") == 1e-2
    made = [(run["alpha"], run["seed"]) for run in found]
    assert made == [(0.0, 0), (0.0, 1), (1.0, 0), (1.0, 1), (1.0, 2), (1.0, 3)]
    assert [run["config"]["alpha"] for run in found] == [alpha for alpha, _ in made]
    reported = table.collect(found, "classes", lambda run: run["seed"])
    assert reported == {"Marginalization": [2, 3]}
    # The mean over both seeds chooses, and a choice without one of them does not count.
    found[0]["validation_wrong"], found[2]["validation_wrong"] = 0.1, 0.2
    found[1]["validation_wrong"], found[3]["validation_wrong"] = 0.8, 0.6
    assert table.best_choice(found, "classes", "Marginalization")[1] == 1.0
    assert table.best_choice(found[1:], "classes", "Marginalization")[1] == 1.0
    found[1]["validation_wrong"] = 0.6
    assert table.best_choice(found, "classes", "Marginalization")[1] == 0.0
    assert table.best_choice(found[1:2], "classes", "Marginalization") is None


def test_a_repeated_command_makes_what_is_missing_and_nothing_else(record, monkeypatch):
    made = []
    real = study.make_run
    monkeypatch.setattr(
        study, "make_run", lambda job, *rest: made.append(job) or real(job, *rest)
    )
    run(record, seeds=1, rows=("RLOO",))
    assert len(made) == 2
    first = {path: path.stat() for path in record.glob("*.json")}
    run(record, seeds=1, rows=("RLOO",))
    assert len(made) == 2
    assert {path: path.stat() for path in record.glob("*.json")} == first
    run(record, seeds=2)
    assert len(made) == 2 + 1 + 3
    # A run of another configuration is another run.
    monkeypatch.setitem(SMALL, "small", table.Column(SMALL["small"].settings, 50))
    kept = table.read(record)
    found = run(record, seeds=1, rows=("RLOO",))
    assert len(made) == 8
    assert [r for r in found if r["config"]["steps"] == 40] == kept
    # Only those of this configuration are reported.
    new = [r for r in found if r["config"]["steps"] == 50]
    best = min(new, key=lambda r: r["validation"])
    assert bounds(found) == {"RLOO": [best["test"]["multi_sample"]]}


def test_a_bound_of_other_samples_is_another_run(record):
    run(record, seeds=1, rows=("RLOO",))
    found = run(record, seeds=1, rows=("RLOO",), num_samples=30)
    numbers = [r["test"]["num_samples"] for r in found]
    assert sorted(numbers) == [20, 20, 30, 30]
    assert found == run(record, seeds=1, rows=("RLOO",))
    new = [r for r in found if r["test"]["num_samples"] == 30]
    best = min(new, key=lambda r: r["validation"])["test"]["multi_sample"]
    assert bounds(found) == {"RLOO": [best]}


@pytest.mark.usefixtures("record")
def test_a_repeated_run_has_the_same_numbers_and_another_seed_others():
    place = table.Place(Path(), "cpu", num_samples=20)
    jobs = [Job("small", "RLOO", 1e-3, seed) for seed in (0, 0, 1)]
    one, again, other = (table.make_run(job, job.config(), place) for job in jobs)
    for key in ("validation", "test", "curve"):
        assert one[key] == again[key] != other[key]


def fails_at(monkeypatch, rate, act):
    """Do something in the place of the run of a learning rate."""
    real = study.make_run

    def failing(job, *rest):
        if job.learning_rate == rate:
            act()
        return real(job, *rest)

    monkeypatch.setattr(study, "make_run", failing)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_drops_the_run_at_hand_and_keeps_the_others(
    number, record, monkeypatch
):
    with monkeypatch.context() as patch:
        fails_at(patch, 1e-2, lambda: os.kill(os.getpid(), number))
        line = f"stopped by {number.name} with the finished runs in {record}; the same"
        with pytest.raises(Stopped, match=line) as stop:
            run(record, seeds=1, rows=("RLOO",))
    assert stop.value.exit_code == 128 + number
    assert [r["learning_rate"] for r in table.read(record)] == [1e-3]
    assert len(run(record, seeds=1, rows=("RLOO",))) == 2


def test_an_error_of_a_run_keeps_the_others(record, monkeypatch):
    def error():
        raise RuntimeError("no device")

    fails_at(monkeypatch, 1e-2, error)
    with pytest.raises(RuntimeError, match="no device"):
        run(record, seeds=1, rows=("RLOO",))
    assert [r["learning_rate"] for r in table.read(record)] == [1e-3]


def test_a_run_that_does_not_fit_keeps_the_others(record, monkeypatch):
    real, written = store.write_whole, []

    def full_later(path, content):
        if written:
            raise OSError(28, "No space left on device", str(path))
        written.append(path)
        real(path, content)

    monkeypatch.setattr(store, "write_whole", full_later)
    with pytest.raises(OSError, match=f"No space left on device: '{record}"):
        run(record, seeds=1, rows=("RLOO",))
    assert len(table.read(record)) == 1


def test_a_record_that_cannot_be_is_refused_before_the_first_run(record, monkeypatch):
    made = []
    monkeypatch.setattr(study, "make_run", lambda *job: made.append(job))
    record.parent.mkdir()
    record.write_text("a file")
    with pytest.raises(FileExistsError, match=str(record)):
        run(record)
    record.unlink()
    (record / ".lock").mkdir(parents=True)
    with pytest.raises(OSError, match="lock"):
        run(record)
    assert made == []


# Processes that are started anew do not know what a test has changed: a job brings its configuration.
SCRIPT = """
import sys
from gumbel_tutorial.vae.table import study, tasks, view
from gumbel_tutorial.vae.__main__ import main

settings = {"data": "digits", "num_latents": 4, "num_categories": 3, "batch_size": 20}
column = tasks.Column(settings, 100, rates=(1e-3, 2e-3, 3e-3))
if sys.argv[-1] == "long":
    column = tasks.Column(settings, 10_000_000, rates=(1e-3, 2e-3))
for module in (study, tasks, view):
    module.COLUMNS = {"small": column}

if __name__ == "__main__":
    sys.exit(main(["table", "--columns", "small", *sys.argv[1:-1]]))
"""


def group_lives(leader):
    try:
        os.killpg(leader, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_runs_in_processes_are_kept_and_end_with_the_command(number, tmp_path):
    (tmp_path / "small.py").write_text(SCRIPT)
    places = ["--folder", str(tmp_path), "--record", str(tmp_path / "record")]
    counts = ["--num-samples", "5", "--seeds", "1", "--rows", "RLOO", "--jobs", "2"]
    words = [sys.executable, tmp_path / "small.py", *places, *counts]
    if number == signal.SIGTERM:
        subprocess.run([*words, "short"], check=True, capture_output=True, timeout=600)
        assert len(table.read(tmp_path / "record")) == 3
    with running([*words, "long"], stderr=subprocess.PIPE) as process:
        # Both are at work once the command has children of its own kind.
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        wait_until(lambda: len(children.read_text().split()) >= 3)
        process.send_signal(number)
        _, errors = process.communicate(timeout=600)
        wait_until(lambda: not group_lives(process.pid))
    if number == signal.SIGTERM:
        assert process.returncode == 128 + number, errors
        assert f"stopped by SIGTERM with the finished runs in {tmp_path}" in errors
        assert "Traceback" not in errors


def test_a_record_that_another_command_writes_is_refused(record):
    before = run(record, seeds=1, rows=("RLOO",))
    with FileLock(record / ".lock"):
        message = f"record must be that of no other running command, got {record}"
        with pytest.raises(ValueError, match=message):
            run(record)
    assert table.read(record) == before
    assert run(record, seeds=1, rows=("RLOO",)) == before


def test_a_name_given_twice_counts_once(record):
    assert len(run(record, seeds=1, rows=("RLOO", "RLOO"))) == 2


def test_a_row_that_diverges_at_every_rate_has_no_other_seeds(record, monkeypatch):
    try_rates(monkeypatch, 1e37, 1e38)
    found = run(record, seeds=3, rows=("Gumbel-Softmax",))
    assert [r["seed"] for r in found] == [0, 0]
    assert table.best_rate(found, "small", "Gumbel-Softmax") is None
    assert bounds(found) == {}


def test_a_seed_that_diverges_is_left_out(record):
    found = run(record, seeds=2, rows=("RLOO",))
    (other,) = [r for r in found if r["seed"] == 1]
    before = bounds(found)["RLOO"]
    del other["test"]
    other["validation"] = None
    assert bounds(found)["RLOO"] == before[:1]


def test_a_task_with_classes_reports_how_many_are_right(record, monkeypatch):
    settings = {"data": "digits", "model": "semi-supervised", "hidden": (9,)}
    rows = ("Marginalization", "Gumbel-Softmax")
    column = table.Column(settings, steps=200, rows=rows, rates=(1e-2,))
    run(record, rows=("RLOO",))  # of a task without classes, in the same record
    set_columns(monkeypatch, {**SMALL, "classes": column})
    place = table.Place(Path(), "cpu", 20)
    asked = ("Marginalization", "RLOO", "Gumbel-Softmax")
    table.make_runs(record, place, columns=("classes",), rows=asked, seeds=2, jobs=1)
    found = table.read(record)
    percent = table.collect(found, "classes", table.percent_right)
    bounds = table.collect(found, "classes", table.one_sample)
    assert sorted(percent) == sorted(bounds) == sorted(rows)
    alone = table.collect(found, "classes", table.percent_by_labels)
    decoded = {run["row"]: run["decoded"] for run in found if "decoded" in run}
    assert decoded == {"Marginalization": [10.0] * 20, "Gumbel-Softmax": [1.0] * 20}
    assert all(0 < run["validation_wrong"] < 0.5 for run in found if "decoded" in run)
    # From the same labels and first weights, and so the same for all rows.
    assert alone["Marginalization"] == alone["Gumbel-Softmax"]
    assert all(50 < value < 100 for value in alone["Gumbel-Softmax"])
    for row in rows:
        assert len(percent[row]) == len(bounds[row]) == 2
        assert all(50 < value < 100 for value in percent[row])
        tighter = table.collect(found, "classes", table.multi_sample)[row]
        assert all(map(float.__lt__, tighter, bounds[row]))
    with pytest.raises(ValueError, match="rows must be among those of classes, got RL"):
        table.make_runs(
            record, place, columns=("classes",), rows=("RLOO",), seeds=1, jobs=1
        )


def test_a_task_of_grey_pixels_reports_losses_and_how_they_fell(record, monkeypatch):
    # 1,300 images to train on make 65 batches of 20: a pass, twice half a pass, and one step.
    settings = {**SMALL["small"].settings, "binarisation": "grey"}
    column = table.Column(settings, steps=130, rows=("ZGR", "MVE"), rates=(1e-2,))
    set_columns(monkeypatch, {"small": column})
    found = run(record, rows=("MVE", "ZGR"))
    assert [(r["row"], r["seed"]) for r in found] == [
        (row, seed) for row in ("MVE", "ZGR") for seed in (0, 1)
    ]
    losses = table.collect(found, "small", table.grey_loss)
    for made in found:
        assert made["test"] == {"grey_loss": losses[made["row"]][made["seed"]]}
        assert len(made["curve"]) == len(made["validation_curve"]) == 4
        assert made["validation_curve"][-1] == made["validation"]
        assert made["validation_curve"][-1] < made["validation_curve"][0]
        assert made["step_seconds"] > 0
    # A bound's number of samples is nothing to them.
    assert run(record, rows=("MVE", "ZGR"), num_samples=30) == found


def test_an_estimator_has_its_own_settings_on_a_task(monkeypatch):
    own = {"RLOO": {"hidden": (3,)}}
    column = replace(SMALL["small"], rows=ROWS, own=own)
    set_columns(monkeypatch, {"small": column})
    hidden = [Job("small", row, 1e-3, 0).config().hidden for row in ROWS]
    assert hidden == [(), (3,)]


def test_a_record_that_is_cut_short_has_whole_seeds(record, monkeypatch):
    made = []

    def only_named(job, config, _):
        made.append((job.seed, job.column))
        numbers = {
            "validation": 1.0,
            "test": {"multi_sample": 1.0, "one_sample": 2.0, "num_samples": 20},
        }
        return {**vars(job), **numbers, "config": config.as_json()}

    monkeypatch.setattr(study, "make_run", only_named)
    set_columns(monkeypatch, dict.fromkeys(("one", "other"), SMALL["small"]))
    place, names = table.Place(Path(), "cpu", 20), ("one", "other")
    table.make_runs(record, place, columns=names, rows=("RLOO",), seeds=3, jobs=1)
    assert list(dict.fromkeys(made)) == [(s, name) for s in range(3) for name in names]


def test_the_images_are_those_of_the_column():
    fixed, other = (
        study.read_splits("digits", "fixed", seed, Path()).train.pixels
        for seed in (FIXED_SEED, 1)
    )
    grey = study.read_splits("digits", "grey", FIXED_SEED, Path()).train.pixels
    assert len(fixed.unique()) == 2
    assert not torch.equal(fixed, other)
    assert len(grey.unique()) == 17


def test_a_run_that_diverges_is_recorded_and_never_chosen(record, monkeypatch):
    try_rates(monkeypatch, 1e-3, 1e38)
    runs = run(record, seeds=1, rows=("Gumbel-Softmax",))
    (bad,) = [r for r in runs if r["learning_rate"] == 1e38]
    assert bad["validation"] is None
    assert "must be finite" in bad["diverged"]
    assert table.best_rate(runs, "small", "Gumbel-Softmax") == 1e-3


def test_a_file_that_holds_no_run_is_one_line(record, capsys):
    record.mkdir(parents=True)
    (record / "bad.json").write_text("{}")
    places = ["--folder", str(record.parent), "--record", str(record)]
    assert main(["table", *places, "--columns", "small"]) == 1
    assert "bad.json must hold a run of the table, got 'column'" in (
        capsys.readouterr().err
    )


def test_an_unknown_column_or_row_is_refused(record):
    for options, message in (
        ({"columns": ("x",), "rows": ROWS}, "columns must be among small, got 'x'"),
        ({"columns": ("small",), "rows": ("y",)}, "rows must be among SF, .* got 'y'"),
        ({"columns": (), "rows": ROWS}, "columns must be among small, got none"),
        ({"columns": ("small",), "rows": ()}, "rows must be among SF, .*, got none"),
    ):
        with pytest.raises(ValueError, match=message):
            table.make_runs(
                record, table.Place(Path(), "cpu", 5), seeds=1, jobs=1, **options
            )
