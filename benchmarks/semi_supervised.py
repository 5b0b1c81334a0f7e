"""Steps of semi-supervised training that sum over K classes against steps that draw one, same networks."""

import os
import resource
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import torch
from measure import interleave, record

from gumbel_tutorial.estimators.layers import EstimatorLayers
from gumbel_tutorial.vae.models.semi_supervised import SemiSupervisedVAE

BATCH, PIXELS, LATENTS, HIDDEN = 100, 784, 50, (512,)
# How many rounds for how many classes: beyond a thousand a sum takes minutes.
ROUNDS = {5: 41, 10: 41, 50: 41, 100: 25, 1_000: 5, 10_000: 2}


def make_steps(num_categories: int) -> dict[str, Callable[[], None]]:
    """Return unlabelled steps, Adam's included: that sum, that draw, and of the classifier alone."""
    model = SemiSupervisedVAE(PIXELS, LATENTS, num_categories, hidden=HIDDEN)
    images = (torch.rand(BATCH, PIXELS) < 0.13).float()
    optimizer = torch.optim.Adam(model.parameters(), fused=True)
    (estimator,) = EstimatorLayers("gumbel_softmax", model.layers).at(1.0)
    generator = torch.Generator().manual_seed(0)

    def take(loss: Callable[[], torch.Tensor]) -> Callable[[], None]:
        def step() -> None:
            optimizer.zero_grad()
            loss().mean().backward()
            optimizer.step()

        return step

    def summed() -> torch.Tensor:
        noise = torch.randn(BATCH, LATENTS, generator=generator)
        return model.marginal_loss(images, noise)

    def drawn() -> torch.Tensor:
        noise = torch.randn(1, BATCH, LATENTS, generator=generator)
        return model.unlabelled_loss(
            images, estimator, noise=noise, generator=generator
        )

    def classified() -> torch.Tensor:
        return model.classify(images).logsumexp(-1)

    return {
        "sum": take(summed),
        "draw": take(drawn),
        "classifier": take(classified),
    }


def most_bytes(num_categories: int, name: str) -> int:
    """Return the most memory that this process has held, after one step."""
    make_steps(num_categories)[name]()
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def bytes_per_class() -> float:
    """Return what one more class costs a step that sums, each number of classes in a process of its own."""
    few, many = 100, 1_000
    pool = ProcessPoolExecutor(1, get_context("spawn"), max_tasks_per_child=1)
    with pool:
        least, most = pool.map(most_bytes, (few, many), ("sum", "sum"))
    return (most - least) / (many - few)


def main() -> None:
    """Measure every number of classes that fits into memory, and say where it ends."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    fits = int(memory / bytes_per_class())
    print(f"a sum over more than about {fits} classes does not fit into memory")
    steps = {}
    for num_categories, rounds in ROUNDS.items():
        calls = make_steps(num_categories)
        if num_categories > 0.8 * fits:
            del calls["sum"]
        seconds = interleave(calls, rounds=rounds)
        steps[str(num_categories)] = {k: 1e3 * v for k, v in seconds.items()}
        print(f"{num_categories} classes: {seconds}")
    results = {"fits": fits, "memory": memory, "milliseconds": steps}
    print(f"recorded in {record('semi_supervised_step', results)}")


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
