r"""Relaxed samples $y = \mathrm{softmax}((\ell + G)/\tau)$, and one-hot ones with a relaxed derivative.

A sampler that takes ``hard`` has both forms; one that has no soft form raises NotImplementedError for it.
"""

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from gumbel_tutorial.conformance.evidence import CellBets
from gumbel_tutorial.conformance.questions import Check
from gumbel_tutorial.conformance.records import Finding, Violation
from gumbel_tutorial.conformance.samplers import Request, Sampler
from gumbel_tutorial.conformance.studies import Study, follow
from gumbel_tutorial.conformance.suites.laws import law
from gumbel_tutorial.conformance.trials import Trial

_FEW = np.array([0.7, -0.5, 1.3, 0.0, -1.4], np.float32)
_EQUAL = np.zeros(16, np.float32)
_THREE = np.array([0.8, -0.6, 0.1], np.float32)
_TEMPERATURES = (0.1, 0.5, 1.0, 3.0)
# Where relaxed rows of bfloat16 hardly tie, and where they often do.
_HALF_TEMPERATURES = (1.0, 30.0)
# Cells along each of two coordinates, of equal mass.
NUM_CELLS = 8


def _options(sampler: Sampler, temperature: float, *, hard: bool) -> dict[str, Any]:
    told: dict[str, Any] = {"temperature": temperature}
    return told | {"hard": hard} if sampler.announces("hard") else told


def _simplex(sampler: Sampler, trial: Trial) -> Finding:
    before, farthest = sampler.draws, 0.0
    for request, sample in _on_the_simplex(sampler, trial):
        temperature = request.options["temperature"]
        if not np.isfinite(sample).all():
            raise Violation(f"at temperature {temperature} it drew NaN or infinity")
        if sample.min() < 0 or sample.max() > 1:
            entry = sample.min() if sample.min() < 0 else sample.max()
            raise Violation(f"at temperature {temperature} it drew an entry {entry}")
        # K roundings in a sum of K, one in the quotient and a few in each exponential.
        bound = (sample.shape[-1] + 8) * float(np.finfo(sample.dtype).eps)
        off = float(np.abs(sample.sum(-1, dtype=float) - 1).max())
        if off > bound:
            raise Violation(
                f"at temperature {temperature} the sum of a row misses 1 by {off:.1e}, "
                f"of which rounding explains {bound:.1e}"
            )
        farthest = max(farthest, off)
    sentence = f"entries lie in [0, 1] and rows sum to 1 within {farthest:.1e}"
    return Finding("passed", sentence, draws=sampler.draws - before)


