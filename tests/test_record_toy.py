"""The record of the toys: it repeats, it is small, and it tells what the chapter tells."""

from itertools import pairwise

import figure_files
import numpy as np
import pytest
import record_toy
import torch

from gumbel_tutorial import vae


def test_a_record_repeats():
    def short():
        train, test = vae.digits()
        shown = record_toy.first_of_each_class(test)
        model, history = record_toy.record(train, test, shown, steps=3, stages=3)
        return history, record_toy.decoder_data(model, test)

    once, again = short(), short()
    assert once == again
    history, _ = once
    assert history["step"] == [0, 3, 3]
    assert history["hard"][0] != history["hard"][1]


def test_a_weight_is_stored_to_half_a_step():
    layer = torch.nn.Linear(5, 3)
    stored = record_toy.eight_bits(layer)
    scales = record_toy.from_text(stored["scales"], "<f4")[:, None]
    whole = record_toy.from_text(stored["weights"], "i1").reshape(3, 5)
    assert whole.abs().amax(1).tolist() == [127, 127, 127]
    assert ((whole * scales - layer.weight).abs() <= 0.501 * scales).all()


@pytest.mark.parametrize("key", ["decoder", "training"])
def test_a_record_is_small(key):
    path = figure_files.data_path(key)
    assert path.stat().st_size < 100_000


def test_rounding_the_weights_costs_next_to_nothing():
    losses = figure_files.read_data("decoder")["reconstruction"]
    assert abs(losses["rounded"] - losses["exact"]) < 0.01 * losses["exact"]


def test_the_codes_redraw_the_images_they_stand_beside():
    data = figure_files.read_data("decoder")
    codes = torch.nn.functional.one_hot(torch.tensor(data["codes"]), 10).flatten(-2)
    redrawn = record_toy.decode(data["layers"], codes) > 0
    originals = images(data["originals"]) > 0
    assert (redrawn.reshape(10, 8, 8).numpy() == originals).mean() > 0.95


def images(text):
    return np.array([int(digit, 16) for digit in text]).reshape(-1, 8, 8)


def test_the_forty_stages_tell_the_story_of_the_chapter():
    data = figure_files.read_data("training")
    assert {len(data[key]) for key in ("step", "soft", "hard", "train", "test")} == {40}
    assert data["steps"] == data["step"][-1] == 8000
    assert all(one < other for one, other in pairwise(data["step"]))
    # A plateau without a code, then nearly all of it.
    plateau = data["step"].index(140)
    assert data["active"][: plateau + 1] == [0] * (plateau + 1)
    assert max(data["active"]) == 10
    assert data["active"][-1] >= 9
    # The relaxed objective flatters itself in the end.
    assert data["relaxed"][-1] < data["train"][-1] < data["test"][-1]
    shown, first, last = (
        images(text) for text in (data["shown"], data["hard"][0], data["hard"][-1])
    )
    assert np.abs(last - shown).mean() < np.abs(first - shown).mean() / 2
