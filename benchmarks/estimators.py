"""Time per gradient estimate, forward and backward, with a cheap loss and with a costly one.

Run it with `make bench`. One thread, float32, batches of estimates; medians of interleaved rounds.
"""

import torch
from measure import interleave, record

from gumbel_tutorial import estimators
from gumbel_tutorial.laboratory.problems import CONTESTANTS, PROBLEMS

# The name, how many estimates a batch, the width of the hidden layers of the loss.
SETTINGS = {"cheap": (4_000, 8), "costly": (400, 512)}


def time_per_estimate(batch: int, width: int) -> dict[str, float]:
    """Return nanoseconds per estimate for a network over three variables of four categories."""
    torch.manual_seed(0)
    logits = PROBLEMS["network"].logits.float().expand(batch, 3, 4).clone()
    layers = [torch.nn.Linear(12, width), torch.nn.Tanh()]
    if width > 100:
        layers += [torch.nn.Linear(width, width), torch.nn.Tanh()]
    network = torch.nn.Sequential(*layers, torch.nn.Linear(width, 1))
    network.requires_grad_(False)

    def loss(z):
        return network(z.flatten(-2)).squeeze(-1)

    def estimate(name, options):
        generator = torch.Generator().manual_seed(0)
        estimator = estimators.get(name).prepare(**options)

        def call():
            leaf = logits.detach().requires_grad_()
            estimator(loss, leaf, generator=generator).sum().backward()

        return call

    calls = {label: estimate(*contestant) for label, contestant in CONTESTANTS.items()}
    return {name: 1e9 * t / batch for name, t in interleave(calls, rounds=25).items()}


if __name__ == "__main__":
    torch.set_num_threads(1)
    results = {name: time_per_estimate(*setting) for name, setting in SETTINGS.items()}
    print(f"recorded in {record('estimators', results)}")
