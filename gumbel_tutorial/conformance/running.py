"""All checks of a kind, made on one sampler."""

import platform
import time
from collections.abc import Callable, Sequence
from importlib import metadata
from typing import Any

from gumbel_tutorial.checks import check_positive, check_whole, refuse
from gumbel_tutorial.conformance.questions import Check
from gumbel_tutorial.conformance.records import (
    Finding,
    Kind,
    Unsupported,
    Violation,
)
from gumbel_tutorial.conformance.report import Line, Report
from gumbel_tutorial.conformance.samplers import AnswersMany, Sampler
from gumbel_tutorial.conformance.suites import SUITES
from gumbel_tutorial.conformance.trials import Trial

FALSE_ALARM = 1e-6


def check(
    sample: Callable[..., Any] | AnswersMany,
    kind: Kind = "categorical",
    seed: int = 0,
    *,
    effort: float = 1.0,
    name: str = "",
    only: Sequence[str] | None = None,
    libraries: Sequence[str] = (),
    tell: Callable[[Line], object] | None = None,
) -> Report:
    """Ask a sampler all questions of its kind, and report the answers.

    A sound sampler fails with a probability of at most 1e-6, whatever the effort: each check that is made
    has an equal share of it. What the sampler's signature does not announce is not checked.

    Args:
        sample: the sampler; :mod:`gumbel_tutorial.conformance` says how it is called.
        kind: what it draws.
        seed: of all draws and choices of the report.
        effort: a factor of the numbers of draws; the stated powers hold at 1.
        name: what the report calls the sampler.
        only: names of checks; by default all are made.
        libraries: distributions whose versions the report states, besides NumPy's and SciPy's.
        tell: is called with each line of the report as it is made.

    Raises:
        TypeError: ``sample`` can not be called.
        ValueError: a kind or a check that there is not; an effort that is not positive; a negative seed.

    Examples:
        >>> import numpy as np
        >>> def sample(logits, num_draws, seed):
        ...     generator = np.random.default_rng(seed)
        ...     noise = generator.gumbel(size=(num_draws, *logits.shape))
        ...     return np.argmax(logits + noise, axis=-1)
        >>> check(sample, only=["small laws"], effort=0.1).passed
        True
    """
    check_positive(effort, "effort")
    if check_whole(seed, "seed") < 0:
        refuse("seed", "not be negative", seed)
    sampler = Sampler(sample, kind, name)
    chosen = _chosen(kind, only)
    possible = [each for each in chosen if not _missing(each, sampler)]
    share = FALSE_ALARM / max(1, len(possible))
    lines = []
    for each in chosen:
        lines.append(_line(each, sampler, Trial(each.name, seed, share, effort)))
        if tell is not None:
            tell(lines[-1])
    return Report(sampler.name, kind, seed, effort, tuple(lines), _versions(libraries))


def assert_samples(
    sample: Callable[..., Any] | AnswersMany,
    kind: Kind = "categorical",
    seed: int = 0,
    **options: Any,
) -> None:
    """Require that a sampler passes all checks of its kind: the helper for tests.

    Args:
        sample: as for :func:`check`.
        kind: as for :func:`check`.
        seed: as for :func:`check`.
        options: other arguments of :func:`check`.

    Raises:
        AssertionError: a check failed, and the message holds the lines of all that did; or none was made.
        TypeError, ValueError: as :func:`check`.

    Examples:
        >>> import numpy as np
        >>> def always_first(logits, num_draws, seed):
        ...     return np.zeros((num_draws, *logits.shape[:-1]), int)
        >>> assert_samples(always_first, only=["small laws"])
        Traceback (most recent call last):
        AssertionError: always_first ... small laws ...
    """
    report = check(sample, kind, seed, **options)
    if not report.passed:
        raise AssertionError(str(report.only_failing() if report.failing else report))


def _chosen(kind: str, only: Sequence[str] | None) -> tuple[Check, ...]:
    if kind not in SUITES:
        refuse("kind", f"be one of {', '.join(SUITES)}", kind)
    known = {each.name: each for each in SUITES[kind]}
    if only is None:
        return SUITES[kind]
    for name in only:
        if name not in known:
            refuse("only", f"name checks of {kind}: {', '.join(known)}", name)
    return tuple(known[name] for name in only)


def _missing(check: Check, sampler: Sampler) -> list[str]:
    return [name for name in check.needs if not sampler.announces(name)]


def _line(check: Check, sampler: Sampler, trial: Trial) -> Line:
    missing, begin, before = _missing(check, sampler), time.monotonic(), sampler.draws
    if missing:
        sentence = f"the sampler takes no {' and no '.join(missing)}"
        return Line(check, Finding("not checked", sentence), 0.0, 0.0)
    try:
        finding = check.run(sampler, trial)
    except Violation as violation:
        finding = Finding("failed", str(violation), 0.0, sampler.draws - before)
    except Unsupported as reason:
        finding = Finding("not checked", f"not offered: {reason}")
    return Line(check, finding, trial.false_alarm, time.monotonic() - begin)


def _versions(libraries: Sequence[str]) -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in ("gumbel-tutorial", "numpy", "scipy", *libraries):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:  # a folder on the path, not installed
            found[name] = "unknown"
    return found
