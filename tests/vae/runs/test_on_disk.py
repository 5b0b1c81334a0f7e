"""A run on disk under every fault that training meets: nothing is lost, and the error is one line."""

import json
import os
import pty
import re
import resource
import signal
import subprocess
import sys
import termios
from contextlib import suppress
from pathlib import Path

import pytest
import torch
from helpers.vae import running, wait_until
from safetensors.torch import load_file

from gumbel_tutorial.estimators.registry import ESTIMATORS
from gumbel_tutorial.vae import __main__
from gumbel_tutorial.vae.__main__ import main
from gumbel_tutorial.vae.runs import on_disk as run
from gumbel_tutorial.vae.runs.config import Config
from gumbel_tutorial.vae.runs.on_disk import (
    CHECKPOINT,
    METRICS,
    Output,
    load_model,
    train,
)
from gumbel_tutorial.vae.table import study as table
from gumbel_tutorial.vae.training import checkpoint
from gumbel_tutorial.vae.training.evaluation import Validation
from gumbel_tutorial.vae.training.processes import Processes, ReportedElsewhere

COMMAND = [sys.executable, "-m", "gumbel_tutorial.vae"]
SETTINGS = {"num_latents": 4, "num_categories": 3, "batch_size": 20, "steps": 120}
FLAGS = [
    *("--num-latents", "4", "--num-categories", "3", "--batch-size", "20"),
    *("--checkpoint-every", "20", "--evaluate-every", "30", "--log-every", "5"),
]


def output(folder, **options):
    defaults = {"checkpoint_every": 20, "evaluate_every": 30, "log_every": 5}
    return Output(folder, **{**defaults, **options})


def command(*arguments, **options):
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [*COMMAND, *arguments],
        capture_output=True,
        text=True,
        env=environment,
        timeout=300,
        **options,
    )


def num_lines(folder):
    metrics = folder / METRICS
    return metrics.read_text().count("\n") if metrics.exists() else 0


