"""Rows, draws and seeds are independent of one another, and so are the tiles that they are made of."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from gumbel_tutorial.conformance.evidence import (
    Collected,
    Martingale,
    RepeatBets,
    TransitionBets,
)
from gumbel_tutorial.conformance.questions import Check
from gumbel_tutorial.conformance.records import Finding
from gumbel_tutorial.conformance.samplers import Sampler
from gumbel_tutorial.conformance.studies import Study, follow
from gumbel_tutorial.conformance.suites.laws import law
from gumbel_tutorial.conformance.trials import Trial

_LOGITS = [0.0, 0.5, -0.5, 1.0]
_NUM_ROWS, _NUM_DRAWS, _NUM_SEEDS = 64, 64, 32
_NUM_CALLS = 32
# How far apart rows, draws or seeds are.
_STEPS = (1, 2, 4, 8, 16, 32)

# Tiles of up to 2,048 are at least sixteen to a row of this length.
_NUM_CATEGORIES = 1 << 15
_TILES = (128, 256, 512, 1024, 2048, _NUM_CATEGORIES)
_TILED_ROWS, _TILED_DRAWS, _TILED_CALLS = 32, 8, 8
# Seeds a hundred apart are among these.
_TILED_SEEDS, _SEED_ROWS, _SEED_GROUPS = 128, 4, 2


def _step_bets(what: str, axis: int, size: int) -> Iterator[TransitionBets]:
    probs = law(np.array(_LOGITS, np.float32))
    for step in _STEPS:
        if step < size:
            yield TransitionBets(f"{what} {step} apart", probs, axis, step)


def _rows(sampler: Sampler, trial: Trial) -> Finding:
    return _pairs(sampler, trial, "rows", list(_step_bets("rows", 1, _NUM_ROWS)))


def _draws(sampler: Sampler, trial: Trial) -> Finding:
    return _pairs(sampler, trial, "draws", list(_step_bets("draws", 0, _NUM_DRAWS)))


def _seeds(sampler: Sampler, trial: Trial) -> Finding:
    bets = [Collected(bet, _NUM_SEEDS) for bet in _step_bets("seeds", 0, _NUM_SEEDS)]
    return _pairs(sampler, trial, "seeds", bets, _NUM_SEEDS)


def _pairs(
    sampler: Sampler,
    trial: Trial,
    what: str,
    bets: Sequence[Martingale],
    together: int = 1,
) -> Finding:
    rows = np.tile(np.array(_LOGITS, np.float32), (_NUM_ROWS, 1))
    num_draws = _NUM_CALLS * _NUM_DRAWS
    study = Study((rows,), num_draws, bets, {}, _NUM_DRAWS, together)
    return follow(sampler, trial, [study], f"{what} are independent")


def _tiles(sampler: Sampler, trial: Trial) -> Finding:
    rows = np.zeros((_TILED_ROWS, _NUM_CATEGORIES), np.float32)
    of_rows = [
        *_repeat_bets("rows of a draw", lambda draws: draws),
        *_repeat_bets("draws of a row", np.transpose),
        *_repeat_bets("rows and draws", lambda draws: draws.reshape(1, -1)),
    ]
    few = rows[:_SEED_ROWS]
    of_seeds = [
        Collected(bet, _TILED_SEEDS)
        for bet in _repeat_bets("seeds", lambda draws: draws.reshape(1, -1))
    ]
    studies = [
        Study((rows,), _TILED_DRAWS * _TILED_CALLS, of_rows, {}, _TILED_DRAWS),
        Study((few,), _SEED_GROUPS * _TILED_SEEDS, of_seeds, {}, 1, _TILED_SEEDS),
    ]
    return follow(sampler, trial, studies, "no two tiles share their noise")


def _repeat_bets(
    what: str, groups: Callable[[np.ndarray], np.ndarray]
) -> Iterator[RepeatBets]:
    for tile in _TILES:
        name = what if tile == _NUM_CATEGORIES else f"{what}, place in {tile:,}"
        yield RepeatBets(name, tile, groups)


INDEPENDENCE = (
    Check(
        name="independence of rows",
        kind="categorical",
        fault="One row in sixteen gets the noise of the row before it.",
        power=0.99,
        run=_rows,
    ),
    Check(
        name="independence of draws",
        kind="categorical",
        fault="One draw in sixteen repeats the noise of the draw before it.",
        power=0.99,
        run=_draws,
    ),
    Check(
        name="independence of seeds",
        kind="categorical",
        fault="Seeds 2n and 2n + 1 share the noise of one row in sixteen.",
        power=0.99,
        run=_seeds,
    ),
    Check(
        name="independence of tiles",
        kind="categorical",
        fault="The seeds of tiles, seed + 100 tile + 1000 row + 10000 draw, are the same for some.",
        power=0.99,
        run=_tiles,
    ),
)
