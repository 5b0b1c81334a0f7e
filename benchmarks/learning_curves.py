"""A hundred steps of gradient descent by every estimator, each step at one price in evaluations of f.

Run it alone, `cd benchmarks && python learning_curves.py`: it counts for many minutes, and times nothing.
Every estimator gets the setting and the rate of its grid that end lowest in the mean over trials of their
own: a few trials of all, then more and fresh ones of those that ended lowest. What is recorded are other runs
again. A slope of f is priced at one evaluation, and once more at two. Beside the curves stand the moments of
single estimates, at the start and half-way down the exact descent.
"""

from collections.abc import Callable
from typing import Any

import torch
from measure import record

from gumbel_tutorial import estimators
from gumbel_tutorial.estimators import ESTIMATORS
from gumbel_tutorial.estimators.protocol import Estimator
from gumbel_tutorial.laboratory import (
    TASKS,
    Problem,
    Task,
    affordable,
    count_evaluations,
    descend,
    gradients,
    measure,
    rloo_of_paths,
)

BUDGET, STEPS, EVERY, RUNS, DRAWS = 32, 100, 5, 24, 4_000
TRIALS, KEPT, MORE_TRIALS = 4, 3, 24
RATES = torch.logspace(-0.5, 3.5, 9, dtype=torch.float64)
BACKWARD = (1, 2)

Options = dict[str, Any]
WARM: list[Options] = [{"temperature": tau} for tau in (0.5, 1.0, 2.0)]
# Each sample is asked for its slope too: filled in by what the budget buys.
WITH_SLOPES: list[Options] = [
    {"num_samples": n, "scale": s} for n, s in ((2, 0.5), (None, 0.5), (None, 1.0))
]
METHODS: dict[str, tuple[str, list[Options]]] = {
    "REINFORCE": ("reinforce", [{}]),
    "RLOO": ("rloo", [{"num_samples": n} for n in (2, BUDGET)]),
    "unordered set": ("unordered_set", [{"num_samples": n} for n in (2, 4)]),
    "categorical DisARM": ("categorical_disarm", [{}]),
    "double control variates": ("double_control_variates", WITH_SLOPES),
    "RODEO": ("rodeo", WITH_SLOPES),
    "REBAR": ("rebar", WARM),
    "straight-through": ("straight_through", WARM),
    "ReinMax": ("reinmax", [{"temperature": tau} for tau in (1.0, 1.5, 2.0)]),
    "MVE": ("mve", [{"temperature": 1.0}, {"temperature": 10.0}, {}]),
    "Gumbel-Softmax": ("gumbel_softmax", WARM),
    "ST Gumbel-Softmax": ("straight_through_gumbel_softmax", WARM),
    "Gumbel-Rao": ("gumbel_rao", WARM),
}
UNBIASED = {label for label, (name, _) in METHODS.items() if ESTIMATORS[name].unbiased}
UNBIASED |= {"RLOO of paths"}
# No draw, so that one estimate is as good as many; its law, and so its objective, is another.
SPARSE = "sparse marginalization"


def seeded(seed: int) -> torch.Generator:
    """Return a generator of a seed."""
    return torch.Generator().manual_seed(seed)