def same_files(first, second):
    assert (first / METRICS).read_text() == (second / METRICS).read_text()
    ours, theirs = load_file(first / CHECKPOINT), load_file(second / CHECKPOINT)
    assert set(ours) == set(theirs)
    for name, value in ours.items():
        torch.testing.assert_close(
            value, theirs[name], rtol=0, atol=0, equal_nan=True, msg=name
        )


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Return the folder of a run that nothing happened to."""
    folder = tmp_path_factory.mktemp("whole")
    train(Config(**SETTINGS), output(folder))
    return folder


def test_the_metrics_say_what_happened(whole):
    lines = [json.loads(line) for line in (whole / METRICS).read_text().splitlines()]
    steps = [line for line in lines if "loss" in line]
    assert [line["step"] for line in steps] == list(range(5, 121, 5))
    assert set(steps[0]) == {"step", "loss", "temperature", "learning_rate"}
    evaluations = [line for line in lines if "validation" in line]
    assert [line["step"] for line in evaluations] == [30, 60, 90, 120]
    assert evaluations[-1]["validation"] < evaluations[0]["validation"]


class Interrupt(Exception):
    pass


@pytest.mark.parametrize("at", [20, 37, 119])
def test_a_run_that_died_continues_as_if_it_had_not(at, whole, tmp_path, monkeypatch):
    step = run.Trainer.step

    def dies(self):
        if self.steps_taken == at:
            raise Interrupt
        return step(self)

    monkeypatch.setattr(run.Trainer, "step", dies)
    with pytest.raises(Interrupt):
        train(Config(**SETTINGS), output(tmp_path))
    monkeypatch.undo()
    # A crash may leave half a line, too.
    with (tmp_path / METRICS).open("a") as file:
        file.write('{"step": 40, "lo')
    train(Config(**SETTINGS), output(tmp_path, resume=True))
    same_files(tmp_path, whole)


def test_a_run_that_died_before_its_first_report_continues(
    whole, tmp_path, monkeypatch
):
    def dies(self):
        del self
        raise Interrupt

    monkeypatch.setattr(run.Trainer, "step", dies)
    with pytest.raises(Interrupt):
        train(Config(**SETTINGS), output(tmp_path))
    monkeypatch.undo()
    with pytest.raises(FileExistsError, match=r"no checkpoint yet, or be resumed"):
        train(Config(**SETTINGS), output(tmp_path))
    train(Config(**SETTINGS), output(tmp_path, resume=True))
    same_files(tmp_path, whole)


def test_a_run_killed_outright_continues(whole, tmp_path):
    never = ["--steps", "100000", "--checkpoint-every", "100000"]
    words = [*COMMAND, "train", "--output", str(tmp_path), *FLAGS, *never]
    with running(words, stderr=subprocess.DEVNULL) as process:
        wait_until(lambda: num_lines(tmp_path) > 5)
        process.kill()
        process.wait()
    assert load_file(tmp_path / CHECKPOINT)["step"] == 0
    train(Config(**SETTINGS), output(tmp_path, resume=True))
    same_files(tmp_path, whole)


def test_a_finished_run_may_go_on(whole, tmp_path):
    short = {**SETTINGS, "steps": 60}
    train(Config(**short), output(tmp_path))
    train(Config(**SETTINGS), output(tmp_path, resume=True))
    same_files(tmp_path, whole)
    train(Config(**SETTINGS), output(tmp_path, resume=True))
    same_files(tmp_path, whole)
    with pytest.raises(
        ValueError, match="steps must be at least the 120 already taken"
    ):
        train(Config(**short), output(tmp_path, resume=True))


def test_a_longer_run_keeps_no_line_that_only_the_shorter_one_has(whole, tmp_path):
    for steps in (47, 60, 120):
        longer = Config(**{**SETTINGS, "steps": steps})
        train(longer, output(tmp_path, resume=steps > 47))
        last = json.loads((tmp_path / METRICS).read_text().splitlines()[-1])
        assert last["step"] == steps
        # A run that is resumed at its end keeps what it has.
        before = (tmp_path / METRICS).read_text()
        train(longer, output(tmp_path, resume=True))
        assert (tmp_path / METRICS).read_text() == before
    same_files(tmp_path, whole)


def test_metrics_without_a_checkpoint_are_not_lost(tmp_path):
    content = '{"step": 5, "loss": 3.0}\n'
    (tmp_path / METRICS).write_text(content)
    with pytest.raises(FileExistsError, match=f"no metrics yet.*{METRICS}"):
        train(Config(**SETTINGS), output(tmp_path))
    assert (tmp_path / METRICS).read_text() == content


def test_a_run_stays_on_its_type_of_device(whole, tmp_path):
    state, config, device = checkpoint.read(whole / CHECKPOINT)
    assert device == "cpu"
    checkpoint.write(tmp_path / CHECKPOINT, state, config, "cuda")
    message = "device must be of the type cuda that the run began on, got cpu"
    with pytest.raises(ValueError, match=message):
        train(Config(**SETTINGS), output(tmp_path, resume=True))
    # An old checkpoint does not say.
    checkpoint.write(tmp_path / CHECKPOINT, state, config)
    assert train(Config(**SETTINGS), output(tmp_path, resume=True)).steps_taken == 120


def test_a_checkpoint_of_another_model_is_one_line(whole, tmp_path, capsys):
    state, config, _ = checkpoint.read(whole / CHECKPOINT)
    other = {**state, "model.decoder.0.bias": torch.zeros(3)}
    less = {name: value for name, value in state.items() if name != "step"}
    for wrong in (other, less):
        checkpoint.write(tmp_path / CHECKPOINT, wrong, config)
        assert main(["evaluate", "--run", str(tmp_path)]) == 1
        (line,) = capsys.readouterr().err.strip().splitlines()
        assert line.startswith("error: ")
        assert "must hold the model of its configuration, got" in line


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_finishes_the_step_saves_and_says_so(number, tmp_path):
    # Long enough that the signal comes before the end, whatever the machine is busy with.
    steps = ["--steps", "100000", "--log-every", "1"]
    words = [*COMMAND, "train", "--output", str(tmp_path), *FLAGS, *steps]
    with running(words, stderr=subprocess.PIPE) as process:
        wait_until(lambda: num_lines(tmp_path) > 50)
        process.send_signal(number)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    last = json.loads((tmp_path / METRICS).read_text().splitlines()[-1])["step"]
    line = f"stopped by {number.name} after step {last}; --resume continues"
    assert errors.strip().splitlines()[-1] == line
    assert load_file(tmp_path / CHECKPOINT)["step"] == last
    resumed = Config(**{**SETTINGS, "steps": last + 7})
    trained = train(resumed, output(tmp_path, resume=True))
    assert trained.steps_taken == last + 7


def test_a_loss_that_is_not_finite_names_step_batch_and_checkpoint(
    tmp_path, monkeypatch
):
    step = run.Trainer.step

    def poisoned(self):
        if self.steps_taken == 50:
            self.model.decoder[-1].bias.data[0] = torch.nan
        return step(self)

    monkeypatch.setattr(run.Trainer, "step", poisoned)
    message = (
        r"loss must be finite, got nan at step 51, batch of 20 images [\d, ]+, \.\.\.; "
        r"50 steps were taken; "
        rf"the last good checkpoint is {tmp_path / CHECKPOINT}, of step 40"
    )
    with pytest.raises(FloatingPointError, match=message):
        train(Config(**SETTINGS), output(tmp_path))
    assert load_file(tmp_path / CHECKPOINT)["step"] == 40


def test_numbers_that_are_not_finite_are_never_saved(tmp_path, monkeypatch):
    step = run.Trainer.step

    def poisoned(self):
        progress = step(self)
        if self.steps_taken == 60:
            self.model.decoder[-1].bias.data[0] = torch.inf
        return progress

    monkeypatch.setattr(run.Trainer, "step", poisoned)
    with pytest.raises(FloatingPointError, match="must be finite"):
        train(Config(**SETTINGS), output(tmp_path, evaluate_every=1000))
    assert load_file(tmp_path / CHECKPOINT)["step"] == 40


def test_an_evaluation_that_is_not_finite_stops_the_run(tmp_path, monkeypatch):
    found = Validation(discrete=1.0, relaxed=float("nan"))
    monkeypatch.setattr(run, "validate", lambda *_, **__: found)
    message = "validation_relaxed must be finite, got nan after step 30; 30 steps were"
    with pytest.raises(FloatingPointError, match=message):
        train(Config(**SETTINGS), output(tmp_path))
    assert "NaN" not in (tmp_path / METRICS).read_text()


def small_files():
    # No file of more than 20 kB: the checkpoint has more, as on a disk that is nearly full.
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))


def test_a_full_disk_stops_with_one_line_and_keeps_the_checkpoint_before(tmp_path):
    first = command("train", "--output", str(tmp_path), *FLAGS, "--steps", "40")
    assert first.returncode == 0, first.stderr
    before = (tmp_path / CHECKPOINT).read_bytes()
    assert len(before) > 20_000 > (tmp_path / METRICS).stat().st_size
    arguments = (
        "train",
        "--output",
        str(tmp_path),
        *FLAGS,
        "--steps",
        "60",
        "--resume",
    )
    full = command(*arguments, preexec_fn=small_files)
    assert full.returncode == 1
    (line,) = [row for row in full.stderr.splitlines() if "error" in row]
    assert line.startswith("error: ")
    assert "File too large" in line
    assert CHECKPOINT in line
    assert (tmp_path / CHECKPOINT).read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == [CHECKPOINT, METRICS]
    assert command(*arguments).returncode == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_metrics_that_do_not_fit_stop_the_run_by_name(tmp_path, monkeypatch):
    monkeypatch.setattr(run, "_keep_until", lambda *_: None)
    monkeypatch.setattr(run._Journal, "sync", lambda _: None)  # no file of a disk
    (tmp_path / METRICS).symlink_to("/dev/full")
    with pytest.raises(OSError, match=f"No space left on device.*{METRICS}"):
        train(Config(**SETTINGS), output(tmp_path))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_reported_once(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(run, "_keep_until", lambda *_: None)
    monkeypatch.setattr(run._Journal, "sync", lambda _: None)  # no file of a disk
    (tmp_path / METRICS).symlink_to("/dev/full")
    assert main(["train", "--output", str(tmp_path), *FLAGS, "--steps", "20"]) == 1
    assert capsys.readouterr().err.count("No space left") == 1


def test_arguments_of_no_use_are_one_line_each(whole, tmp_path, capsys):
    record = tmp_path / "record.json"
    record.write_text(json.dumps({"runs": [{}], "published": {}}))
    at, new = ["--run", str(whole)], ["--output", str(tmp_path / "new"), *FLAGS]
    places = ["--folder", str(tmp_path), "--record", str(record)]
    picture = ["--picture", str(tmp_path / "a.xyz")]
    cases = [
        (["train", *new, "--device", "foo"], "device must be a name such as cpu"),
        (["train", *new, "--device", "mps"], "device must be one of this machine"),
        (["evaluate", *at, "--device", "xpu"], "device must be one of this machine"),
        (["table", *places[:2], "--device", "mps"], "device must be one of this"),
        (["table", *places], "must be a record of the table"),
        (["train", *new, "--hidden", "-3"], "hidden must be a whole number of at"),
        (
            ["train", *new, "--options", "temperature", "0.1"],
            "options must leave the temperature of gumbel_softmax to the temperature s",
        ),
        (["evaluate", *at, "--seed", str(2**70)], "seed must be below 2**31"),
        (["sample", *at, *picture, "--seed", "-1"], "seed must be a whole number"),
        (["table", *places, "--columns"], "columns must be among VAE"),
        (["sample", *at, *picture, "--num-images", "0"], "num_images must be a whole"),
        (["sample", *at, *picture], "picture must be a file of a known kind"),
    ]
    for arguments, message in cases:
        assert main(arguments) == 1, arguments
        lines = capsys.readouterr().err.strip().splitlines()
        errors = [line for line in lines if line.startswith("error: ")]
        assert len(errors) == 1, lines
        assert message in errors[0]
        assert "Traceback" not in "".join(lines)


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (RuntimeError("out of\n  memory"), 1, "error: out of memory"),
        (ImportError("no tensorboard"), 1, "error: no tensorboard"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (ReportedElsewhere(143), 143, ""),
    ],
)
def test_whatever_stops_a_command_is_one_line(error, code, line, monkeypatch, capsys):
    def fails(*_):
        raise error

    monkeypatch.setattr(__main__, "run_training", fails)
    assert main(["train", "--output", "x"]) == code
    assert capsys.readouterr().err.strip() == line


@pytest.mark.parametrize("local", [0, 1])
def test_one_process_of_a_machine_fetches_and_the_others_wait(local, monkeypatch):
    done = []
    monkeypatch.setenv("LOCAL_RANK", str(local))
    monkeypatch.setattr(torch.distributed, "barrier", lambda: done.append("barrier"))
    monkeypatch.setattr(
        run, "make_splits", lambda *_, download: done.append(f"download {download}")
    )
    asked = Output(Path(), download=True)
    run._read_splits(Config(), asked, Processes(local + 2, 4))
    expected = [["download True", "barrier"], ["barrier", "download False"]]
    assert done == expected[local]


def test_faults_of_the_folder_are_one_line_each(whole, tmp_path, capsys):
    file = tmp_path / "file"
    file.write_text("not a folder")
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    content = bytearray((whole / CHECKPOINT).read_bytes())
    content[-5] ^= 1
    (damaged / CHECKPOINT).write_bytes(content)
    cases = [
        (["--output", str(file / "run")], "Not a directory"),
        (["--output", str(whole)], "output must hold no checkpoint yet"),
        (["--output", str(tmp_path / "none"), "--resume"], "is missing"),
        (["--output", str(damaged), "--resume"], "must be undamaged"),
        (
            ["--output", str(whole), "--resume", "--steps", "120", "--seed", "3"],
            "configuration must not change: seed was 0, got 3",
        ),
        (["--output", str(tmp_path), "--data", "mnist"], "folder must be given"),
        (
            ["--output", str(tmp_path), "--data", "mnist", "--folder", str(tmp_path)],
            "folder must hold train-images-idx3-ubyte.gz",
        ),
        (["--output", str(tmp_path), "--estimator", "x"], "estimator must be one of e"),
        (["--output", str(tmp_path), "--learning-rate", "0"], "learning_rate must be"),
    ]
    before = (whole / CHECKPOINT).read_bytes()
    for arguments, message in cases:
        assert main(["train", *FLAGS, *arguments]) == 1, arguments
        errors = capsys.readouterr().err
        assert message in errors
        assert len(errors.strip().splitlines()) == 1, errors
    assert (whole / CHECKPOINT).read_bytes() == before


def test_evaluate_and_sample_read_the_run(whole, tmp_path, capsys):
    assert main(["evaluate", "--run", str(whole), "--num-samples", "60"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["step"] == 120
    assert found["multi_sample"] < found["one_sample"]
    gap = found["one_sample"] - found["relaxed"]
    assert found["integrality_gap"] == pytest.approx(gap)
    picture = tmp_path / "samples.png"
    assert main(["sample", "--run", str(whole), "--picture", str(picture)]) == 0
    assert picture.read_bytes().startswith(b"\x89PNG")
    with pytest.raises(SystemExit):
        main(["evaluate", "--run", str(whole), "--split", "all"])
    assert "invalid choice 'all'" in capsys.readouterr().err


def test_few_labels_are_trained_on_resumed_and_reported(tmp_path, capsys):
    settings = {"model": "semi-supervised", "hidden": (9,), "steps": 60}
    settings |= {"num_latents": 4, "learning_rate": 0.01, "alpha": 0.5}
    settings |= {"estimator": "exact", "labelled_per_class": 12, "channels": (3, 5)}
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    flags = "--model semi-supervised --hidden 9 --steps 60 --num-latents 4 --alpha 0.5"
    flags += " --learning-rate 0.01 --estimator exact --labelled-per-class 12"
    flags += " --channels 3 5"
    flags += " --checkpoint-every 20 --evaluate-every 30 --log-every 5"
    assert main(["train", "--output", str(whole), *flags.split()]) == 0
    capsys.readouterr()
    train(Config(**{**settings, "steps": 31}), output(parts))
    train(Config(**settings), output(parts, resume=True))
    same_files(whole, parts)
    _, model, _ = load_model(whole, torch.device("cpu"))
    assert [layer.out_channels for layer in model.classifier.layers[:4:2]] == [3, 5]
    lines = [json.loads(line) for line in (whole / METRICS).read_text().splitlines()]
    accuracies = [x["validation_accuracy"] for x in lines if "validation" in x]
    assert len(accuracies) == 2
    assert accuracies[-1] > 0.4
    assert main(["evaluate", "--run", str(whole), "--num-samples", "5"]) == 0
    assert 0.4 < json.loads(capsys.readouterr().out)["accuracy"] < 1
    picture = tmp_path / "classes.png"
    arguments = ["--picture", str(picture), "--num-images", "30"]
    assert main(["sample", "--run", str(whole), *arguments]) == 0
    with pytest.raises(ValueError, match="alpha was 0.5, got 1.0"):
        train(Config(**{**settings, "alpha": 1.0}), output(whole, resume=True))


def test_tensorboard_gets_what_the_metrics_get(tmp_path):
    event_accumulator = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator"
    )
    train(Config(**{**SETTINGS, "steps": 40}), output(tmp_path, tensorboard=True))
    events = event_accumulator.EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    lines = [json.loads(line) for line in (tmp_path / METRICS).read_text().splitlines()]
    expected = [(row["step"], row["loss"]) for row in lines if "loss" in row]
    found = [(event.step, event.value) for event in events.Scalars("loss")]
    assert [step for step, _ in found] == [step for step, _ in expected]
    values = [[value for _, value in pairs] for pairs in (found, expected)]
    assert values[0] == pytest.approx(values[1])


def test_help_names_every_command_estimator_and_choice(capsys):
    for arguments, names in (
        ([], ("{train,evaluate,sample,table}",)),
        (["train"], (*ESTIMATORS, "{digits,mnist}", "structured-prediction")),
        (["evaluate"], ("{train,validation,test}",)),
        (["table"], (*table.COLUMNS, *table.ROWS)),
    ):
        with pytest.raises(SystemExit) as exit_info:
            main([*arguments, "--help"])
        assert exit_info.value.code == 0
        # The help is a box, whose lines break where they must.
        shown = re.sub(r"[\s│]+", "", capsys.readouterr().out)
        for name in names:
            assert name.replace(" ", "") in shown, name


def test_the_bar_shows_loss_temperature_and_rate(tmp_path):
    leader, follower = pty.openpty()
    termios.tcsetwinsize(follower, (24, 120))
    words = [*COMMAND, "train", "--output", str(tmp_path), *FLAGS, "--steps", "40"]
    shown = b""
    with running(words, stdout=follower, stderr=follower) as process:
        os.close(follower)
        with suppress(OSError):  # which says that the other end is closed
            while part := os.read(leader, 4096):
                shown += part
        assert process.wait(timeout=60) == 0
    os.close(leader)
    last = [line for line in shown.decode().split("\r") if "40/40" in line][-1]
    for name in ("loss=", "temperature=", "rate=1.00e-03"):
        assert name in last, shown


def test_tensorboard_forgets_the_steps_that_a_resumed_run_takes_again(
    tmp_path, monkeypatch
):
    event_accumulator = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator"
    )
    step = run.Trainer.step

    def dies(self):
        if self.steps_taken == 37:
            raise Interrupt
        return step(self)

    monkeypatch.setattr(run.Trainer, "step", dies)
    with pytest.raises(Interrupt):
        train(Config(**SETTINGS), output(tmp_path, tensorboard=True))
    monkeypatch.undo()
    train(Config(**SETTINGS), output(tmp_path, tensorboard=True, resume=True))
    events = event_accumulator.EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    assert [event.step for event in events.Scalars("loss")] == list(range(5, 121, 5))
