"""Samplers of torch. Those without a generator draw from the default one, which is put back."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from gumbel_tutorial.conformance.adapters.record import Adapter, in_parts

if TYPE_CHECKING:
    import torch


def multinomial(
    logits: np.ndarray, num_draws: int, seed: int, *, dtype: str = "float32"
) -> np.ndarray:
    """Draw from the softmax of every row."""
    probs = _rows(logits, dtype).softmax(-1)
    draws = probs.multinomial(num_draws, replacement=True, generator=seeded(seed))
    return draws.T.reshape(num_draws, *logits.shape[:-1]).numpy()


def multinomial_without_replacement(
    logits: np.ndarray, count: int, num_draws: int, seed: int
) -> np.ndarray:
    """Draw distinct categories, one row for every draw."""
    probs, generator = _rows(logits, "float32").softmax(-1), seeded(seed)

    def draw(number: int) -> np.ndarray:
        rows = probs.expand(number, -1)
        return rows.multinomial(count, replacement=False, generator=generator).numpy()

    return in_parts(num_draws, logits.shape, draw)


def gumbel_softmax_hard(
    logits: np.ndarray, num_draws: int, seed: int, *, dtype: str = "float32"
) -> np.ndarray:
    """Draw one-hot rows at temperature 1, and return where they are 1."""
    from torch.nn.functional import gumbel_softmax

    with default_generator(seed):
        return of_copies(
            as_tensor(logits, dtype),
            num_draws,
            lambda rows: gumbel_softmax(rows, hard=True).argmax(-1),
        )


def categorical(
    logits: np.ndarray, num_draws: int, seed: int, *, dtype: str = "float32"
) -> np.ndarray:
    """Draw from the distribution of the logits."""
    from torch.distributions import Categorical

    law = Categorical(logits=as_tensor(logits, dtype))
    with default_generator(seed):
        return law.sample((num_draws,)).numpy()


def gumbel_softmax(
    logits: np.ndarray,
    num_draws: int,
    seed: int,
    temperature: float,
    *,
    hard: bool = False,
    dtype: str = "float32",
) -> np.ndarray:
    """Draw relaxed rows, or one-hot ones."""
    from torch.nn import functional

    with default_generator(seed):
        return of_copies(
            as_tensor(logits, dtype),
            num_draws,
            lambda rows: functional.gumbel_softmax(rows, temperature, hard).float(),
        )


def relaxed_one_hot_categorical(
    logits: np.ndarray, num_draws: int, seed: int, temperature: float
) -> np.ndarray:
    """Draw from the relaxed distribution of the logits."""
    import torch
    from torch.distributions import RelaxedOneHotCategorical

    law = RelaxedOneHotCategorical(torch.tensor(temperature), logits=as_tensor(logits))
    with default_generator(seed):
        return in_parts(
            num_draws, logits.shape, lambda number: law.sample((number,)).numpy()
        )


def as_tensor(logits: np.ndarray, dtype: str = "float32") -> "torch.Tensor":
    """Return logits as a tensor of a dtype that holds them."""
    import torch

    return torch.from_numpy(np.ascontiguousarray(logits)).to(getattr(torch, dtype))


def _rows(logits: np.ndarray, dtype: str) -> "torch.Tensor":
    return as_tensor(logits, dtype).reshape(-1, logits.shape[-1])


def of_copies(
    tensor: "torch.Tensor",
    num_draws: int,
    draw: Callable[["torch.Tensor"], "torch.Tensor"],
) -> np.ndarray:
    """Return what a function draws of as many copies of the logits as there are draws, one of each."""

    def some(number: int) -> np.ndarray:
        return draw(tensor.expand(number, *tensor.shape)).cpu().numpy()

    return in_parts(num_draws, tensor.shape, some)


def seeded(seed: int, device: str = "cpu") -> "torch.Generator":
    """Return a generator."""
    import torch

    return torch.Generator(device).manual_seed(seed)


@contextmanager
def default_generator(seed: int) -> Iterator[None]:
    """Seed torch's default generator for a while; that of a GPU is left alone."""
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield


_FUNCTIONAL = "torch.nn.functional.gumbel_softmax"
ADAPTERS = (
    Adapter("torch.multinomial", "categorical", multinomial, ("torch",)),
    Adapter(f"{_FUNCTIONAL}/hard", "categorical", gumbel_softmax_hard, ("torch",)),
    Adapter("torch.distributions.Categorical", "categorical", categorical, ("torch",)),
    Adapter(
        "torch.multinomial/without-replacement",
        "without_replacement",
        multinomial_without_replacement,
        ("torch",),
    ),
    Adapter(_FUNCTIONAL, "relaxed", gumbel_softmax, ("torch",)),
    Adapter(
        "torch.distributions.RelaxedOneHotCategorical",
        "relaxed",
        relaxed_one_hot_categorical,
        ("torch",),
    ),
)
