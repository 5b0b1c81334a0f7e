"""Every estimator, at many settings, on every problem of the laboratory and on networks of other sizes.

Run it with `make bench`. What is recorded are moments: chapter 5 turns them, at any budget, into the share
of the exact gradient's progress that a step makes. Exact gradients by enumeration, else by the mean of many
leave-one-out estimates.
"""

from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import torch
from measure import record

from gumbel_tutorial import estimators
from gumbel_tutorial.estimators.enumeration import MOST_STATES
from gumbel_tutorial.estimators.protocol import Estimator, Losses
from gumbel_tutorial.laboratory import exact_gradient, gradients, measure
from gumbel_tutorial.laboratory.problems import PROBLEMS, Problem, network

SIZES = [(3, 10), (10, 10), (30, 10), (3, 100)]
SEEDS = (1, 2)
# Numbers in memory at a time.
MOST_ENTRIES = 4_000_000
COLD = (0.1, 0.2, 0.35, 0.5, 0.7)
WARM = (1.0, 1.4, 2.0, 3.0, 5.0)
SAMPLES = {"rloo": (2, 4, 8, 16, 32), "unordered_set": (2, 4)}

Settings = list[dict[str, Any]]


def mean_field(f: Losses, logits: torch.Tensor, **_: Any) -> torch.Tensor:
    """Return f at the mean, which draws nothing."""
    return f(logits.softmax(-1))


def temperatures(*values: float) -> Settings:
    """Return one setting for each temperature."""
    return [{"temperature": tau} for tau in values]


FIXED: dict[str, tuple[str | Estimator, Settings]] = {
    "mean field": (mean_field, [{}]),
    "REINFORCE": ("reinforce", [{}]),
    "RLOO": ("rloo", [{"num_samples": n} for n in SAMPLES["rloo"]]),
    "unordered set": (
        "unordered_set",
        [{"num_samples": n} for n in SAMPLES["unordered_set"]],
    ),
    "MuProp": ("muprop", [{}]),
    "straight-through": ("straight_through", temperatures(*COLD[1:], *WARM)),
    "DARN": ("darn", [{}]),
    "ReinMax": ("reinmax", temperatures(*WARM[:-1])),
    "Gumbel-Softmax": ("gumbel_softmax", temperatures(*COLD, *WARM, 10.0)),
    "ST Gumbel-S.": ("straight_through_gumbel_softmax", temperatures(*COLD, *WARM)),
    "Gumbel-Rao": ("gumbel_rao", temperatures(*COLD[1:], *WARM[:-1])),
    "gapped ST": (
        "gapped_straight_through",
        [
            {"temperature": tau, "gap": gap}
            for tau, gap in product((0.35, 0.5, 0.7, *WARM[:-1]), (0.3, 1.0))
        ],
    ),
    "decoupled": (
        "decoupled_straight_through",
        [
            {"forward_temperature": forward, "temperature": backward}
            for forward, backward in product((0.1, 0.3, 1.0, 3.0), (0.5, 1.0, 2.0, 4.0))
        ],
    ),
}
BITS: dict[str, tuple[str | Estimator, Settings]] = {
    "ARM": ("arm", [{}]),
    "DisARM": ("disarm", [{}]),
}
REBAR = (0.2, 0.5, 1.0, 2.0, 4.0)


