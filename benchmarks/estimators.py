"""Time per gradient estimate, forward and backward, for a cheap, a costly and a learned loss.

Run it with `make bench`. One thread, float32, batches of estimates; medians of interleaved rounds.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from measure import interleave, record

from gumbel_tutorial import estimators
from gumbel_tutorial.laboratory.problems import CONTESTANTS, PROBLEMS


class Setting(NamedTuple):
    """How many estimates a batch, the width of the loss, and whether its weights get a gradient as well."""

    batch: int
    width: int
    learned: bool


SETTINGS = {
    "cheap": Setting(4_000, 8, learned=False),
    "costly": Setting(400, 512, learned=False),
    "learned": Setting(400, 512, learned=True),
}
# Beyond the tables of the laboratory: what the record of progress needs a price for.
MORE = {
    "RLOO, 8 samples": ("rloo", {"num_samples": 8}),
    "RLOO, 32 samples": ("rloo", {"num_samples": 32}),
    "unordered set, 4": ("unordered_set", {"num_samples": 4}),
}


def time_per_estimate(setting: Setting) -> dict[str, float]:
    """Return nanoseconds per estimate for a network over three variables of four categories."""
    torch.manual_seed(0)
    logits = PROBLEMS["network"].logits.float().expand(setting.batch, 3, 4).clone()
    network, relaxed = _loss(setting.width), _loss(32)
    network.requires_grad_(setting.learned)

    def loss(z: torch.Tensor) -> torch.Tensor:
        return network(z.flatten(-2)).squeeze(-1)

    def estimate(name: str, options: dict) -> Callable[[], None]:
        generator = torch.Generator().manual_seed(0)
        estimator = estimators.get(name).prepare(**options)

        def call() -> None:
            leaf = logits.detach().requires_grad_()
            estimator(loss, leaf, generator=generator).sum().backward()
            network.zero_grad()

        return call

    contestants = {**CONTESTANTS, **MORE}
    calls = {label: estimate(*contestant) for label, contestant in contestants.items()}
    relaxed.requires_grad_(False)
    control = {"control": lambda x: relaxed(x.flatten(-2)).squeeze(-1)}
    calls["RELAX"] = estimate("relax", control)
    times = interleave(calls, rounds=25)
    return {name: 1e9 * t / setting.batch for name, t in times.items()}


def _loss(width: int) -> torch.nn.Sequential:
    layers = [torch.nn.Linear(12, width), torch.nn.Tanh()]
    if width > 100:
        layers += [torch.nn.Linear(width, width), torch.nn.Tanh()]
    return torch.nn.Sequential(*layers, torch.nn.Linear(width, 1))


if __name__ == "__main__":
    torch.set_num_threads(1)
    results = {name: time_per_estimate(setting) for name, setting in SETTINGS.items()}
    print(f"recorded in {record('estimators', results)}")
