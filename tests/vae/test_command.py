"""The command: every argument, file and fault is answered by what was asked for or by one line."""

import io
import json
import os
import re
import signal
import sys
import warnings
from dataclasses import asdict

import numpy as np
import pytest
from helpers.runs import FLAGS, SETTINGS, Interrupt, at_step, die, output, same_files
from helpers.vae import flipped
from matplotlib.image import imread
from safetensors.torch import load_file

from gumbel_tutorial import vae
from gumbel_tutorial.estimators.registry import ESTIMATORS
from gumbel_tutorial.vae import command, table
from gumbel_tutorial.vae.__main__ import main
from gumbel_tutorial.vae.runs.build import make_splits
from gumbel_tutorial.vae.runs.config import Config
from gumbel_tutorial.vae.runs.journal import METRICS
from gumbel_tutorial.vae.runs.on_disk import run
from gumbel_tutorial.vae.runs.saved import BEFORE, CHECKPOINT, latest
from gumbel_tutorial.vae.training import checkpoint
from gumbel_tutorial.vae.training.processes import ReportedElsewhere

CLASSES = {
    **{"model": "semi-supervised", "hidden": (16,), "decoder_hidden": (16,)},
    **{"estimator": "rloo", "num_latents": 4, "steps": 6},
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Return the folder of a run that nothing happened to."""
    folder = tmp_path_factory.mktemp("whole")
    run(Config(**SETTINGS), output(folder))
    return folder


def one_line(capsys):
    (line,) = capsys.readouterr().err.strip().splitlines()
    return line


# Resuming


def test_a_run_is_resumed_by_its_folder_alone(tmp_path, capsys):
    run(Config(**CLASSES), output(tmp_path / "one", log_every=3))
    run(Config(**{**CLASSES, "steps": 12}), output(tmp_path / "other", log_every=3))
    arguments = ["train", "--output", str(tmp_path / "one"), "--resume"]
    assert main(arguments) == 0
    assert latest(tmp_path / "one").step == 6
    assert main([*arguments, "--steps", "12"]) == 0
    same_files(tmp_path / "one", tmp_path / "other")
    capsys.readouterr()
    assert main([*arguments, "--hidden", "16", "--estimator", "rloo"]) == 0
    assert main([*arguments, "--hidden", "12", "--alpha", "2", "--seed", "0"]) == 1
    message = (
        "configuration must not change: hidden was (16,), got (12,); alpha was 1.0"
    )
    assert one_line(capsys).startswith(f"error: {message}, got 2.0")


@pytest.mark.parametrize("given", [["--output={}"], ["--output", "{}"]])
def test_a_run_that_died_is_resumed_by_its_folder_alone(
    given, whole, tmp_path, monkeypatch
):
    with monkeypatch.context() as patch:
        at_step(patch, 37, die)
        with pytest.raises(Interrupt):
            run(Config(**SETTINGS), output(tmp_path))
    assert main(["train", "--resume", *(g.format(tmp_path) for g in given)]) == 0
    same_files(tmp_path, whole)


def test_what_a_run_was_told_of_its_output_is_remembered(tmp_path, capsys):
    run(Config(**SETTINGS), output(tmp_path, folder=tmp_path / "mnist"))
    resumed = command._begun(["train", "--output", str(tmp_path), "--resume"])
    assert asdict(resumed.output) == asdict(
        output(tmp_path, folder=tmp_path / "mnist", resume=True, device="cpu")
    )
    for others in (["--no-resume"], [], ["--resumed"]):
        assert command._begun(["train", "--output", str(tmp_path), *others]) is None
    assert command._begun(["evaluate", "--output", str(tmp_path), "--resume"]) is None
    capsys.readouterr()
    # A mistaken folder has nothing to be remembered.
    nowhere = ["train", "--output", str(tmp_path / "x"), "--resume"]
    assert main(nowhere) == 1
    assert "No such file or directory" in one_line(capsys)


# What a run is worth


def test_evaluate_and_sample_read_the_run(whole, tmp_path, capsys):
    assert main(["evaluate", "--run", str(whole), "--num-samples", "60"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["step"] == 120
    assert found["multi_sample"] < found["one_sample"]
    both = found["reconstruction"] + found["kl"]
    assert found["one_sample"] == pytest.approx(both)
    assert 0 <= found["active_units"] <= 4
    assert 1 <= found["perplexity"] <= 3
    splits = make_splits(Config(**SETTINGS), None, download=False)
    model = vae.load_model(whole)
    baseline = vae.independent_pixels(model, splits.train, splits.test)
    assert found["independent_pixels"] == pytest.approx(baseline)
    gap = found["one_sample"] - found["relaxed"]
    assert found["integrality_gap"] == pytest.approx(gap)
    picture = tmp_path / "samples.png"
    assert main(["sample", "--run", str(whole), "--picture", str(picture)]) == 0
    assert picture.read_bytes().startswith(b"\x89PNG")
    levels = imread(picture)[..., 0]
    assert levels.min() < 0.3 < 0.7 < levels.max()  # ink and paper


@pytest.mark.slow
def test_the_defaults_are_worth_more_than_independent_pixels(tmp_path, capsys):
    assert main(["train", str(tmp_path), "--steps", "1500"]) == 0
    capsys.readouterr()
    assert main(["evaluate", str(tmp_path), "--num-samples", "5"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["one_sample"] < found["independent_pixels"] - 2


def test_names_of_what_stands_first_may_be_left_out(whole, tmp_path, capsys):
    assert main(["evaluate", str(whole), "--num-samples", "3"]) == 0
    short = capsys.readouterr().out
    assert main(["evaluate", "--num-samples", "3", "--run", str(whole)]) == 0
    assert capsys.readouterr().out == short
    picture = tmp_path / "a.png"
    assert main(["sample", str(whole), str(picture)]) == 0
    assert picture.exists()
    assert main(["train", str(tmp_path / "new"), *FLAGS, "--steps", "3"]) == 0
    assert main(["train", str(tmp_path / "new"), "--resume", "--steps", "4"]) == 0
    assert latest(tmp_path / "new").step == 4


def test_the_best_model_is_evaluated_and_sampled_when_asked_for(
    whole, tmp_path, capsys
):
    best = ["--checkpoint", "best"]
    lines = (whole / METRICS).read_text().splitlines()
    rows = [row for row in map(json.loads, lines) if "validation_loss" in row]
    expected = min(rows, key=lambda row: row["validation_loss"])["step"]
    assert main(["evaluate", str(whole), *best, "--num-samples", "3"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["checkpoint"], found["step"]) == ("best", expected)
    assert main(["sample", str(whole), str(tmp_path / "a.png"), *best]) == 0


def test_grey_images_have_a_loss_of_that_name_and_no_bound(tmp_path, capsys):
    run(Config(**{**SETTINGS, "binarisation": "grey"}), output(tmp_path))
    capsys.readouterr()
    assert main(["evaluate", str(tmp_path), "--num-samples", "3"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert not {"one_sample", "multi_sample", "integrality_gap"} & set(found)
    both = found["reconstruction"] + found["kl"]
    assert found["grey_loss"] == pytest.approx(both)
    assert 26 < found["independent_pixels"] < 27


def test_training_images_that_are_drawn_anew_are_drawn_once_to_be_reported(
    tmp_path, capsys
):
    settings = {**SETTINGS, "binarisation": "dynamic", "steps": 5}
    run(Config(**settings), output(tmp_path))
    capsys.readouterr()
    asked = ["--split", "train", "--num-samples", "2"]
    assert main(["evaluate", str(tmp_path), *asked]) == 0
    assert "one_sample" in json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("number", [1, 5, 12])
def test_a_picture_of_any_number_of_images_is_drawn(number, whole, tmp_path):
    asked = ["--picture", str(tmp_path / "a.png"), "--num-images", str(number)]
    assert main(["sample", "--run", str(whole), *asked]) == 0


def test_own_images_train_resume_evaluate_and_sample(tmp_path, capsys):
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (90, 4, 4), dtype=np.uint8), np.arange(90) % 3
    np.savez(tmp_path / "own.npz", images=images, labels=labels)
    at = ["--output", str(tmp_path / "run")]
    few = ["--model", "semi-supervised", "--num-categories", "3", "--batch-size", "9"]
    own = ["--data", str(tmp_path / "own.npz"), "--labelled-per-class", "2"]
    assert main(["train", *at, *own, *few, "--steps", "10"]) == 0
    assert main(["train", *at, "--resume", "--steps", "20"]) == 0
    capsys.readouterr()
    assert main(["evaluate", "--run", str(tmp_path / "run"), "--num-samples", "3"]) == 0
    assert 0 <= json.loads(capsys.readouterr().out)["accuracy"] <= 1
    sample = ["sample", "--run", str(tmp_path / "run")]
    assert main([*sample, "--picture", str(tmp_path / "a.png")]) == 0
    np.save(tmp_path / "wide.npy", images[:, :3] / 255)
    wide = ["--data", str(tmp_path / "wide.npy"), "--batch-size", "9", "--steps", "5"]
    assert main(["train", "--output", str(tmp_path / "wide"), *wide]) == 0
    capsys.readouterr()
    sample = ["sample", "--run", str(tmp_path / "wide")]
    assert main([*sample, "--picture", str(tmp_path / "b.png")]) == 1
    assert "images must be square to be drawn, got 12 pixels" in one_line(capsys)


# What is wrong


def test_arguments_of_no_use_are_one_line_each(whole, tmp_path, capsys):
    record = tmp_path / "record"
    record.mkdir()
    (record / "run.json").write_text("{}")
    at, new = ["--run", str(whole)], ["--output", str(tmp_path / "new"), *FLAGS]
    places = ["--folder", str(tmp_path), "--record", str(record)]
    picture = ["--picture", str(tmp_path / "a.xyz")]
    cases = [
        (["train", *new, "--device", "foo"], "device must be a name such as cpu"),
        (["train", *new, "--device", "mps"], "device must be one of this machine"),
        (["evaluate", *at, "--device", "xpu"], "device must be one of this machine"),
        (["table", *places, "--device", "mps"], "device must be one of this"),
        (["table", *places], "run.json must hold a run of the table"),
        (["train", *new, "--hidden", "-3"], "hidden must be a whole number of at"),
        (
            ["train", *new, "--options", "temperature", "0.1"],
            "options must leave the temperature of gumbel_softmax to the temperature s",
        ),
        (["evaluate", *at, "--seed", str(2**70)], "seed must be below 2**31"),
        (["evaluate", *at, "--num-samples", "0"], "num_samples must be a whole num"),
        (["sample", *at, *picture, "--seed", "-1"], "seed must be a whole number"),
        (["table", *places, "--columns"], "columns must be among VAE"),
        (["sample", *at, *picture, "--num-images", "0"], "num_images must be a whole"),
        (["sample", *at, *picture], "picture must be a file of a known kind"),
        (["sample", *at, "--picture", str(tmp_path / "a")], "of a known kind"),
        (
            ["sample", *at, "--picture", str(tmp_path / "none" / "a.png")],
            "No such file or directory: '",
        ),
        (["train", *new, "--learning-rate", "0"], "learning_rate must be"),
        (["train", *new, "--data", "mnist"], "folder must be given"),
        (["train", *new, "--data", "cifar"], "data must be digits, mnist, or a file"),
        (["train", *new, "--data", "none.npz"], "No such file or directory: '"),
        (
            ["train", *new, "--data", "mnist", "--folder", str(tmp_path)],
            "folder must hold train-images-idx3-ubyte.gz",
        ),
        (["train", "--output", str(whole)], "output must hold no checkpoint yet"),
    ]
    for arguments, message in cases:
        assert main(arguments) == 1, arguments
        line = one_line(capsys)
        assert line.startswith("error: "), line
        assert message in line
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["train", "--output", "x", "--steps", "abc"],
            "Error parsing --steps: .*'abc'",
        ),
        (
            ["train", "--outptu", "x"],
            "--output PATH .*; Unrecognized options: --outptu",
        ),
        (["train"], "Missing from .*: --output PATH"),
        (
            ["train", "--output", "x", "--estimator", "y"],
            "invalid choice 'y' .*reinmax",
        ),
        (["evaluate", "--run", "x", "--split", "all"], "invalid choice 'all'"),
        (
            ["train", "x", "--hidden", "128,64"],
            "--hidden must be numbers with spaces, as --hidden 128 64, got 128,64",
        ),
        (["tran"], "tran"),
        ([], "train, evaluate, sample, table"),
    ],
)
def test_arguments_that_cannot_be_read_are_one_line_each(arguments, message, capsys):
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 2
    line = one_line(capsys)
    assert re.search(f"^error: .*{message}", line), line
    assert not re.search("[│─╭╰]", line)


def damage(folder, kind):
    path, before = folder / CHECKPOINT, folder / BEFORE
    found = checkpoint.read(path)
    before.unlink()
    if kind == "flipped":
        path.write_bytes(flipped(path.read_bytes(), -5))
    elif kind == "unknown":
        config = {**found.config, "weight_decay": 0.1}
        checkpoint.write(path, found.state, config, found.about)
    elif kind == "null":
        checkpoint.write(path, found.state, None, found.about)
    elif kind == "pickle":
        path.write_bytes(b"\x80\x04cos\nsystem\n(S'echo'\ntR.")
    else:
        path.unlink()


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("flipped", "must be undamaged"),
        ("pickle", "must be a checkpoint"),
        (
            "unknown",
            "configuration must have settings of this version, got weight_decay",
        ),
        ("null", "configuration must be settings by name, got None"),
        ("gone", "No such file or directory"),
    ],
)
def test_a_faulty_checkpoint_is_the_same_line_from_every_command(
    kind, message, tmp_path, capsys
):
    run(Config(**{**SETTINGS, "steps": 3}), output(tmp_path))
    damage(tmp_path, kind)
    capsys.readouterr()
    lines = set()
    for arguments in (
        ["train", "--output", str(tmp_path), "--resume"],
        ["evaluate", "--run", str(tmp_path)],
        ["sample", "--run", str(tmp_path), "--picture", "a.png"],
    ):
        assert main(arguments) == 1
        lines.add(one_line(capsys))
    (line,) = lines
    assert message in line
    assert str(tmp_path / CHECKPOINT) in line


def test_a_damaged_checkpoint_is_warned_of_in_one_line(whole, tmp_path, capsys):
    for name in (CHECKPOINT, BEFORE):
        content = (whole / name).read_bytes()
        (tmp_path / name).write_bytes(
            flipped(content, -5) if name == CHECKPOINT else content
        )
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        assert main(["evaluate", "--run", str(tmp_path), "--num-samples", "2"]) == 0
    said = capsys.readouterr()
    assert json.loads(said.out)["step"] == 100
    (line,) = said.err.strip().splitlines()
    assert line.startswith("warning: ")
    assert f"using the checkpoint before, {tmp_path / BEFORE}, of step 100" in line


def test_a_picture_that_does_not_fit_is_named(whole, tmp_path, monkeypatch, capsys):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint.os, "fsync", full)
    asked = ["--picture", str(tmp_path / "a.png")]
    assert main(["sample", "--run", str(whole), *asked]) == 1
    assert "No space left on device: '" in (line := one_line(capsys))
    assert "a.png" in line
    assert list(tmp_path.iterdir()) == []


def test_a_structured_prediction_cannot_be_sampled(tmp_path, capsys):
    settings = {**SETTINGS, "model": "structured-prediction", "steps": 2}
    run(Config(**settings), output(tmp_path))
    capsys.readouterr()
    asked = ["--picture", str(tmp_path / "a.png")]
    assert main(["sample", "--run", str(tmp_path), *asked]) == 1
    assert "model must define sample, got StructuredPrediction" in one_line(capsys)


def test_another_process_reports_the_error(monkeypatch, capsys):
    def fails(*_):
        raise ReportedElsewhere(143)

    monkeypatch.setattr(command, "run", fails)
    assert main(["train", "--output", "x"]) == 143
    assert capsys.readouterr().err == ""


def test_help_names_every_command_estimator_and_choice(capsys):
    for arguments, names in (
        ([], ("train", "evaluate", "sample", "table")),
        (["train"], (*ESTIMATORS, "mnist", ".npz", "structured-prediction")),
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


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_the_bar_shows_loss_temperature_and_rate(tmp_path, monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    run(Config(**{**SETTINGS, "steps": 40}), output(tmp_path))
    last = [x for x in terminal.getvalue().split("\r") if "40/40" in x][-1]
    assert "\n" not in terminal.getvalue().rstrip()
    for name in ("loss=", "temperature=", "rate=1.00e-03", "validation="):
        assert name in last


def test_a_run_that_nobody_watches_says_a_line_for_each_evaluation(tmp_path, capsys):
    run(Config(**SETTINGS), output(tmp_path))
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(":")[0] for line in lines] == [
        f"step {step} of 120" for step in (30, 60, 90, 120)
    ]
    for name in ("validation loss", "reconstruction", "kl", "active_units"):
        assert name in lines[-1]


def test_a_signal_ends_the_command_with_its_code_and_one_line(
    tmp_path, monkeypatch, capsys
):
    at_step(monkeypatch, 7, lambda _: os.kill(os.getpid(), signal.SIGHUP))
    assert main(["train", "--output", str(tmp_path), *FLAGS]) == 129
    assert one_line(capsys) == "stopped by SIGHUP after step 8; --resume continues"
    assert load_file(tmp_path / CHECKPOINT)["step"] == 8
