"""Relaxed samples, drawn and differentiated, in nanoseconds per entry: ours and others.

The floor is what no sampler can do without: a softmax with its derivative, and a copy. Noise of 53 bits have
ours and torch's own; compiled it has 31 in torch's; that of Pyro, torch's distribution and JAX 24 at most.
"""

import importlib.util
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from measure import interleave, record
from torch.distributions import RelaxedOneHotCategorical

import gumbel_tutorial as gt

SHAPES = ((81_920, 10), (1024, 1000), (64, 50_257), (8, 1_000_000))
TAU = 0.5
ROUNDS = 9


def of_law(law: Any, logits: torch.Tensor) -> torch.Tensor:
    """Draw unchecked: the checks take a row of a million for no distribution."""
    return law(torch.tensor(TAU), logits=logits, validate_args=False).rsample()


def samplers() -> dict[str, Callable[[torch.Tensor], torch.Tensor]]:
    """Return everything in torch that draws, by name."""
    made = {
        "gumbel_softmax": lambda x: gt.gumbel_softmax(x, TAU),
        "gumbel_softmax, hard": lambda x: gt.gumbel_softmax(x, TAU, True),
        "F.gumbel_softmax": lambda x: F.gumbel_softmax(x, TAU),
        "F.gumbel_softmax, hard": lambda x: F.gumbel_softmax(x, TAU, True),
        "compiled F.gumbel_softmax": partial(torch.compile(F.gumbel_softmax), tau=TAU),
        "compiled gumbel_softmax": partial(torch.compile(gt.gumbel_softmax), tau=TAU),
        "torch's distribution": partial(of_law, RelaxedOneHotCategorical),
        "softmax": lambda x: x.softmax(-1),
    }
    if importlib.util.find_spec("pyro"):
        from pyro.distributions import RelaxedOneHotCategoricalStraightThrough as law

        made["Pyro's straight-through"] = partial(of_law, law)
    return made


def both_passes(
    sampler: Callable[..., torch.Tensor], leaf: torch.Tensor, slope: torch.Tensor
) -> None:
    """Draw a sample and send a slope back through it."""
    leaf.grad = None
    sampler(leaf).backward(slope)


def jax_call(logits: torch.Tensor, slope: torch.Tensor) -> Callable[[], Any]:
    """Return the two passes in JAX, compiled, with a new key in every call."""
    import jax

    def loss(x: Any, key: Any, weight: Any) -> Any:
        return (
            jax.nn.softmax((x + jax.random.gumbel(key, x.shape)) / TAU) * weight
        ).sum()

    step, keys = jax.jit(jax.grad(loss)), iter(range(10**6))
    x, weight = (jax.numpy.asarray(each.numpy()) for each in (logits, slope))
    return lambda: step(x, jax.random.key(next(keys)), weight).block_until_ready()


def compare(shape: tuple[int, int]) -> dict[str, float]:
    """Return nanoseconds per entry of both passes, by sampler, and of a copy."""
    generator = torch.Generator().manual_seed(0)
    logits, slope = (torch.randn(shape, generator=generator) for _ in range(2))
    leaf = logits.clone().requires_grad_()
    calls = {
        name: partial(both_passes, sampler, leaf, slope)
        for name, sampler in samplers().items()
    }
    if importlib.util.find_spec("jax"):
        calls["JAX"] = jax_call(logits, slope)
    seconds = interleave({**calls, "copy": logits.clone}, rounds=ROUNDS)
    return {name: round(1e9 * s / logits.numel(), 2) for name, s in seconds.items()}


if __name__ == "__main__":
    torch.set_num_threads(1)
    results = {
        f"{rows} x {columns}": compare((rows, columns)) for rows, columns in SHAPES
    }
    for shape, times in results.items():
        print(shape, times)
    print(f"recorded in {record('relaxed', results)}")
