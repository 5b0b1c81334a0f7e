"""Time per categorical draw: Gumbel-Max, inverse CDF, alias table, torch.multinomial.

Run it with `make bench`. One thread; the medians of interleaved rounds, in nanoseconds per draw.
"""

import numpy as np
import torch
from measure import interleave, record

from gumbel_tutorial import categorical, gumbel_max, noise

CATEGORIES = (10, 100, 1_000, 10_000, 100_000)
# One law is drawn from many times; with many laws each is drawn from once.
DRAWS_OF_ONE_LAW = 100_000
ENTRIES_OF_MANY_LAWS = 1_000_000
NOISE_BUDGET = 2_000_000


def one_law(num_categories: int) -> dict[str, float]:
    """Return nanoseconds per draw when a table, if there is one, is ready."""
    rng = np.random.default_rng(0)
    generator = torch.Generator().manual_seed(0)
    logits = rng.standard_normal(num_categories)
    table = categorical.alias_table(logits)
    probs = torch.softmax(torch.from_numpy(logits), -1)
    # Gumbel-Max needs K noises a draw, so it is timed on as many draws as memory allows.
    few = max(1, min(DRAWS_OF_ONE_LAW, NOISE_BUDGET // num_categories))

    def uniform():
        return noise.uniform(DRAWS_OF_ONE_LAW, generator=rng)

    def gumbels():
        return noise.gumbel((few, num_categories), generator=rng, dtype="float32")

    narrow = logits.astype(np.float32)
    calls = {
        "Gumbel-Max": lambda: gumbel_max.argmax_sample(narrow, gumbels()),
        "inverse CDF": lambda: categorical.inverse_cdf_sample(logits, uniform()),
        "alias table": lambda: categorical.alias_sample(table, uniform()),
        "torch.multinomial": lambda: torch.multinomial(
            probs, DRAWS_OF_ONE_LAW, replacement=True, generator=generator
        ),
    }
    draws = dict.fromkeys(calls, DRAWS_OF_ONE_LAW) | {"Gumbel-Max": few}
    return {name: 1e9 * t / draws[name] for name, t in interleave(calls).items()}


def many_laws(num_categories: int) -> dict[str, float]:
    """Return nanoseconds per draw when every draw has logits of its own."""
    generator = torch.Generator().manual_seed(0)
    rows = ENTRIES_OF_MANY_LAWS // num_categories
    logits = torch.randn(rows, num_categories, generator=generator)
    calls = {
        "Gumbel-Max": lambda: gumbel_max.argmax_sample(
            logits, noise.gumbel_like(logits, generator=generator)
        ),
        "inverse CDF": lambda: categorical.inverse_cdf_sample(
            logits, noise.uniform(rows, generator=generator)
        ),
        "torch.multinomial": lambda: torch.multinomial(
            torch.softmax(logits, -1), 1, generator=generator
        ),
        "F.gumbel_softmax": lambda: torch.nn.functional.gumbel_softmax(
            logits, hard=True
        ).argmax(-1),
    }
    return {name: 1e9 * t / rows for name, t in interleave(calls).items()}


if __name__ == "__main__":
    torch.set_num_threads(1)
    results = {
        setting.__name__: {str(k): setting(k) for k in CATEGORIES}
        for setting in (one_law, many_laws)
    }
    print(f"recorded in {record('sampling', results)}")
