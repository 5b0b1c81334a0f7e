"""Which way of drawing from a categorical law is the fastest, and how near is it to its floor?

Nanoseconds per logit, or per draw where one law is drawn from many times; the floor is a softmax, or
a copy. All draw from noise of 53 bits but JAX, which has 23.
"""

from collections.abc import Callable
from functools import partial
from importlib import import_module, util
from typing import Any

import torch
import torch.nn.functional as F
from measure import interleave, record

from gumbel_tutorial import argmax_sample, categorical, gumbel_like

SHAPES = ((64, 10), (81_920, 10), (10_240, 100), (1024, 1000), (64, 50_257), (8, 10**6))
CATEGORIES, K, DRAWS = (10, 100, 1000, 10_000, 100_000), 10, 200_000
# A round must be long against the clock's grain.
LEAST_ENTRIES = 100_000


def jax_sampler(logits: torch.Tensor) -> Callable[[], Any]:
    """Return JAX's draw of one category per row, from a key that moves on."""
    jax, keys = import_module("jax"), iter(range(10**9))
    draw, array = jax.jit(jax.random.categorical), jax.numpy.asarray(logits.numpy())
    return lambda: draw(jax.random.key(next(keys)), array).block_until_ready()


def per_row(logits: torch.Tensor, seed: torch.Generator) -> dict[str, Callable]:
    """Return the calls that draw once from each row, and those that draw K without replacement."""
    ours = partial(categorical.sample, logits, generator=seed)

    def of_torch(number: int) -> torch.Tensor:
        return logits.softmax(-1).multinomial(number, generator=seed)

    calls: dict[str, Callable[[], Any]] = {
        "copy": logits.clone,
        "softmax": lambda: logits.softmax(-1),
        "F.gumbel_softmax": lambda: F.gumbel_softmax(logits, hard=True).argmax(-1),
        "torch.multinomial": partial(of_torch, 1),
        "ours": ours,
        "gumbel-max": partial(ours, method="gumbel-max"),
        "inverse-cdf": partial(ours, method="inverse-cdf"),
        "argmax_sample": lambda: argmax_sample(logits, gumbel_like(logits)),
    }
    if util.find_spec("jax"):
        calls["JAX"] = jax_sampler(logits)
    if logits.shape[-1] > K:
        several = partial(ours, num_samples=K, replacement=False)
        calls["torch.multinomial, top k"] = partial(of_torch, K)
        calls["ours, top k"] = several
        calls["top-k"] = partial(several, method="top-k")
        calls["distinct"] = partial(several, method="distinct")
    return calls


def one_law(num_categories: int, seed: torch.Generator) -> dict[str, Callable]:
    """Return the calls that draw many times from one law; torch's is given the probabilities."""
    logits = torch.randn(num_categories, generator=seed)
    ours = partial(categorical.sample, logits, generator=seed, num_samples=DRAWS)
    probs = logits.softmax(-1)
    return {
        "torch.multinomial": lambda: probs.multinomial(DRAWS, True, generator=seed),
        "ours": ours,
        "alias": partial(ours, method="alias"),
    }


def measured(calls: dict[str, Callable], entries: int) -> dict[str, float]:
    """Return nanoseconds per entry of each call."""
    times = max(1, LEAST_ENTRIES // entries)
    repeated = {
        name: lambda call=call: [call() for _ in range(times)]
        for name, call in calls.items()
    }
    seconds = interleave(repeated, rounds=9)
    return {name: round(1e9 * s / entries / times, 3) for name, s in seconds.items()}


if __name__ == "__main__":
    torch.set_num_threads(1)
    seed = torch.Generator().manual_seed(0)
    results: dict[str, Any] = {"rows": {}, "one law": {}}
    for rows, columns in SHAPES:
        calls = per_row(torch.randn(rows, columns, generator=seed), seed)
        results["rows"][f"{rows} x {columns}"] = measured(calls, rows * columns)
    for columns in CATEGORIES:
        results["one law"][columns] = measured(one_law(columns, seed), DRAWS)
    for setting in results.values():
        for shape, found in setting.items():
            print(shape, found)
    print(record("draws", results))
