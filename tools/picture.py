"""Draw the pictures of the landing page and of README: `python tools/picture.py`."""

import matplotlib.pyplot as plt
import numpy as np
from figure_files import ASSETS, write_picture

from gumbel_tutorial import concrete, gumbel_max, laboratory, noise
from gumbel_tutorial.book import plots, records
from gumbel_tutorial.laboratory import PROBLEMS

TEMPERATURES = (5.0, 1.0, 0.5, 0.1)
ESTIMATORS = ["mean field", "Gumbel-Softmax", "straight-through", "Gumbel-Rao"]
ESTIMATORS += ["ReinMax", "RLOO"]


def draw_temperatures(axes: np.ndarray, count: int) -> None:
    """Relax the same noise at four temperatures."""
    logits = np.log([6.0, 3.0, 1.0])
    gumbels = noise.gumbel((count, 3), generator=np.random.default_rng(4))
    index = gumbel_max.argmax_sample(logits, gumbels)
    for ax, tau in zip(axes.flat, TEMPERATURES, strict=True):
        plots.simplex_samples(ax, concrete.relax(logits, gumbels, tau), index)
        ax.text(0.5, -0.12, rf"$\tau = {tau:g}$", ha="center", va="top")


def draw_estimators(ax: plt.Axes) -> None:
    """Draw the recorded progress of the estimators of chapter 5, as its figure does."""
    moments = records.read("progress")["results"]
    prices = records.read("estimators")["results"]
    lab = laboratory.Budgets(moments, prices["learned"])
    networks = ["network", *sorted(moments.keys() - PROBLEMS.keys())]
    budgets = np.geomspace(2, 2000, 25)
    found = [lab.average(networks, budget) for budget in budgets]
    curves = {name: [each[name] for each in found] for name in ESTIMATORS}
    plots.curves(ax, budgets, curves, labelled=False)
    ax.set(xscale="log", xlabel="evaluations a step", ylabel="progress", ylim=(0, 1))
    ax.legend(fontsize=9)


def main() -> None:
    """Draw the three."""
    plots.use_style()
    strip, axes = plt.subplots(1, 4, figsize=(8, 2.2))
    draw_temperatures(axes, 2500)
    write_picture(strip, ASSETS / "temperatures.png", dpi=200)
    square, axes = plt.subplots(2, 2, figsize=(4.4, 4.0))
    draw_temperatures(axes, 1000)
    write_picture(square, ASSETS / "triangle.png")
    comparison, ax = plt.subplots(figsize=(6.4, 3.2))
    draw_estimators(ax)
    write_picture(comparison, ASSETS / "estimators.png")


if __name__ == "__main__":
    main()
