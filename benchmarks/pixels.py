"""A sense of scale for the table: what MNIST costs a model of independent pixels, which has no code.

Needs the four files of MNIST, in the folder that the environment variable MNIST names.
"""

import os
from pathlib import Path

from measure import record

from gumbel_tutorial.vae.runs.build import make_model, make_splits
from gumbel_tutorial.vae.table import Job
from gumbel_tutorial.vae.training.evaluation import independent_pixels

TASKS = {"whole": "VAE (Cat.)", "lower half": "SBN (Cat.)"}


def main() -> None:
    """Record the nats per test image, for what each task gives a probability to."""
    folder = os.environ.get("MNIST")
    if folder is None:
        print("MNIST must name a folder with the four files, or nothing is measured")
        return
    results = {}
    for name, column in TASKS.items():
        config = Job(column, "RLOO", learning_rate=1e-3, seed=0).config()
        train, _, test = make_splits(config, Path(folder), download=False)
        model = make_model(config, train.pixels.shape[1])
        results[name] = independent_pixels(model, train, test)
    print(f"{results}, recorded in {record('pixels', results)}")


if __name__ == "__main__":
    main()
