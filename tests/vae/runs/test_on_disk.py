"""A run on disk under every fault that training meets: nothing is lost, and the error says what happened."""

import json
import os
import signal
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.runs import (
    FLAGS,
    SETTINGS,
    Interrupt,
    at_step,
    die,
    output,
    same_files,
    same_state,
)
from helpers.vae import flipped, running, wait_until
from safetensors.torch import load_file

from gumbel_tutorial.vae.data.images import Splits
from gumbel_tutorial.vae.runs import on_disk
from gumbel_tutorial.vae.runs.config import Config
from gumbel_tutorial.vae.runs.journal import METRICS
from gumbel_tutorial.vae.runs.lock import held
from gumbel_tutorial.vae.runs.on_disk import run
from gumbel_tutorial.vae.runs.saved import BEFORE, BEST, CHECKPOINT
from gumbel_tutorial.vae.runs.signals import Stopped
from gumbel_tutorial.vae.training import checkpoint
from gumbel_tutorial.vae.training.evaluation import Validation
from gumbel_tutorial.vae.training.processes import Processes

COMMAND = [sys.executable, "-m", "gumbel_tutorial.vae"]
SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


def changed(**settings):
    return Config(**{**SETTINGS, **settings})


def lines_of(folder):
    return [json.loads(row) for row in (folder / METRICS).read_text().splitlines()]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Return the folder of a run that nothing happened to."""
    folder = tmp_path_factory.mktemp("whole")
    run(changed(), output(folder))
    return folder


def test_the_metrics_say_what_happened(whole):
    lines = lines_of(whole)
    steps = [line for line in lines if "train_loss" in line]
    assert [line["step"] for line in steps] == list(range(5, 121, 5))
    assert set(steps[0]) == {"step", "train_loss", "temperature", "learning_rate"}
    evaluations = [line for line in lines if "validation_loss" in line]
    assert [line["step"] for line in evaluations] == [30, 60, 90, 120]
    parts = {"loss", "relaxed_loss", "reconstruction", "kl", "information"}
    named = {f"validation_{name}" for name in parts | {"active_units", "perplexity"}}
    assert set(evaluations[0]) == {"step", *named}
    last = evaluations[-1]
    both = last["validation_reconstruction"] + last["validation_kl"]
    assert both == pytest.approx(last["validation_loss"])
    assert 0 < last["validation_information"] < last["validation_kl"]
    assert 0 <= last["validation_active_units"] <= 4
    assert 1 <= last["validation_perplexity"] <= 3
    assert evaluations[-1]["validation_loss"] < evaluations[0]["validation_loss"]


@pytest.mark.parametrize("at", [0, 20, 37, 119])
def test_a_run_that_died_continues_as_if_it_had_not(at, whole, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        at_step(patch, at, die)
        with pytest.raises(Interrupt):
            run(changed(), output(tmp_path))
    # A crash may leave half a line, too.
    with (tmp_path / METRICS).open("a") as file:
        file.write('{"step": 40, "lo')
    run(None, output(tmp_path, resume=True))
    same_files(tmp_path, whole)


def test_a_run_killed_outright_continues(whole, tmp_path):
    never = ["--steps", "100000", "--checkpoint-every", "100000"]
    words = [*COMMAND, "train", "--output", str(tmp_path), *FLAGS, *never]
    metrics = tmp_path / METRICS
    with running(words, stderr=subprocess.DEVNULL) as process:
        wait_until(lambda: metrics.exists() and metrics.read_text().count("\n") > 5)
        process.kill()
        process.wait()
    assert load_file(tmp_path / CHECKPOINT)["step"] == 0
    run(changed(), output(tmp_path, resume=True))
    same_files(tmp_path, whole)


def test_a_finished_run_may_go_on(whole, tmp_path):
    run(changed(steps=60), output(tmp_path))
    run(changed(), output(tmp_path, resume=True))
    same_files(tmp_path, whole)
    run(None, output(tmp_path, resume=True))
    same_files(tmp_path, whole)
    with pytest.raises(ValueError, match="steps must be at least the 120 already tak"):
        run(changed(steps=60), output(tmp_path, resume=True))


def test_a_longer_run_keeps_no_line_that_only_the_shorter_one_has(whole, tmp_path):
    for steps in (47, 60, 120):
        run(changed(steps=steps), output(tmp_path, resume=steps > 47))
        assert lines_of(tmp_path)[-1]["step"] == steps
        # A run that is resumed at its end keeps what it has.
        before = (tmp_path / METRICS).read_text()
        run(None, output(tmp_path, resume=True))
        assert (tmp_path / METRICS).read_text() == before
    same_files(tmp_path, whole)


def test_a_run_needs_a_configuration_or_one_to_continue(tmp_path):
    with pytest.raises(ValueError, match="config must be given unless a run is res"):
        run(None, output(tmp_path))
    with pytest.raises(FileNotFoundError, match=CHECKPOINT):
        run(None, output(tmp_path / "none", resume=True))
    assert list(tmp_path.iterdir()) == []


# What a folder may hold


def test_a_run_that_saved_a_step_is_in_the_way_of_another(whole):
    with pytest.raises(FileExistsError, match="no checkpoint yet, or be resumed"):
        run(changed(), output(whole))


def test_metrics_without_a_checkpoint_are_not_lost(tmp_path):
    content = '{"step": 5, "loss": 3.0}\n'
    (tmp_path / METRICS).write_text(content)
    with pytest.raises(FileExistsError, match=f"no metrics yet.*{METRICS}"):
        run(changed(), output(tmp_path))
    assert (tmp_path / METRICS).read_text() == content


def test_a_run_that_died_before_it_saved_a_step_may_begin_again(
    whole, tmp_path, monkeypatch
):
    with monkeypatch.context() as patch:
        at_step(patch, 17, die)
        with pytest.raises(Interrupt):
            run(changed(seed=5), output(tmp_path))
    run(changed(), output(tmp_path))
    same_files(tmp_path, whole)


def test_a_wrong_option_is_not_in_the_way_of_the_right_one(tmp_path):
    with pytest.raises(ValueError, match="num_samples must be .* at least 2, got 1"):
        run(
            changed(estimator="rloo", options={"num_samples": 1}, steps=20),
            output(tmp_path),
        )
    right = changed(estimator="rloo", options={"num_samples": 2}, steps=20)
    assert run(right, output(tmp_path)).steps_taken == 20


def test_a_second_run_in_a_folder_is_refused_and_the_first_unharmed(
    whole, tmp_path, monkeypatch
):
    refused = []

    def second(_):
        with held(tmp_path / "other", "output"):
            pass  # another folder is another matter
        for resume in (False, True):
            with pytest.raises(ValueError, match=f"no other .*, got {tmp_path}$"):
                run(changed(), output(tmp_path, resume=resume))
            refused.append(resume)

    (tmp_path / "other").mkdir()
    with monkeypatch.context() as patch:
        at_step(patch, 33, second)
        run(changed(), output(tmp_path))
    assert refused == [False, True]
    same_files(tmp_path, whole)


# What a run continues with


def test_a_run_stays_on_its_type_of_device(whole, tmp_path):
    state, config, about = checkpoint.read(whole / CHECKPOINT)
    assert about["device"] == "cpu"
    checkpoint.write(tmp_path / CHECKPOINT, state, config, about | {"device": "cuda"})
    message = "device must be of the type cuda that the run began on, got cpu"
    with pytest.raises(ValueError, match=message):
        run(changed(), output(tmp_path, resume=True))


@pytest.mark.parametrize("missing", [("num_layers", "alpha"), ("seed",)])
def test_a_checkpoint_of_an_earlier_version_continues(
    missing, whole, tmp_path, monkeypatch
):
    with monkeypatch.context() as patch:
        at_step(patch, 45, die)
        with pytest.raises(Interrupt):
            run(changed(), output(tmp_path))
    state, config, _ = checkpoint.read(tmp_path / CHECKPOINT)
    for name in missing:
        del config[name]
    checkpoint.write(tmp_path / CHECKPOINT, state, config)
    run(None, output(tmp_path, resume=True))
    same_files(tmp_path, whole)


def test_another_number_of_threads_is_said_and_recorded(whole, tmp_path):
    state, config, about = checkpoint.read(whole / CHECKPOINT)
    assert about["threads"] == torch.get_num_threads()
    checkpoint.write(tmp_path / CHECKPOINT, state, config, about | {"threads": 99})
    with pytest.warns(RuntimeWarning, match="had 99 threads so far and has"):
        run(None, output(tmp_path, resume=True))


def test_images_that_changed_are_refused(tmp_path):
    pixels, path = np.random.default_rng(0).random((60, 9)), tmp_path / "own.npy"
    np.save(path, pixels)
    config = changed(data=str(path), steps=20)
    run(config, output(tmp_path / "run"))
    # A file may move.
    path.rename(tmp_path / "moved.npy")
    moved = changed(data=str(tmp_path / "moved.npy"), steps=30)
    run(moved, output(tmp_path / "run", resume=True))
    np.save(tmp_path / "moved.npy", pixels[::-1])
    with pytest.raises(ValueError, match=r"data must hold the images .*moved.npy"):
        run(moved, output(tmp_path / "run", resume=True))


@pytest.mark.parametrize("fault", ["cut", "empty", "flipped", "gone"])
def test_a_damaged_checkpoint_leaves_the_one_before(fault, whole, tmp_path):
    run(changed(), output(tmp_path))
    path = tmp_path / CHECKPOINT
    content = path.read_bytes()
    damaged = {"cut": content[:-9], "empty": b"", "flipped": flipped(content, -5)}
    path.unlink() if fault == "gone" else path.write_bytes(damaged[fault])
    with pytest.warns(RuntimeWarning, match=f"{BEFORE}, of step 100"):
        run(None, output(tmp_path, resume=True))
    same_files(tmp_path, whole)


def test_a_checkpoint_is_refused_when_the_one_before_is_damaged_too(whole, tmp_path):
    for name in (CHECKPOINT, BEFORE):
        (tmp_path / name).write_bytes(flipped((whole / name).read_bytes(), -5))
    with pytest.raises(ValueError, match=f"{CHECKPOINT} must be undamaged"):
        run(None, output(tmp_path, resume=True))


# What stops a run


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_finishes_the_step_saves_and_says_so(
    number, whole, tmp_path, monkeypatch
):
    with monkeypatch.context() as patch:
        at_step(patch, 42, lambda _: os.kill(os.getpid(), number))
        with pytest.raises(
            Stopped, match=f"by {number.name} after step 43; --resume"
        ) as stop:
            run(changed(), output(tmp_path))
    assert stop.value.exit_code == 128 + number
    assert load_file(tmp_path / CHECKPOINT)["step"] == 43
    run(None, output(tmp_path, resume=True))
    # Of the metrics alone the last line that was due is missing until the next one.
    same_state(load_file(tmp_path / CHECKPOINT), load_file(whole / CHECKPOINT))
    assert (tmp_path / METRICS).read_text() == (whole / METRICS).read_text()


def test_a_signal_at_the_last_step_changes_nothing(whole, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        at_step(patch, 119, lambda _: os.kill(os.getpid(), signal.SIGTERM))
        run(changed(), output(tmp_path))
    same_files(tmp_path, whole)


def poison(value):
    def act(trainer):
        trainer.model.decoder[-1].bias.data[0] = value

    return act


def test_a_loss_that_is_not_finite_names_step_batch_and_checkpoint(
    tmp_path, monkeypatch
):
    at_step(monkeypatch, 50, poison(torch.nan))
    message = (
        r"loss must be finite, got nan at step 51, batch of 20 images [\d, ]+, \.\.\.; "
        r"50 steps were taken; "
        rf"the last good checkpoint is {tmp_path / CHECKPOINT}, of step 40"
    )
    with pytest.raises(FloatingPointError, match=message):
        run(changed(), output(tmp_path))
    assert load_file(tmp_path / CHECKPOINT)["step"] == 40


def test_numbers_that_are_not_finite_are_never_saved(tmp_path, monkeypatch):
    save = on_disk.Keeper.save

    def saving(self):
        if self.trainer.steps_taken == 60:
            poison(torch.inf)(self.trainer)
        save(self)

    monkeypatch.setattr(on_disk.Keeper, "save", saving)
    with pytest.raises(FloatingPointError, match=r"model\..* must be finite"):
        run(changed(), output(tmp_path))
    assert load_file(tmp_path / CHECKPOINT)["step"] == 40


def test_an_evaluation_that_is_not_finite_stops_the_run(tmp_path, monkeypatch):
    found = Validation(discrete=1.0, relaxed=float("nan"))
    keeper = sys.modules[on_disk.Keeper.__module__]
    monkeypatch.setattr(keeper, "validate", lambda *_, **__: found)
    message = "validation_relaxed_loss must be finite, got nan after step 30; 30 steps"
    with pytest.raises(FloatingPointError, match=message):
        run(changed(), output(tmp_path))
    assert "NaN" not in (tmp_path / METRICS).read_text()


def test_a_full_disk_keeps_the_checkpoint_before(whole, tmp_path, monkeypatch):
    run(changed(steps=40), output(tmp_path))
    before = {name: (tmp_path / name).read_bytes() for name in (CHECKPOINT, BEFORE)}
    with monkeypatch.context() as patch:

        def full(_):
            if (tmp_path / f"{CHECKPOINT}.part").exists():
                raise OSError(28, "No space left on device")

        patch.setattr(checkpoint.os, "fsync", full)
        with pytest.raises(OSError, match=f"No space left on device: .*{CHECKPOINT}"):
            run(changed(), output(tmp_path, resume=True))
    assert {name: (tmp_path / name).read_bytes() for name in before} == before
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == sorted([".lock", BEFORE, BEST, CHECKPOINT, METRICS])
    run(changed(), output(tmp_path, resume=True))
    same_files(tmp_path, whole)


def test_a_folder_that_cannot_be_is_refused(tmp_path):
    file = tmp_path / "file"
    file.write_text("no folder")
    with pytest.raises(NotADirectoryError, match="file/run"):
        run(changed(), output(file / "run"))
    with pytest.raises(FileExistsError, match="file"):
        run(changed(), output(file))


@pytest.mark.parametrize("local", [0, 1])
def test_one_process_of_a_machine_fetches_and_the_others_wait(
    local, tmp_path, monkeypatch
):
    done, images = [], on_disk.make_splits(Config(), None, download=False)
    monkeypatch.setenv("LOCAL_RANK", str(local))
    monkeypatch.setattr(torch.distributed, "barrier", lambda: done.append("barrier"))

    def splits(*_, download) -> Splits:
        done.append(f"download {download}")
        return images

    monkeypatch.setattr(on_disk, "make_splits", splits)
    asked = output(tmp_path, download=True)
    on_disk.read_splits(Config(), asked, Processes(local + 2, 4))
    expected = [["download True", "barrier"], ["barrier", "download False"]]
    assert done == expected[local]


def test_few_labels_are_trained_on_and_resumed(tmp_path):
    settings = {"model": "semi-supervised", "hidden": (9,), "steps": 60}
    settings |= {"num_latents": 4, "learning_rate": 0.01, "alpha": 0.5}
    settings |= {"estimator": "exact", "labelled_per_class": 12, "channels": (3, 5)}
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    run(Config(**settings), output(whole))
    run(Config(**{**settings, "steps": 31}), output(parts))
    run(Config(**settings), output(parts, resume=True))
    same_files(whole, parts)
    shares = [
        x["validation_accuracy"] for x in lines_of(whole) if "train_loss" not in x
    ]
    assert len(shares) == 2
    assert shares[-1] > 0.4
    with pytest.raises(ValueError, match="alpha was 0.5, got 1.0"):
        run(Config(**{**settings, "alpha": 1.0}), output(whole, resume=True))


def test_own_images_train_by_their_own_size_and_classes(tmp_path):
    rng = np.random.default_rng(1)
    images, labels = (
        rng.integers(0, 256, (90, 3, 4), dtype=np.uint8),
        rng.integers(0, 3, 90),
    )
    path = tmp_path / "own.npz"
    np.savez(path, images=images, labels=labels)
    small = {"data": str(path), "num_latents": 2, "batch_size": 10, "steps": 20}
    model = run(Config(**small), output(tmp_path / "one")).model
    assert model.num_pixels == 12
    few = {**small, "model": "semi-supervised", "labelled_per_class": 2}
    with pytest.raises(ValueError, match="num_categories must be at least 3, the cl"):
        run(Config(**few, num_categories=2), output(tmp_path / "two"))
    model = run(Config(**few, num_categories=3), output(tmp_path / "two")).model
    assert model.num_classes == 3
    np.savez(path, images=images)
    with pytest.raises(ValueError, match=r"data must have labels .*own.npz"):
        run(Config(**few, num_categories=3), output(tmp_path / "three"))


def test_nothing_is_warned_of_in_a_sound_run(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run(changed(steps=20), output(tmp_path))
        run(changed(steps=25), output(tmp_path, resume=True))
    assert Path(tmp_path, BEFORE).exists()
