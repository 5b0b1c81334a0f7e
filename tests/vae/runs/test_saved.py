"""Checkpoints of a run: whatever is wrong with one is said by its name, the same for every command."""

import pytest
import torch
from helpers.runs import SETTINGS, output

from gumbel_tutorial.vae.runs.config import Config
from gumbel_tutorial.vae.runs.on_disk import run
from gumbel_tutorial.vae.runs.saved import CHECKPOINT, latest
from gumbel_tutorial.vae.training import checkpoint

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
        ({"hidden": None}, "hidden must be whole numbers, got None"),
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