def filled(options: Options, backward: int) -> Options:
    """Return a setting with the most samples that the budget buys where it leaves their number open."""
    most = {"num_samples": BUDGET // (1 + backward)}
    return options | most if options.get("num_samples", 0) is None else options


def contestants(
    task: Task, backward: int
) -> dict[str, tuple[Estimator, list[Options]]]:
    """Return the estimators as they are applied to the task, with their settings."""
    found: dict[str, tuple[Estimator, list[Options]]] = {
        label: (
            task.applied(estimators.get(name).function),
            [filled(options, backward) for options in settings],
        )
        for label, (name, settings) in METHODS.items()
    }
    if task.length is not None:
        options = {"length": task.length, "num_samples": BUDGET}
        found["RLOO of paths"] = (rloo_of_paths, [options])
    if task.problem.logits[..., 0].numel() == 1:
        found[SPARSE] = (estimators.sparse_marginalisation, [{}])
    return found


def objective(task: Task, label: str) -> Callable[[torch.Tensor], torch.Tensor]:
    """Return what a method minimises."""
    if label != SPARSE:
        return task.expected
    return lambda logits: estimators.sparse_marginalisation(task.problem.f, logits)


def run(
    task: Task, method: Estimator, rates: torch.Tensor, settled: Options, seed: int
) -> torch.Tensor:
    """Return the logits along the way, ``(steps + 1, *rates.shape, ...)``."""

    def chosen(f: Any, logits: torch.Tensor, *, generator: Any) -> torch.Tensor:
        return method(f, logits, generator=generator, **settled["setting"])

    start = (task.problem.f, task.problem.logits, rates, STEPS)
    return descend(chosen, *start, num_draws=settled["draws"], generator=seeded(seed))


def candidates(
    task: Task, label: str, method: Estimator, settings: list[Options], backward: int
) -> tuple[list[Options], tuple[int, int]]:
    """Return what the budget can pay, a setting at every rate, and the counts of one setting."""
    found: list[Options] = []
    counts = (0, 0)
    for options in settings:
        # Nested in every step, n samples ask for n to the power of the length: no need to count.
        steps = 1 if task.length is None or "length" in options else task.length
        if options.get("num_samples", 1) ** steps > BUDGET:
            continue
        counts = count_evaluations(method, task.problem, generator=seeded(0), **options)
        draws = affordable(BUDGET, counts, backward)
        if draws == 0:
            continue
        cost = counts[0] + backward * counts[1]
        # Where one more sample would fit, another number of them spends the budget better.
        assert BUDGET - draws * cost < cost / options.get("num_samples", 1), label
        draws = 1 if label == SPARSE else draws
        settled = {"setting": options, "counts": counts, "draws": draws}
        found += [settled | {"rate": rate} for rate in RATES.tolist()]
    return found, counts


def trials(
    task: Task,
    label: str,
    method: Estimator,
    tried: list[Options],
    count: int,
    seed: int,
) -> list[Options]:
    """Return the candidates in the order of their mean end over fresh trials."""
    ended: list[Options] = []
    for setting in {str(each["setting"]): each for each in tried}.values():
        same = [each for each in tried if each["setting"] == setting["setting"]]
        rates = torch.tensor([each["rate"] for each in same], dtype=torch.float64)
        last = run(task, method, rates.expand(count, -1), setting, seed)[-1]
        ends = objective(task, label)(last.flatten(0, 1)).view(count, -1).mean(0)
        ended += [e | {"ends": m} for e, m in zip(same, ends.tolist(), strict=True)]
    return sorted(ended, key=lambda each: each["ends"])


def tuned(
    task: Task, label: str, method: Estimator, settings: list[Options], backward: int
) -> Options:
    """Return the setting and the rate that end lowest within the budget, or what none of them can pay."""
    tried, counts = candidates(task, label, method, settings, backward)
    if not tried:
        return {"counts": counts, "draws": 0}
    kept = trials(task, label, method, tried, TRIALS, seed=1)[:KEPT]
    return trials(task, label, method, kept, MORE_TRIALS, seed=5)[0]


def curve(
    path: torch.Tensor, value: Callable[[torch.Tensor], torch.Tensor]
) -> dict[str, Any]:
    """Return quartiles of the objective along the way, and where each run ended."""
    values = torch.stack([value(logits) for logits in path[::EVERY]]).detach()
    quartiles = values.quantile(torch.tensor([0.25, 0.5, 0.75]).to(values), dim=1)
    return {"quartiles": rounded(quartiles.T), "final": rounded(values[-1])}


def rounded(values: torch.Tensor) -> Any:
    """Return nested lists of numbers with five digits."""
    if values.ndim:
        return [rounded(row) for row in values]
    return float(f"{values.item():.5g}")


def moments(
    task: Task, method: Estimator, settled: Options, logits: torch.Tensor
) -> dict[str, float]:
    """Return the figures of single estimates, relative to the exact gradient there."""
    generator, parts = seeded(3), 20
    drawn = [
        gradients(
            *(method, task.problem.f, logits, DRAWS // parts),
            generator=generator,
            **settled["setting"],
        )
        for _ in range(parts)
    ]
    found = measure(torch.cat(drawn), gradient(task, logits))
    names = ("bias", "variance", "squared_error", "along")
    figures = {name: getattr(found, name).value for name in names}
    figures["along_error"] = found.along.error / 1.96
    if settled["unbiased"]:
        exactly = {"bias": 0.0, "along": 1.0, "along_error": 0.0}
        figures |= exactly | {"squared_error": figures["variance"]}
    return {name: float(f"{value:.5g}") for name, value in figures.items()}


def gradient(task: Task, logits: torch.Tensor) -> torch.Tensor:
    """Return the exact gradient of the objective."""
    leaf = logits.detach().requires_grad_()
    return torch.autograd.grad(task.expected(leaf), leaf)[0]


def exact(task: Task) -> tuple[dict[str, Any], torch.Tensor]:
    """Return the curve of the exact gradient, at a price that nobody asks for, and a point half-way down."""

    def sums(f: Any, logits: torch.Tensor, *, generator: Any) -> torch.Tensor:
        del f, generator
        return task.expected(logits)

    settled: Options = {"setting": {}, "draws": 1}
    path = run(task, sums, RATES, settled, seed=0)
    rate = int(task.expected(path[-1]).argmin())
    values = task.expected(path[:, rate])
    half = int((values < (values[0] + values[-1]) / 2).nonzero()[0])
    shown = curve(path[:, rate : rate + 1], task.expected)
    return shown | {"rate": RATES[rate].item()}, path[half, rate]


def measured(task: Task, backward: int, known: dict[str, Any]) -> dict[str, Any]:
    """Return curves, settings, costs and moments of all methods on a task.

    What takes no slope has the same figures at every price of a slope, and is taken from those known.
    """
    best, half = exact(task)
    found = {"exact gradient": best}
    for label, (method, settings) in contestants(task, backward).items():
        if label in known and known[label]["counts"][1] == 0:
            found[label] = known[label]
            continue
        settled = tuned(task, label, method, settings, backward)
        if settled["draws"]:
            settled |= figures(task, label, method, settled, half)
        found[label] = settled
        print(f"{label}: {settled.get('final', ['too dear'])[0]}", flush=True)
    return found


def figures(
    task: Task, label: str, method: Estimator, settled: Options, half: torch.Tensor
) -> Options:
    """Return the curve of a method that is settled, and the moments of its estimates."""
    rates = torch.full((RUNS,), settled["rate"], dtype=torch.float64)
    path = run(task, method, rates, settled, seed=2)
    found = curve(path, objective(task, label))
    found["unbiased"] = label in UNBIASED
    found["most"] = most_evaluations(task, method, settled, path)
    for name, at in (("start", task.problem.logits), ("half", half)):
        found[name] = moments(task, method, settled | found, at)
    return found


def most_evaluations(
    task: Task, method: Estimator, settled: Options, path: torch.Tensor
) -> int:
    """Return the most evaluations of f that an estimate asked for along the first run."""
    counts = [
        count_evaluations(
            *(method, Problem(task.problem.f, logits)),
            generator=seeded(4),
            **settled["setting"],
        )[0]
        for logits in path[::EVERY, 0]
    ]
    return max(counts)


if __name__ == "__main__":
    torch.set_num_threads(1)
    results: dict[str, Any] = {
        "budget": BUDGET,
        "steps": list(range(0, STEPS + 1, EVERY)),
        "rates": rounded(RATES),
        "draws": DRAWS,
        "trials": [TRIALS, KEPT, MORE_TRIALS],
    }
    known: dict[str, Any] = {key: {} for key in TASKS}
    for backward in BACKWARD:
        for key, task in TASKS.items():
            known[key] = measured(task, backward, known[key])
        results[f"a slope at {backward}"] = dict(known)
        print(f"recorded in {record('learning_curves', results)}", flush=True)