def draw(
    name: str | Estimator,
    problem: Problem,
    count: int,
    generator: torch.Generator,
    **options: Any,
) -> torch.Tensor:
    """Return so many estimates, drawn in parts that fit into memory."""
    each = problem.logits.numel() * options.get("num_samples", 10)
    part = max(1, MOST_ENTRIES // each)
    sizes = [min(part, count - done) for done in range(0, count, part)]
    parts = [
        gradients(name, problem.f, problem.logits, size, generator=generator, **options)
        for size in sizes
    ]
    return torch.cat(parts)


def fitted_scale(problem: Problem, tau: float, count: int) -> float:
    """Return REBAR's scale of the least variance: the estimate is linear in it."""
    without, whole = (
        draw(
            *("rebar", problem, count, torch.Generator().manual_seed(3)),
            temperature=tau,
            scale=scale,
        ).flatten(1)
        for scale in (0.0, 1.0)
    )
    difference = without - whole
    centred = difference - difference.mean(0)
    return float((centred * without).sum() / centred.square().sum())


def learned_control(problem: Problem) -> Callable[[torch.Tensor], torch.Tensor]:
    """Return a small network that RELAX has learned as its control variate."""
    torch.manual_seed(0)
    size = problem.logits.numel()
    layers = torch.nn.Linear(size, 32), torch.nn.Tanh(), torch.nn.Linear(32, 1)
    net = torch.nn.Sequential(*layers).double()

    def control(x: torch.Tensor) -> torch.Tensor:
        return net(x.flatten(-problem.logits.ndim)).squeeze(-1)

    optimiser = torch.optim.Adam(net.parameters(), lr=0.01)
    generator = torch.Generator().manual_seed(4)
    for _ in range(400):
        leaf = problem.logits.expand(200, *problem.logits.shape).requires_grad_()
        options = {"control": control, "parameters": net.parameters()}
        loss = estimators.relax(problem.f, leaf, generator=generator, **options).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    net.requires_grad_(False)
    return control


def contestants(
    problem: Problem, count: int
) -> Iterator[tuple[str, str | Estimator, dict]]:
    """Yield label, name and options of all that is measured on a problem."""
    bits = BITS if problem.logits.shape[-1] == 2 else {}
    for label, (name, settings) in {**FIXED, **bits}.items():
        states = problem.logits.shape[-1] ** problem.logits[..., 0].numel()
        for options in settings:
            # A set of all states is the sum over them, which no draw is needed for.
            if name != "unordered_set" or options["num_samples"] < states:
                yield label, name, options
    generator = torch.Generator().manual_seed(2)
    many = problem.logits.expand(100_000, *problem.logits.shape)
    mean_loss = estimators.reinforce(problem.f, many, generator=generator).mean()
    yield "constant baseline", "reinforce", {"baseline": mean_loss.item()}
    for tau in REBAR:
        scale = fitted_scale(problem, tau, count // 4)
        yield "REBAR", "rebar", {"temperature": tau, "scale": scale}
    yield "RELAX", "relax", {"control": learned_control(problem)}


def moments(problem: Problem, gradient: torch.Tensor, count: int) -> list[dict]:
    """Return, for each setting, the mean along the gradient with its error, squared error and variance."""
    rows = []
    for label, name, options in contestants(problem, count):
        generator = torch.Generator().manual_seed(1)
        drawn = measure(draw(name, problem, count, generator, **options), gradient)
        unbiased = isinstance(name, str) and estimators.get(name).unbiased
        variance = drawn.variance.value
        kept = {k: v for k, v in options.items() if isinstance(v, float | int)}
        figures = {
            "along": 1.0 if unbiased else drawn.along.value,
            "along_error": 0.0 if unbiased else drawn.along.error / 1.96,
            "squared_error": variance if unbiased else drawn.squared_error.value,
            "variance": variance,
        }
        numbers = {k: float(f"{v:.5g}") for k, v in (kept | figures).items()}
        rows.append({"estimator": label, **numbers})
    return rows


def reference(problem: Problem) -> torch.Tensor:
    """Return the gradient, exact where the states can be enumerated."""
    states = problem.logits.shape[-1] ** problem.logits[..., 0].numel()
    if states <= MOST_STATES:
        return exact_gradient(problem.f, problem.logits)
    total, rounds, generator = 0, 5, torch.Generator().manual_seed(6)
    for _ in range(rounds):
        part = draw("rloo", problem, 10_000, generator, num_samples=16)
        total = total + part.mean(0) / rounds
    return total


if __name__ == "__main__":
    torch.set_num_threads(1)
    networks = {
        f"{variables} x {categories}, {seed}": network(variables, categories, seed=seed)
        for variables, categories in SIZES
        for seed in SEEDS
    }
    results = {}
    for key, problem in {**PROBLEMS, **networks}.items():
        count = 40_000 if key in PROBLEMS else 4_000
        results[key] = moments(problem, reference(problem), count)
        print(f"measured {key}", flush=True)
    print(f"recorded in {record('progress', results)}")
