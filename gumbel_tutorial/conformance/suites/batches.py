"""Rows of every place in batches of every size, rows of every length, and what a row's draws depend on."""

from collections.abc import Iterator
from itertools import islice

import numpy as np

from gumbel_tutorial.conformance.evidence import CellBets
from gumbel_tutorial.conformance.questions import Check
from gumbel_tutorial.conformance.records import Finding
from gumbel_tutorial.conformance.samplers import Request, Sampler
from gumbel_tutorial.conformance.studies import Study, follow
from gumbel_tutorial.conformance.suites.laws import cell_probs, law
from gumbel_tutorial.conformance.trials import Trial

_BATCHES = (1, 2, 3, 7, 33, 65)
_ROW_LENGTH, _NUM_ROW_DRAWS = 5, 1 << 12
# As a server asks: one draw of each of many rows, and more rows than 16 bits count.
_NUM_EQUAL_ROWS, _NUM_EQUAL_CALLS = 2048, 8
_NUM_MANY_ROWS, _NUM_MANY_CALLS = 70_000, 1
# One category, and lengths beside the sizes of vectors, warps and tiles.
_LENGTHS = (1, 2, 3, 31, 33, 127, 129, 1000, 1023, 1025, 4097)
_NUM_LENGTH_DRAWS = 1 << 12
_LANES = 32
_PLACES = 6
# The promise that a row has the same draws in every batch: an attribute of the function.
INVARIANT = "batch_invariant"


def _batches(sampler: Sampler, trial: Trial) -> Finding:
    generator = trial.generator()
    studies = []
    for size in _BATCHES:
        logits = generator.normal(0, 2, (size, _ROW_LENGTH)).astype(np.float32)
        bets = [_row_bet(row, size, law(logits[row])) for row in range(size)]
        studies.append(Study((logits,), _NUM_ROW_DRAWS, bets))
    studies += [_equal_rows(generator), _many_rows(generator)]
    sizes = ", ".join(map(str, _BATCHES))
    passed = f"in batches of {sizes} and {_NUM_MANY_ROWS:,} every row has its own law"
    return follow(sampler, trial, studies, passed)


def _equal_rows(generator: np.random.Generator) -> Study:
    row = generator.normal(0, 1, _ROW_LENGTH).astype(np.float32)
    bets = [CellBets(f"one draw of each of {_NUM_EQUAL_ROWS:,} equal rows", law(row))]
    rows = np.tile(row, (_NUM_EQUAL_ROWS, 1))
    return Study((rows,), _NUM_EQUAL_CALLS, bets, per_call=1)


def _many_rows(generator: np.random.Generator) -> Study:
    """Return the study of rows of which those from 2^16 on have another law."""
    first, last = generator.normal(0, 2, (2, _ROW_LENGTH)).astype(np.float32)
    rows = np.tile(first, (_NUM_MANY_ROWS, 1))
    rows[1 << 16 :] = last
    bets = [
        CellBets("rows below 2^16", law(first), cells=lambda x: x[:, : 1 << 16]),
        CellBets("rows from 2^16 on", law(last), cells=lambda x: x[:, 1 << 16 :]),
    ]
    return Study((rows,), _NUM_MANY_CALLS, bets, per_call=1)


def _row_bet(row: int, size: int, probs: np.ndarray) -> CellBets:
    name = f"row {row} of {size}"
    return CellBets(name, probs, cells=lambda draws: draws[:, row])


def _lengths(sampler: Sampler, trial: Trial) -> Finding:
    studies = [_length_study(length) for length in _LENGTHS]
    passed = f"no category is lost in rows of {', '.join(map(str, _LENGTHS))}"
    return follow(sampler, trial, studies, passed)


def _length_study(length: int) -> Study:
    """Return the study of a row whose last few categories, no full vector, have half of the mass."""
    logits, place = np.zeros(length, np.float32), np.arange(length)
    rest = (length - 1) % _LANES + 1
    if length <= _LANES:
        cells, labels = place, []
    else:
        logits[-rest:] = np.log((length - rest) / rest)
        cells = (place >= length - rest).astype(int)
        labels = [f"the first {length - rest:,}", f"the last {rest}"]
    bet = CellBets(
        f"{length:,} categories",
        cell_probs(cells, law(logits)),
        cells=cells.__getitem__,
        labels=labels,
    )
    return Study((logits,), _NUM_LENGTH_DRAWS, [bet])


def _invariant(sampler: Sampler, trial: Trial) -> Finding:
    """Compare the draws of one row in several places of several batches."""
    if not sampler.promises(INVARIANT):
        sentence = f"the sampler makes no promise of it (attribute {INVARIANT})"
        return Finding("not checked", sentence)
    generator, before = trial.generator(), sampler.draws
    logits = generator.normal(0, 1, 100).astype(np.float32)
    (seed,) = islice(trial.seeds(), 1)
    alone = sampler.draw(logits, num_draws=64, seed=seed)
    for place, batch in _placed(logits, generator):
        (draws,) = sampler.each([Request((batch,), 64, seed)])
        if not np.array_equal(draws[:, place], alone):
            sentence = f"a row has other draws in place {place} of {len(batch)}"
            return Finding("failed", sentence, 0.0, sampler.draws - before)
    sentence = "a row has the same draws in every place of every batch"
    return Finding("passed", sentence, 1.0, sampler.draws - before)


def _placed(
    logits: np.ndarray, generator: np.random.Generator
) -> Iterator[tuple[int, np.ndarray]]:
    """Yield batches of other rows with one row put into a place."""
    for _ in range(_PLACES):
        size = int(generator.integers(2, 66))
        place = int(generator.integers(size))
        batch = generator.normal(0, 1, (size, len(logits))).astype(np.float32)
        batch[place] = logits
        yield place, batch


BATCHES = (
    Check(
        name="batches of rows",
        kind="categorical",
        fault="The last row of a batch of odd size reads the logits of the first.",
        power=0.99,
        run=_batches,
    ),
    Check(
        name="lengths of rows",
        kind="categorical",
        fault="Categories after the last full vector of 32 are never drawn.",
        power=0.99,
        run=_lengths,
    ),
    Check(
        name="batch invariance",
        kind="categorical",
        fault="The noise of a row depends on its place, though the sampler promises that it does not.",
        power=1.0,
        run=_invariant,
    ),
)
