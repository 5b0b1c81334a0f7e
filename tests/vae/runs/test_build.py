"""What a configuration makes: its images, and networks that are compiled where it says so."""

import math
import shutil
from functools import partial

import pytest
import torch
from helpers.vae import CLASSES, trainer
from torch._dynamo.utils import counters

from gumbel_tutorial.vae.data.binarisation import FIXED_SEED
from gumbel_tutorial.vae.runs.build import make_splits
from gumbel_tutorial.vae.runs.config import Config


@pytest.mark.parametrize("binarisation", ["fixed", "dynamic"])
def test_the_pixels_drawn_once_have_a_seed_that_a_run_records(binarisation):
    settings = {"binarisation": binarisation}
    one, other = (Config(**settings, **seed) for seed in ({}, {"binarisation_seed": 3}))
    assert one.as_json()["binarisation_seed"] == FIXED_SEED
    for split, (first, second) in enumerate(
        zip(*(make_splits(c, None, download=False) for c in (one, other)), strict=True)
    ):
        same = binarisation == "dynamic" and split == 0
        assert torch.equal(first.pixels, second.pixels) == same
    message = "configuration must not change: binarisation_seed was 2008, got 3"
    with pytest.raises(ValueError, match=message):
        other.check_continues(one)


def test_images_are_pooled_before_their_pixels_are_drawn():
    grey, drawn, whole = (
        make_splits(Config(pooling=side, binarisation=how), None, download=False)
        for side, how in ((2, "grey"), (2, "fixed"), (1, "grey"))
    )
    for small, binary, large in zip(grey, drawn, whole, strict=True):
        assert small.pixels.shape == binary.pixels.shape == (len(large.pixels), 16)
        first = large.pixels[:, [0, 1, 8, 9]].mean(1)
        torch.testing.assert_close(small.pixels[:, 0], first)
        assert len(binary.pixels.unique()) == 2


def test_the_learning_rate_falls_as_it_is_asked_to():
    def rates(decay):
        rate = trainer(decay=decay, steps=8, learning_rate=0.5).recipe.learning_rate
        return [rate(step) for step in range(8)]

    assert rates("none") == [0.5] * 8
    assert rates("second-half")[:5] == [0.5] * 5
    wave = [0.25 * (1 + math.cos(math.pi * step / 8)) for step in range(8)]
    assert rates("cosine") == pytest.approx(wave, rel=1e-15)
    # The twin: a wave of twice the length ends at half.
    assert rates("cosine")[-1] < 0.02 < rates("second-half")[-1]


def test_a_run_has_the_leak_and_the_price_that_it_asks_for():
    settings = {"estimator": "mve", "anneal_price": True, "anneal_every": 1}
    run = trainer(
        **settings,
        anneal_rate=1.0,
        final_temperature=0.1,
        negative_slope=0.2,
        hidden=(5,),
    )
    taus = [run.step().temperature for _ in range(4)]
    assert taus == [max(0.1, math.exp(-step)) for step in range(4)]
    (estimator,) = run.estimators.at(taus[-1])
    assert estimator.keywords == {"temperature": 1 / taus[-1]}
    bends = [m for m in run.model.modules() if isinstance(m, torch.nn.LeakyReLU)]
    assert [bend.negative_slope for bend in bends] == [0.2, 0.2]


# The compiler meets deprecated parts of torch, and gradients of tensors that are no leaves.
compiles = pytest.mark.filterwarnings("ignore")


@compiles
@pytest.mark.parametrize(
    "settings", [{}, {"model": "structured-prediction"}, CLASSES], ids=str
)
def test_compiled_networks_are_compiled_and_compute_the_same(settings, monkeypatch):
    # Captured by the compiler, and run without the minute that it takes to make code.
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="eager"))
    settings = {"num_latents": 4, "hidden": (5,), **settings}
    plain = trainer(**settings)
    losses = [plain.step().loss for _ in range(6)]
    counters.clear()
    torch.compiler.reset()
    run = trainer(compile=True, **settings)
    begun = [run.step().loss for _ in range(3)]
    assert counters["stats"]["unique_graphs"] >= len(run.model.networks)
    assert set(run.state()) == set(plain.state())
    resumed = trainer(compile=True, **settings)
    resumed.load(run.state())
    found = begun + [resumed.step().loss for _ in range(3)]
    assert found == pytest.approx(losses, rel=1e-5)


@compiles
@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="needs a C++ compiler")
def test_compiled_code_computes_the_same():
    torch.compiler.reset()
    runs = [trainer(compile=compiled) for compiled in (False, True)]
    plain, compiled = ([run.step().loss for _ in range(20)] for run in runs)
    assert compiled == pytest.approx(plain, rel=1e-4)
