"""A configuration: what it refuses, and that files of other versions keep their meaning."""

import json
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import pytest

from gumbel_tutorial.vae.models.autoencoder import CategoricalVAE
from gumbel_tutorial.vae.models.semi_supervised import SemiSupervisedVAE
from gumbel_tutorial.vae.runs import config as module
from gumbel_tutorial.vae.runs.build import make_model, make_temperature
from gumbel_tutorial.vae.runs.config import Config, Output, from_json


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"final_temperature": 2.0}, "final_temperature must be at most the temp"),
        ({"anneal_rate": float("inf")}, "anneal_rate must be finite and not negative"),
        ({"anneal_rate": float("nan")}, "anneal_rate must be finite and not negative"),
        ({"seed": -1}, "seed must be a whole number of at least 0, got -1"),
        ({"seed": 2**31}, r"seed must be below 2\*\*31, got 2147483648"),
        (
            {"model": "structured-prediction", "decoder_hidden": (3,)},
            "decoder_hidden must be \\(\\) with model structured-prediction",
        ),
        (
            {"model": "structured-prediction", "learn_prior": True},
            "learn_prior must be False with model structured-p",
        ),
        ({"num_layers": 3}, "num_layers must be 2 with model autoencoder, got 3"),
        ({"alpha": 2.0}, "alpha must be 1.0 with model autoencoder, got 2.0"),
        (
            {"channels": (4,)},
            r"channels must be \(\) with model autoencoder, got \(4,\)",
        ),
        (
            {"model": "semi-supervised", "alpha": -1.0},
            "alpha must be finite and not negative, got -1.0",
        ),
        (
            {"model": "semi_supervised"},
            "model must be one of autoencoder, .*, semi-supervised, got 'semi_sup",
        ),
        (
            {"decay": "first-half"},
            "decay must be one of none, second-half, cosine, got",
        ),
        (
            {"negative_slope": -0.1},
            "negative_slope must be finite and not negative, got",
        ),
        (
            {"model": "structured-prediction", "negative_slope": 0.2},
            "negative_slope must be 0.0 with model structured-pred",
        ),
        (
            {"estimator": "zgr", "anneal_price": True},
            "anneal_price must be False with zgr, got True",
        ),
        (
            {
                "estimator": "mve",
                "anneal_price": True,
                "options": {"temperature": 2.0},
            },
            "options must leave the temperature of mve to the temperature schedule",
        ),
        ({"num_latents": "4"}, "num_latents must be a whole number, got '4'"),
        ({"num_latents": None}, "num_latents must be a whole number, got None"),
        ({"num_latents": True}, "num_latents must be a whole number, got True"),
        ({"num_latents": 0}, "num_latents must be a whole number of at least 1, got 0"),
        ({"hidden": 3}, "hidden must be whole numbers, got 3"),
        ({"hidden": (3.0,)}, "hidden must be whole numbers, got"),
        ({"alpha": "1"}, "alpha must be a number, got '1'"),
        ({"bfloat16": 1}, "bfloat16 must be true or false, got 1"),
        ({"options": {"num_samples": "2"}}, "options must be numbers by name, got"),
        ({"data": 3}, "data must be a text, got 3"),
        ({"data": "cifar"}, "data must be digits, mnist, or a file .npy or .npz, got"),
        ({"estimator": "x"}, "estimator must be one of exact, .*, got 'x'"),
        (
            {"estimator": "rloo", "options": {"num_samples": 2.5}},
            "options must have a whole number as num_samples, got 2.5",
        ),
        (
            {"model": "semi-supervised", "labelled_per_class": 0},
            "labelled_per_class must be a whole number of at least 1, got 0",
        ),
        (
            {"estimator": "relax", "options": {"control": 1.0}},
            "options must not set the control of relax",
        ),
    ],
)
def test_settings_without_a_meaning_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        Config(**settings)


def test_what_is_left_open_depends_on_the_model_and_the_images():
    assert Config().hidden == Config().decoder_hidden == (256,)
    assert Config(hidden=(7, 5)).decoder_hidden == (5, 7)
    assert Config(hidden=(7, 5), decoder_hidden=()).decoder_hidden == ()
    predicts = Config(model="structured-prediction")
    assert predicts.hidden == predicts.decoder_hidden == ()
    with pytest.raises(ValueError, match=r"decoder_hidden must be \(\) with model str"):
        Config(model="structured-prediction", decoder_hidden=(3,))
    shown = {d: Config(data=d).binarisation for d in ("digits", "mnist", "own.npy")}
    assert shown == {"digits": "threshold", "mnist": "fixed", "own.npy": "fixed"}
    assert Config(binarisation="grey").binarisation == "grey"


