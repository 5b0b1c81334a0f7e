"""Draw what stands in the place of three moving figures without JavaScript and in print.

`python tools/moving_pictures.py`, after tools/record_toy.py, whose data it shows.
"""

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import record_toy
import torch
from figure_files import FIGURES, read_data, write_picture
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch.nn import functional as F

from gumbel_tutorial import laboratory
from gumbel_tutorial.book import plots

# The cubic problem of chapter 5 without the last of its categories: gradients then lie in a plane.
LINE = torch.tensor([0.1, 0.75, -0.34], dtype=torch.float64)
LOGITS = torch.tensor([1.0, 0.3, -0.3], dtype=torch.float64)
POINTS, DRAWS = 150, 4800


def main() -> None:
    """Draw all three."""
    plots.use_style()
    write_picture(bench(), FIGURES / "estimator-bench.png")
    write_picture(dials(read_data("decoder")), FIGURES / "decoder.png")
    write_picture(stages(read_data("training")), FIGURES / "training.png")


def cubic(z: torch.Tensor) -> torch.Tensor:
    """Return the losses of samples ``(..., 3)``."""
    return (z @ LINE + z[..., 0]) ** 3


def bench() -> Figure:
    """Draw the cloud of one unbiased and one biased estimator, and the second again with means of 16."""
    fig, axes = plt.subplots(1, 3, figsize=(6.8, 2.3), sharex=True, sharey=True)
    panels = (
        ("RLOO", "rloo", 1),
        ("Gumbel-Softmax", "gumbel_softmax", 1),
        ("16 averaged", "gumbel_softmax", 16),
    )
    for ax, (title, name, budget) in zip(axes, panels, strict=True):
        draws = laboratory.gradients(
            name,
            cubic,
            LOGITS,
            DRAWS,
            generator=torch.Generator().manual_seed(5),
        )
        cloud(
            ax,
            draws[: POINTS * budget].reshape(POINTS, budget, 3).mean(1),
            draws.mean(0),
        )
        ax.set_xlabel(title)
    return fig


def cloud(ax: Axes, estimates: torch.Tensor, mean: torch.Tensor) -> Axes:
    """Draw estimates ``(n, 3)``, the estimator's mean and the exact gradient, which points to the right."""
    exact = laboratory.exact_gradient(cubic, LOGITS)
    along = exact / exact.norm()
    across = torch.linalg.cross(torch.full((3,), 3**-0.5, dtype=torch.float64), along)
    axes = torch.stack([along, across], 1) / exact.norm()
    points = estimates @ axes
    # Estimates that score corners have few values: many points would hide each other.
    jitter = 0.08 * (
        torch.rand(points.shape, generator=torch.Generator().manual_seed(1)) - 0.5
    )
    ax.scatter(
        *(points + jitter).T, s=5, color=plots.COLOURS[0], alpha=0.5, linewidths=0
    )
    # The second may lie on the first.
    for tip, colour, width in (
        ((1, 0), plots.INK, 3.5),
        (mean @ axes, plots.COLOURS[1], 1.5),
    ):
        arrow = {
            "arrowstyle": "-|>",
            "color": colour,
            "linewidth": width,
            "shrinkA": 0,
            "shrinkB": 0,
        }
        ax.annotate("", tip, (0, 0), arrowprops=arrow)
    ax.set(xlim=(-1.4, 3.1), ylim=(-1.5, 1.7), aspect="equal", xticks=[], yticks=[])
    return ax


def dials(data: dict[str, Any]) -> Figure:
    """Draw three codes, each with one variable turned through its ten classes."""
    rows = []
    for digit in (3, 0, 8):
        codes = torch.tensor(data["codes"][digit]).repeat(10, 10, 1)
        for dial in range(10):
            codes[dial, :, dial] = torch.arange(10)
        inputs = F.one_hot(codes, 10).flatten(-2)
        pixels = record_toy.decode(data["layers"], inputs).sigmoid()
        # The variable that does most.
        dial = int(pixels.std(1).sum(-1).argmax())
        rows.append(pixels[dial].reshape(10, 8, 8))
    fig, ax = plt.subplots(figsize=(6.6, 2.2))
    plots.images(ax, rows, names=("a three", "a zero", "an eight"))
    return fig


def stages(data: dict[str, Any]) -> Figure:
    """Draw ten digits, and what the model made of their discrete codes at five stages of its training."""
    chosen = [0, 10, 28, 32, 39]
    rows = [tiles(data["shown"]), *(tiles(data["hard"][stage]) for stage in chosen)]
    names = ["test image", *(f"step {data['step'][stage]:,}" for stage in chosen)]
    fig, ax = plt.subplots(figsize=(6.6, 4.0))
    plots.images(ax, rows, names=names)
    return fig


def tiles(text: str) -> np.ndarray:
    """Return the images that were written as hexadecimal digits, ``(n, 8, 8)``."""
    return np.array([int(digit, 16) for digit in text]).reshape(-1, 8, 8) / 15


if __name__ == "__main__":
    main()
