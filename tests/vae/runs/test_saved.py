"""Checkpoints of a run: whatever is wrong with one is said by its name, the same for every command."""

import pytest
import torch
from helpers.runs import SETTINGS, output

from gumbel_tutorial import vae
from gumbel_tutorial.vae.runs import keeper
from gumbel_tutorial.vae.runs.config import Config
from gumbel_tutorial.vae.runs.on_disk import run
from gumbel_tutorial.vae.runs.saved import BEST, CHECKPOINT, latest, least_loss
from gumbel_tutorial.vae.training import checkpoint
from gumbel_tutorial.vae.training.evaluation import Validation

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Return a checkpoint, and the folder that it lies in."""
    folder = tmp_path_factory.mktemp("trained")
    run(Config(**{**SETTINGS, "steps": 3}), output(folder))
    return checkpoint.read(folder / CHECKPOINT)


def write(folder, trained, **changes):
    state, config, about = trained._replace(**changes)
    checkpoint.write(folder / CHECKPOINT, state, config, about)


def test_a_model_is_what_was_trained(trained, tmp_path):
    write(tmp_path, trained)
    saved = latest(tmp_path)
    assert saved.step == 3
    for name, value in saved.load_model(CPU).state_dict().items():
        assert torch.equal(value, trained.state[f"model.{name}"])


def test_a_checkpoint_of_an_earlier_version_has_the_pixels_of_its_data(
    trained, tmp_path
):
    write(tmp_path, trained, about={})
    assert latest(tmp_path).load_model(CPU).num_pixels == 64


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (None, "settings by name, got None"),
        ([1, 2], r"settings by name, got \[1, 2\]"),
        (3, "settings by name, got 3"),
        ({"later": 1}, "settings of this version, got later"),
        ({"hidden": 3}, "hidden must be whole numbers, got 3"),
        ({"steps": -1}, "steps must be a whole number of at least 1, got -1"),
        ({"options": {"x": 1.0}}, "options must be among .*, got 'x'"),
    ],
)
def test_a_configuration_that_is_none_is_refused(config, message, trained, tmp_path):
    write(tmp_path, trained, config=config)
    with pytest.raises(ValueError, match=f"{CHECKPOINT}: .*{message}"):
        latest(tmp_path)


def test_a_state_that_is_not_the_models_is_refused(trained, tmp_path):
    other = {**trained.state, "model.decoder.0.bias": torch.zeros(3)}
    write(tmp_path, trained, state=other)
    message = f"{CHECKPOINT} must hold the model of its configuration, got"
    with pytest.raises(ValueError, match=message):
        latest(tmp_path).load_model(CPU)
    less = {name: value for name, value in trained.state.items() if name != "step"}
    for state in (less, {**less, "step": torch.zeros(2)}):
        write(tmp_path, trained, state=state)
        with pytest.raises(ValueError, match="must hold the step of a run, got"):
            _ = latest(tmp_path).step


@pytest.mark.parametrize("about", [[1], "x"])
def test_what_is_known_is_known_by_name(about, trained, tmp_path):
    write(tmp_path, trained, about=about)
    with pytest.raises(ValueError, match="must say what is known by name, got"):
        latest(tmp_path)


@pytest.mark.parametrize("number", [None, "64"])
def test_a_number_of_pixels_that_is_none_is_refused(number, trained, tmp_path):
    write(tmp_path, trained, about={**trained.about, "num_pixels": number})
    with pytest.raises(ValueError, match="must say a number of pixels, got"):
        latest(tmp_path).load_model(CPU)


def test_a_checkpoint_that_may_not_be_read_says_so(trained, tmp_path, monkeypatch):
    write(tmp_path, trained)

    def forbidden(self, *_):
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr("pathlib.Path.open", forbidden)
    with pytest.raises(PermissionError, match=f"Permission denied: .*{CHECKPOINT}"):
        latest(tmp_path)


def test_a_folder_without_a_checkpoint_names_what_is_missing(tmp_path):
    with pytest.raises(FileNotFoundError, match=str(tmp_path / CHECKPOINT)):
        latest(tmp_path)


# The best model


def losses(monkeypatch, *values):
    """Let the evaluations of a run find these losses."""
    left = iter(values)
    found = lambda *_, **__: Validation(next(left), 1.0)  # noqa: E731
    monkeypatch.setattr(keeper, "validate", found)


def test_the_model_of_the_least_validation_loss_is_kept(tmp_path, monkeypatch):
    losses(monkeypatch, 9.0, 7.0, 8.0, 7.0)
    run(Config(**SETTINGS), output(tmp_path))
    found = checkpoint.read(tmp_path / BEST)
    assert found.state["step"] == 60  # of 30, 60, 90 and 120: the first of the least
    assert found.about["validation_loss"] == least_loss(tmp_path) == 7.0
    best, newest = (vae.load_model(tmp_path, which) for which in ("best", "newest"))
    for name, value in best.state_dict().items():
        assert torch.equal(value, found.state[f"model.{name}"])
    assert not torch.equal(best.decoder[0].weight, newest.decoder[0].weight)


def test_a_resumed_run_remembers_its_best(tmp_path, monkeypatch):
    losses(monkeypatch, 7.0, 9.0, 8.0, 6.0)
    run(Config(**{**SETTINGS, "steps": 60}), output(tmp_path))
    run(Config(**{**SETTINGS, "steps": 90}), output(tmp_path, resume=True))
    assert checkpoint.read(tmp_path / BEST).state["step"] == 30
    run(Config(**SETTINGS), output(tmp_path, resume=True))
    assert checkpoint.read(tmp_path / BEST).state["step"] == 120


def test_a_spoilt_best_model_gives_way_to_the_next(tmp_path, monkeypatch):
    losses(monkeypatch, 7.0, 9.0, 8.0)
    run(Config(**{**SETTINGS, "steps": 60}), output(tmp_path))
    (tmp_path / BEST).write_bytes(b"x")
    assert least_loss(tmp_path) == float("inf")
    run(Config(**{**SETTINGS, "steps": 90}), output(tmp_path, resume=True))
    assert least_loss(tmp_path) == 8.0


def test_a_model_that_is_neither_newest_nor_best_is_refused(trained, tmp_path):
    with pytest.raises(ValueError, match="which must be one of newest, best, got last"):
        vae.load_model(tmp_path, "last")
    write(tmp_path, trained)
    with pytest.raises(FileNotFoundError, match=BEST):
        vae.load_model(str(tmp_path), "best")