@pytest.mark.parametrize("model", ["autoencoder", "semi-supervised"])
@pytest.mark.parametrize("hidden", [{}, {"hidden": (7,)}, {"hidden": ()}])
def test_a_width_means_the_same_to_the_command_and_in_python(model, hidden):
    of_command = make_model(Config(model=model, **hidden), 64)
    kinds = {"autoencoder": CategoricalVAE, "semi-supervised": SemiSupervisedVAE}
    in_python = kinds[model](64, 20, 10, **hidden)
    shapes = [[p.shape for p in m.parameters()] for m in (of_command, in_python)]
    assert shapes[0] == shapes[1]


def test_the_temperature_reaches_its_floor_by_default():
    config = Config()
    temperature = make_temperature(config)
    assert temperature(0) == config.temperature
    assert temperature(config.steps - 1) == config.final_temperature


def test_a_temperature_that_stays_may_lie_anywhere():
    assert Config(anneal_rate=0.0, temperature=0.1).temperature == 0.1


def test_a_configuration_is_what_its_file_says():
    made = Config(
        model="semi-supervised",
        hidden=(3, 4),
        estimator="rloo",
        options={"num_samples": 4},
        data="own.npz",
    )
    assert from_json(json.loads(json.dumps(made.as_json()))) == made


@pytest.mark.parametrize("name", [own.name for own in fields(Config)])
def test_a_setting_that_a_file_lacks_means_its_default(name):
    values = Config(seed=3).as_json()
    del values[name]
    assert from_json(values) == (Config() if name == "seed" else Config(seed=3))


def test_a_new_setting_leaves_old_files_what_they_were(monkeypatch):
    @dataclass(frozen=True)
    class Later(Config):
        weight_decay: float = 0.0

    old = Config(seed=3).as_json()
    monkeypatch.setattr(module, "Config", Later)
    module._hints.cache_clear()
    found = from_json(old)
    assert found == Later(seed=3)
    found.check_continues(from_json(found.as_json()))
    with pytest.raises(ValueError, match="weight_decay was 0.0, got 0.1"):
        Later(seed=3, weight_decay=0.1).check_continues(found)
    monkeypatch.undo()
    module._hints.cache_clear()
    with pytest.raises(ValueError, match="settings of this version, got weight_decay"):
        from_json(found.as_json())


@pytest.mark.parametrize("wrong", [None, [], 3, "digits", [["seed", 3]]])
def test_something_else_than_settings_is_refused(wrong):
    with pytest.raises(ValueError, match="configuration must be settings by name, got"):
        from_json(wrong)


def test_options_have_the_types_of_the_estimator():
    whole = Config(estimator="rloo", options={"num_samples": 2.0}).options
    assert whole == {"num_samples": 2}
    assert type(whole["num_samples"]) is int
    # A number that may be broken stays one.
    gap = Config(estimator="gapped_straight_through", options={"gap": 1.0}).options
    assert type(gap["gap"]) is float


def test_only_a_longer_run_is_the_same_run():
    before = Config(seed=1)
    Config(seed=1, steps=9_000).check_continues(before)
    with pytest.raises(ValueError, match="change: num_latents was 20, got 3; seed was"):
        Config(num_latents=3).check_continues(before)
    decays = {"decay": "second-half"}
    with pytest.raises(ValueError, match="steps was 5000, got 9000"):
        Config(**decays, steps=9_000).check_continues(Config(**decays))
    with pytest.raises(ValueError, match="data was 'digits', got '.*own.npy'"):
        Config(seed=1, data="own.npy").check_continues(before)


def test_a_file_of_images_is_known_by_a_path_that_holds_everywhere(
    tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    assert Config(data="own.npy").data == str(tmp_path / "own.npy")


def test_an_output_remembers_its_folders_and_how_often_it_reports(
    tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    said = Output(Path("run"), folder=Path("mnist"), log_every=7).to_remember()
    assert said["folder"] == str(tmp_path / "mnist")
    assert said["log_every"] == 7
    assert "folder" not in Output(Path("run")).to_remember()
    with pytest.raises(ValueError, match="log_every must be a whole number of at lea"):
        Output(Path("run"), log_every=0)


def test_numbers_of_numpy_are_those_of_python():
    settings = {"steps": 7, "learning_rate": 0.5, "hidden": (3, 4)}
    own = Config(
        steps=np.int64(7),
        learning_rate=np.float32(0.5),
        hidden=[np.int8(3), np.int16(4)],
        estimator="rloo",
        options={"num_samples": np.int64(3)},
        compile=np.False_,
    )
    assert own == Config(**settings, estimator="rloo", options={"num_samples": 3})
    assert from_json(own.as_json()) == own
    with pytest.raises(ValueError, match="steps must be a whole number, got 7.0"):
        Config(steps=np.float64(7.0))
    every = Output(Path("run"), log_every=np.uint8(2)).to_remember()["log_every"]
    assert type(every) is int