def _on_the_simplex(
    sampler: Sampler, trial: Trial
) -> Iterator[tuple[Request, np.ndarray]]:
    """Yield relaxed draws of few and of many logits, and what was asked for."""
    many = trial.generator().normal(scale=3, size=1000).astype(np.float32)
    requests = [
        Request((logits,), trial.scaled(1 << 18) // len(logits) + 1, seed, options)
        for (logits, temperature), seed in zip(
            ((each, t) for each in (_FEW, many) for t in (0.02, *_TEMPERATURES, 30.0)),
            trial.seeds(),
            strict=False,
        )
        for options in [_options(sampler, temperature, hard=False)]
    ]
    return zip(requests, sampler.each(requests), strict=True)


def _winners(sampler: Sampler, trial: Trial) -> Finding:
    studies = [
        Study(
            (_FEW,),
            1 << 16,
            [CellBets(f"winners at temperature {t}", law(_FEW), cells=_argmax)],
            _options(sampler, t, hard=False),
        )
        for t in _TEMPERATURES
    ]
    return follow(
        sampler,
        trial,
        studies,
        "the largest entry has the categorical law at all temperatures",
    )


def _argmax(sample: np.ndarray) -> np.ndarray:
    return sample.argmax(-1)


def _whole_law(sampler: Sampler, trial: Trial) -> Finding:
    flat = np.full(NUM_CELLS**2, NUM_CELLS**-2.0)
    studies = [
        Study(
            (_THREE,),
            1 << 16,
            [
                CellBets(
                    f"parts of the simplex of equal mass at temperature {t}",
                    flat,
                    cells=partial(simplex_cells, _THREE, t),
                )
            ],
            _options(sampler, t, hard=False),
        )
        for t in _TEMPERATURES[1:]
    ]
    return follow(sampler, trial, studies, "entries have the relaxed law")


def simplex_cells(
    logits: np.ndarray, temperature: float, sample: np.ndarray
) -> np.ndarray:
    r"""Return a part of the simplex for each relaxed row of three, all of equal mass under the law.

    $y_i^{-\tau} e^{\ell_i} \propto e^{-G_i}$: three standard exponentials over their sum, which is uniform on
    the simplex. There $(1 - w_1)^2$ and $w_2/(1 - w_1)$ are independent and uniform on (0, 1).
    """
    with np.errstate(divide="ignore"):
        race = logits.astype(float) - temperature * np.log(sample.astype(float))
    share = np.exp(race - np.logaddexp.reduce(race, -1, keepdims=True))
    rest = share[:, 1] + share[:, 2]
    pair = np.stack([rest**2, share[:, 1] / rest], -1)
    cell = np.minimum(pair * NUM_CELLS, NUM_CELLS - 1).astype(int)
    return cell @ [NUM_CELLS, 1]


def _straight_through(sampler: Sampler, trial: Trial) -> Finding:
    studies = [_one_hot(sampler, _FEW, temperature) for temperature in _TEMPERATURES]
    passed = "rows are one-hot to the last bit, by the law"
    return follow(sampler, trial, studies, passed)


def _in_bfloat16(sampler: Sampler, trial: Trial) -> Finding:
    studies = [
        _one_hot(sampler, _EQUAL, temperature, dtype="bfloat16")
        for temperature in _HALF_TEMPERATURES
    ]
    passed = "no place among equal logits is preferred at any temperature"
    return follow(sampler, trial, studies, passed)


def _one_hot(
    sampler: Sampler, logits: np.ndarray, temperature: float, **options: str
) -> Study:
    cells = partial(_ones, temperature)
    bet = CellBets(f"ones at temperature {temperature}", law(logits), cells=cells)
    told = _options(sampler, temperature, hard=True) | options
    return Study((logits,), 1 << 16, [bet], told)


def _ones(temperature: float, sample: np.ndarray) -> np.ndarray:
    """Return where the ones are.

    Raises:
        Violation: an entry that is neither 0 nor 1, or a row without exactly one 1.
    """
    neither = (sample != 0) & (sample != 1)
    at = f"at temperature {temperature}"
    if neither.any():
        share = neither.any(-1).mean()
        value = np.format_float_positional(sample[neither][0])
        raise Violation(
            f"{at} it drew {value} in place of 0 or 1, so in {share:.2%} of rows"
        )
    if (sample.sum(-1) != 1).any():
        raise Violation(f"{at} it drew a row without exactly one 1")
    return sample.argmax(-1)


RELAXED = (
    Check(
        "simplex",
        "relaxed",
        "Exponentials are divided by their sum before the largest is taken out, and overflow.",
        0.99,
        _simplex,
    ),
    Check(
        "winners",
        "relaxed",
        "The noise is divided by the temperature, and the logits are not.",
        0.99,
        _winners,
    ),
    Check(
        "whole law",
        "relaxed",
        "The temperature is applied twice.",
        0.99,
        _whole_law,
    ),
    Check(
        "straight-through",
        "relaxed",
        "The relaxed row is rounded, so that it holds no 1 where no entry passes one half.",
        0.99,
        _straight_through,
        needs=("hard",),
    ),
    Check(
        "straight-through in bfloat16",
        "relaxed",
        "The one is where the relaxed row is largest, after its rounding to bfloat16.",
        0.99,
        _in_bfloat16,
        needs=("hard", "dtype"),
    ),
)
