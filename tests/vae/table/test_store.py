"""The record: one file for each run, whole, and a wrong one named."""

import json

import pytest

from gumbel_tutorial.vae.runs.config import Config
from gumbel_tutorial.vae.table import store

RUN = {
    "column": "VAE (Cat.)",
    "row": "ST Gumbel-Softmax",
    "learning_rate": 0.001,
    "seed": 2,
    "validation": 99.5,
    "test": {"multi_sample": 98.0, "one_sample": 101.0, "num_samples": 1000},
    "config": Config().as_json(),
}
GREY = {"config": Config(binarisation="grey").as_json()}
CLASSES = {"config": Config(model="semi-supervised").as_json()}


def test_what_is_written_is_read_in_the_order_of_tasks_and_seeds(tmp_path):
    runs = [{**RUN, "seed": seed} for seed in (2, 0, 1)]
    runs.append({**RUN, "column": "SBN (Cat.)", "seed": 9})
    for run in runs:
        store.write(tmp_path, run)
    (tmp_path / ".lock").touch()
    found = store.read(tmp_path)
    assert found == [runs[3], runs[1], runs[2], runs[0]]


def test_a_name_says_what_the_run_is():
    name = store.name_of(RUN)
    assert name.startswith("vae-cat_st-gumbel-softmax_rate-0.001_seed-2_")


def test_seeds_are_in_the_order_of_numbers(tmp_path):
    for seed in (2, 10, 9):
        store.write(tmp_path, {**RUN, "seed": seed})
    assert [run["seed"] for run in store.read(tmp_path)] == [2, 9, 10]


def test_a_name_says_which_weight_of_the_labels_was_tried(tmp_path):
    runs = [{**RUN, "alpha": alpha} for alpha in (None, 0.5, 2.0)]
    names = [store.name_of(run).rsplit("_", 1)[0] for run in runs]
    place = "vae-cat_st-gumbel-softmax_rate-0.001"
    expected = ["_seed-2", "_alpha-0.5_seed-2", "_alpha-2.0_seed-2"]
    assert names == [place + rest for rest in expected]
    assert store.name_of(RUN) == store.name_of(runs[0])
    for run in runs[::-1]:
        store.write(tmp_path, run)
    assert store.read(tmp_path) == runs


def test_a_run_takes_the_place_of_its_like_alone(tmp_path):
    changes = [
        {},
        {"seed": 3},
        {"learning_rate": 0.003},
        {"row": "ST"},
        {"config": Config(steps=9).as_json()},
        {"test": {**RUN["test"], "num_samples": 5}},
    ]
    paths = [store.write(tmp_path, {**RUN, **change}) for change in changes]
    assert len(set(paths)) == len(changes) == len(store.read(tmp_path))
    assert store.write(tmp_path, {**RUN, "validation": None}) == paths[0]
    assert len(store.read(tmp_path)) == len(changes)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "Expecting value"),
        ("[]", "list indices"),
        ("{}", "'column'"),
        ({"seed": "2"}, "seed '2'"),
        ({"learning_rate": 1}, "learning_rate 1"),
        ({"validation": "99"}, "validation '99'"),
        ({"alpha": "1"}, "alpha '1'"),
        ({"config": []}, r"config \[\]"),
        ({"config": {"later": 1}}, "settings of this version, got later"),
        ({"test": {"multi_sample": 1.0, "one_sample": 2.0}}, "'num_samples'"),
        ({"test": {**RUN["test"], "one_sample": "x"}}, "unsupported operand"),
        (GREY, "'grey_loss'"),
        ({**GREY, "test": {"grey_loss": 1.0}}, "'validation_curve'"),
        (CLASSES, "'accuracy'"),
        ({**CLASSES, "accuracy": 0.5}, "'labels_alone'"),
    ],
)
def test_a_file_that_holds_no_run_is_named(content, message, tmp_path):
    if isinstance(content, dict):
        content = json.dumps({**RUN, **content})
    (tmp_path / "wrong.json").write_text(content)
    with pytest.raises(ValueError, match=f"wrong.json must hold a run.*{message}"):
        store.read(tmp_path)


def test_a_run_that_diverged_needs_no_numbers(tmp_path):
    run = {**RUN, "validation": None}
    del run["test"]
    store.write(tmp_path, run)
    assert store.read(tmp_path) == [run]


def test_a_record_that_is_none_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="record must be a folder of runs, got"):
        store.read(tmp_path / "none")
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError, match="record must be a folder of runs"):
        store.read(tmp_path / "file")
