"""Draw the picture of the landing page: `python tools/picture.py`."""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from gumbel_tutorial import concrete, gumbel_max, noise
from gumbel_tutorial.book import plots

TARGET = Path(__file__).parent.parent / "assets" / "temperatures.png"


def main() -> None:
    """Relax the same noise at four temperatures."""
    plots.use_style()
    logits = np.log([6.0, 3.0, 1.0])
    gumbels = noise.gumbel((2500, 3), generator=np.random.default_rng(4))
    index = gumbel_max.argmax_sample(logits, gumbels)
    fig, axes = plt.subplots(1, 4, figsize=(8, 2.2))
    for ax, tau in zip(axes, (5.0, 1.0, 0.5, 0.1), strict=True):
        plots.simplex_samples(ax, concrete.relax(logits, gumbels, tau), index)
        ax.text(0.5, -0.12, rf"$\tau = {tau:g}$", ha="center", va="top")
    fig.savefig(TARGET, dpi=200, metadata={"Software": None})


if __name__ == "__main__":
    main()
