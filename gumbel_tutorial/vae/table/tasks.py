"""What is compared: tasks, estimators, the published numbers, and the runs that there are to make."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import Any, TypeAlias

from gumbel_tutorial.vae.runs.config import Config

LEARNING_RATES = (1e-3, 3e-3)
# A learning rate and a weight of the labels, where a task chooses one.
Choice: TypeAlias = tuple[float, float | None]

# What is compared, by label; the name of the estimator, and its options.
ROWS: Mapping[str, tuple[str, dict[str, float]]] = {
    "SF": ("reinforce_moving_average", {}),
    "DARN": ("darn", {}),
    "MuProp": ("muprop", {}),
    "ST": ("straight_through", {}),
    "Slope-Annealed ST": ("slope_annealed", {}),
    "Gumbel-Softmax": ("gumbel_softmax", {}),
    "ST Gumbel-Softmax": ("straight_through_gumbel_softmax", {}),
    "RLOO": ("rloo", {"num_samples": 2}),
    "Gumbel-Rao": ("gumbel_rao", {"num_inner": 10}),
    "ReinMax": ("reinmax", {}),
    "Marginalization": ("exact", {}),
    "Sparse marginalization": ("sparse_marginalisation", {}),
    "MVE": ("mve", {}),
    "ZGR": ("zgr", {}),
    "ReinMax (1.2)": ("reinmax", {"temperature": 1.2}),
    "Gumbel-Rao (20)": ("gumbel_rao", {"num_inner": 20}),
}
# A slope that stayed at one would repeat ST, so it rises where the other rows' temperature rests, too.
_ROW_SETTINGS: Mapping[str, dict[str, Any]] = {
    "Slope-Annealed ST": {"anneal_rate": 1e-4}
}


def _column_options(estimator: str, settings: Mapping[str, Any]) -> dict[str, float]:
    """Return the options of an estimator that depend on the variables of a task.

    Jang, Gu and Poole expand DARN toward one half for bits, as its source does: both codes are equally far
    from there, which makes it exact for quadratics. For categories they name no point, and none does that;
    there the estimator keeps its own, the class probabilities.
    """
    bits = settings.get("num_categories") == 2
    return {"reference": 0.5} if estimator == "darn" and bits else {}


# What a task of several variables compares, unless it says more.
_COMPARED = tuple(ROWS)[: tuple(ROWS).index("Marginalization")]


@dataclass(frozen=True)
class Column:
    """A task.

    Attributes:
        settings: what is particular in its configuration.
        steps: the length of its runs.
        rows: the estimators that it compares.
        rates: the learning rates to choose from.
        alphas: the weights of the labels to choose from; none leaves that of the settings.
        chosen_by: what a run records that chooses, the lower the better.
        first: how many first seeds choose, and are not reported; with none, the first seed chooses and is
            reported as well.
        own: what is particular in the configuration of an estimator on this task.
    """

    settings: dict[str, Any]
    steps: int
    rows: tuple[str, ...] = _COMPARED
    rates: tuple[float, ...] = LEARNING_RATES
    alphas: tuple[float, ...] = ()
    chosen_by: str = "validation"
    first: int = 0
    own: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def choices(self) -> list[Choice]:
        """The settings to choose from."""
        return list(product(self.rates, self.alphas or (None,)))

    @property
    def choosing(self) -> range:
        """The seeds that run at every choice."""
        return range(max(1, self.first))

    def reported(self, seeds: int) -> range:
        """Return so many seeds that are reported, all at the best choice."""
        return range(self.first, self.first + seeds)


_CATEGORIES = {"num_latents": 20, "num_categories": 10}
_BITS = {"num_latents": 200, "num_categories": 2}
# What all runs of the table have, whatever the defaults of the command are.
_EVERY_RUN: Mapping[str, Any] = {
    **{"data": "mnist", "binarisation": "fixed", "hidden": (), "decoder_hidden": ()},
    **{"temperature": 1.0, "final_temperature": 0.5, "anneal_every": 500},
    **{"batch_size": 100, "decay": "second-half"},
}
# The temperature stays at 1 for structured prediction, and falls for the autoencoders.
_PREDICT = {"model": "structured-prediction", "anneal_rate": 0.0}
_AUTOENCODE = {"anneal_rate": 1e-4, "learn_prior": True}
_CLASSIFY = {
    "model": "semi-supervised",
    "binarisation": "dynamic",
    "num_latents": 50,
    "hidden": (256,),
    "decoder_hidden": (256,),
    "channels": (16, 32, 64),
    "alpha": 10.0,
    # Where the published schedule ends, which takes more steps than these runs have.
    "temperature": 0.5,
    "anneal_rate": 0.0,
}

_SMALLER = {
    **{"pooling": 2, "channels": (), "num_latents": 20},
    **{"hidden": (128,), "decoder_hidden": (128,)},
}

# Hooper and Shekhovtsov (2026), by their public code: grey pixels, batches of 200, and of their five learning
# rates the one that does best on validation images after one pass, in the mean over three estimators.
_RATES, _RATE = (10**-3.5, 1e-3, 10**-2.5, 1e-2), 10**-2.5
_ON_GREY = ("MVE", "ZGR", "ReinMax (1.2)", "Gumbel-Rao (20)", "ST")
_GREY = {
    **{"binarisation": "grey", "batch_size": 200, "decay": "cosine"},
    **{"hidden": (512, 256), "decoder_hidden": (256, 512), "negative_slope": 0.2},
    **{"anneal_rate": 0.0},
}


def _straight_through(
    num_latents: int,
    num_categories: int,
    *,
    passes: int,
    rates: tuple[float, ...] = (_RATE,),
    rows: tuple[str, ...] = _ON_GREY,
) -> Column:
    """Return their task at so many passes over the images.

    The temperature of Gumbel-Rao falls from 1 to 0.1 over the run, and the price of MVE rises from 1 to 1e6.
    """
    shape = {"num_latents": num_latents, "num_categories": num_categories}
    steps = passes * 250
    return Column(
        {**_GREY, **shape},
        steps=steps,
        rows=rows,
        rates=rates,
        own={
            "MVE": {"anneal_price": True, **_falling_to(1e-6, steps)},
            "Gumbel-Rao (20)": _falling_to(0.1, steps),
        },
    )


def _falling_to(last: float, steps: int) -> dict[str, float]:
    """Return the schedule from 1 to ``last`` whose steps have one ratio."""
    rate = -math.log(last) / steps
    return {"final_temperature": last, "anneal_rate": rate, "anneal_every": 1}


COLUMNS: Mapping[str, Column] = {
    "VAE (Cat.)": Column({**_AUTOENCODE, **_CATEGORIES}, steps=40_000),
    "VAE (Cat., 200 hidden)": Column(
        {**_AUTOENCODE, **_CATEGORIES, "decoder_hidden": (200,)},
        steps=40_000,
        rows=("Gumbel-Softmax",),
    ),
    "SBN (Cat.)": Column({**_PREDICT, **_CATEGORIES}, steps=10_000),
    "SBN (Bern.)": Column({**_PREDICT, **_BITS}, steps=10_000),
    "VAE (Bern.)": Column({**_AUTOENCODE, **_BITS}, steps=5_000),
    "Semi-supervised": Column(
        _CLASSIFY,
        steps=8_000,
        rows=("Marginalization", "Gumbel-Softmax", "ST Gumbel-Softmax", "RLOO"),
        rates=(3e-3,),
    ),
    # The same task in seconds, for many seeds.
    "100 labels": Column(
        {**_CLASSIFY, **_SMALLER},
        steps=1_000,
        rows=(
            *("Marginalization", "Sparse marginalization"),
            *("RLOO", "MVE", "Gumbel-Softmax"),
        ),
        rates=(3e-3,),
        alphas=(1.0, 10.0, 100.0),
        chosen_by="validation_wrong",
        first=2,
    ),
    "Grey VAE (32 x 16), rates": _straight_through(
        *(32, 16), passes=1, rates=_RATES, rows=("MVE", "ZGR", "ST")
    ),
    "Grey VAE (128 x 4)": _straight_through(128, 4, passes=2),
    "Grey VAE (32 x 16)": _straight_through(32, 16, passes=2),
    "Grey VAE (8 x 64)": _straight_through(8, 64, passes=2),
}

# Jang, Gu and Poole (2017), table 1.
PUBLISHED: Mapping[str, Mapping[str, float]] = {
    column: dict(zip(ROWS, values, strict=False))
    for column, values in {
        "SBN (Bern.)": (72.0, 59.7, 58.9, 58.9, 58.7, 58.5, 59.3),
        "SBN (Cat.)": (73.1, 67.9, 63.0, 61.8, 61.1, 59.0, 59.7),
        "VAE (Bern.)": (112.2, 110.9, 109.7, 116.0, 111.5, 105.0, 111.5),
        "VAE (Cat.)": (110.6, 128.8, 107.0, 110.9, 107.8, 101.5, 107.8),
    }.items()
}
# Their table 2: the bound, and the percentage of right classes.
PUBLISHED_CLASSES: Mapping[str, tuple[float, float]] = {
    "Marginalization": (106.8, 92.6),
    "Gumbel-Softmax": (109.6, 92.4),
    "ST Gumbel-Softmax": (110.7, 93.6),
}
# Hooper and Shekhovtsov (2026), from the records beside their public code: the one-sample loss on training
# images after 500 passes, a mean of five seeds at each row's best learning rate; of ReinMax the better of two
# temperatures.
PUBLISHED_GREY: Mapping[str, Mapping[str, float]] = {
    column: dict(zip(_ON_GREY, values, strict=True))
    for column, values in {
        "Grey VAE (128 x 4)": (95.39, 95.98, 96.22, 96.30, 112.5),
        "Grey VAE (32 x 16)": (94.60, 94.34, 93.51, 95.78, 112.8),
        "Grey VAE (8 x 64)": (93.64, 98.29, 93.72, 101.45, 111.4),
    }.items()
}


@dataclass(frozen=True)
class Job:
    """One run of the table, by what it is known: a task, an estimator, a seed, and what may be chosen."""

    column: str
    row: str
    learning_rate: float
    seed: int
    alpha: float | None = None

    @property
    def choice(self) -> Choice:
        """What of the run was chosen."""
        return self.learning_rate, self.alpha

    def config(self) -> Config:
        """Return the configuration of the run."""
        column, (estimator, options) = COLUMNS[self.column], ROWS[self.row]
        own = {**_ROW_SETTINGS.get(self.row, {}), **column.own.get(self.row, {})}
        settings: dict[str, Any] = {**_EVERY_RUN, **column.settings, **own}
        if self.alpha is not None:
            settings["alpha"] = self.alpha
        return Config(
            estimator=estimator,
            options={**options, **_column_options(estimator, settings)},
            steps=column.steps,
            learning_rate=self.learning_rate,
            seed=self.seed,
            **settings,
        )
