"""The tails of Gumbel noise on a CUDA device: how far it reaches, how often small exponentials come up.

A class of relative weight t is drawn P(E < t) / t times as often as it should be.
"""

from collections.abc import Callable

import torch
from measure import record

from gumbel_tutorial import kernels

DRAWS, BLOCK = 4 * 10**9, (1000, 100_000)
THRESHOLDS = (1e-5, 1e-6, 1e-7, 1e-8, 1e-9)


def tail(make: Callable[[torch.Tensor], torch.Tensor]) -> dict[str, float]:
    """Return the largest Gumbel, and P(E < t) / t by t."""
    like = torch.zeros(BLOCK, device="cuda")
    levels = -torch.tensor(THRESHOLDS, device="cuda").log()
    hits, largest = torch.zeros_like(levels, dtype=torch.int64), like[0, 0]
    for _ in range(DRAWS // like.numel()):
        noise = make(like)
        hits += torch.stack([(noise > level).sum() for level in levels])
        largest = torch.maximum(largest, noise.max())
    shares = zip(THRESHOLDS, hits.tolist(), strict=True)
    return {"largest": largest.item(), **{str(t): n / DRAWS / t for t, n in shares}}


if __name__ == "__main__":
    if torch.cuda.is_available():
        found = {
            "kernels.gumbel_like": tail(kernels.gumbel_like),
            "torch": tail(lambda like: -torch.empty_like(like).exponential_().log()),
        }
        print(found)
        print(f"recorded in {record('gpu_tails', found)}")
    else:
        print(
            "benchmarks/gpu_tails.py needs a CUDA device and finds none: nothing is measured"
        )
