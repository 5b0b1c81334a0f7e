"""Samplers of Pyro."""

import numpy as np

from gumbel_tutorial.conformance.adapters.record import Adapter, in_parts
from gumbel_tutorial.conformance.adapters.torch_samplers import (
    as_tensor,
    default_generator,
)


def relaxed_straight_through(
    logits: np.ndarray,
    num_draws: int,
    seed: int,
    temperature: float,
    *,
    hard: bool = True,
    dtype: str = "float32",
) -> np.ndarray:
    """Draw one-hot rows that are relaxed backwards; Pyro has no soft form of this law."""
    import torch
    from pyro.distributions import RelaxedOneHotCategoricalStraightThrough

    if not hard:
        raise NotImplementedError("the law has no soft form")
    law = RelaxedOneHotCategoricalStraightThrough(
        torch.tensor(temperature), logits=as_tensor(logits, dtype)
    )
    with default_generator(seed):
        return in_parts(
            num_draws,
            logits.shape,
            lambda number: law.rsample((number,)).float().numpy(),
        )


ADAPTERS = (
    Adapter(
        "pyro.distributions.RelaxedOneHotCategoricalStraightThrough",
        "relaxed",
        relaxed_straight_through,
        ("pyro-ppl", "torch"),
    ),
)
