"""Which way of drawing from a categorical law is the fastest, and how near is it to its floor?

Run it with `make bench`. One thread, values checked; medians of interleaved rounds, in nanoseconds per logit,
or per draw where one law is drawn from many times. Beside ours stand torch's and, where they are installed,
Pyro's and JAX's samplers, and what no sampler can pass: the softmax alone, and a copy.
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
K, DRAWS = 10, 200_000
# A round must be long against the clock's grain.
LEAST_ENTRIES = 100_000
# The bits of a uniform number: without those of float64 a rare category is drawn never or too often.
BITS = {"JAX": 23}


def jax_sampler(logits: torch.Tensor) -> Callable[[], Any]:
    """Return JAX's draw of one category per row, from a key that moves on."""
    jax, keys = import_module("jax"), iter(range(10**9))
    draw, array = jax.jit(jax.random.categorical), jax.numpy.asarray(logits.numpy())
    return lambda: draw(jax.random.key(next(keys)), array).block_until_ready()


def per_row(logits: torch.Tensor, seed: torch.Generator) -> dict[str, Callable]:
    """Return the calls that draw once from each row, and those that draw K without replacement."""
    ours = partial(categorical.sample, logits, generator=seed)
    most = logits.shape[-1]
    calls: dict[str, Callable[[], Any]] = {
        "copy": logits.clone,
        "softmax": lambda: logits.softmax(-1),
        "F.gumbel_softmax": lambda: F.gumbel_softmax(logits, hard=True).argmax(-1),
        "torch.multinomial": lambda: logits.softmax(-1).multinomial(1, generator=seed),
        "ours": ours,
        "gumbel-max": partial(ours, method="gumbel-max"),
        "inverse-cdf": partial(ours, method="inverse-cdf"),
        "argmax_sample": lambda: argmax_sample(
            logits, gumbel_like(logits, generator=seed)
        ),
    }
    if util.find_spec("pyro"):
        law = import_module("pyro.distributions").Categorical
        calls["Pyro"] = lambda: law(logits=logits).sample()
    if util.find_spec("jax"):
        calls["JAX"] = jax_sampler(logits)
    if most > K:
        several = partial(ours, num_samples=K, replacement=False)
        calls["torch.multinomial, top k"] = lambda: logits.softmax(-1).multinomial(
            K, generator=seed
        )
        calls["ours, top k"] = several
        calls["top-k"] = partial(several, method="top-k")
        calls["distinct"] = partial(several, method="distinct")
    return calls


def one_law(num_categories: int, seed: torch.Generator) -> dict[str, Callable]:
    """Return the calls that draw many times from one law; torch's is given the probabilities."""
    logits = torch.randn(num_categories, generator=seed)
    probs, table = logits.softmax(-1), categorical.alias_table(logits)
    ours = partial(categorical.sample, logits, generator=seed, num_samples=DRAWS)

    def from_table() -> torch.Tensor:
        uniform = torch.rand(DRAWS, dtype=torch.float64, generator=seed)
        return categorical.alias_sample(table, uniform.clamp_min_(2.0**-54))

    return {
        "torch.multinomial": lambda: probs.multinomial(DRAWS, True, generator=seed),
        "ours": ours,
        "alias": partial(ours, method="alias"),
        "table that is kept": from_table,
    }


def measured(calls: dict[str, Callable], entries: int) -> dict[str, float]:
    """Return nanoseconds per entry of each call."""
    times = max(1, LEAST_ENTRIES // entries)
    repeated = {
        n: lambda call=c: [call() for _ in range(times)] for n, c in calls.items()
    }
    return {
        n: 1e9 * t / entries / times for n, t in interleave(repeated, rounds=9).items()
    }


if __name__ == "__main__":
    torch.set_num_threads(1)
    seed = torch.Generator().manual_seed(0)
    results: dict[str, Any] = {"bits below 53": BITS, "k": K, "rows": {}, "one law": {}}
    for shape in SHAPES:
        calls = per_row(torch.randn(shape, generator=seed), seed)
        results["rows"][" x ".join(map(str, shape))] = measured(
            calls, shape[0] * shape[1]
        )
    for num_categories in (10, 100, 1000, 10_000, 100_000):
        found = measured(one_law(num_categories, seed), DRAWS)
        results["one law"][str(num_categories)] = found
    for setting in ("rows", "one law"):
        for shape, found in results[setting].items():
            print(shape, {name: round(value, 2) for name, value in found.items()})
    print(record("draws", results))
