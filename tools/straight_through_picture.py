"""Draw the picture of the straight-through step: `python tools/straight_through_picture.py`."""

import matplotlib.pyplot as plt
import numpy as np
from figure_files import ASSETS, write_picture
from matplotlib.axes import Axes

from gumbel_tutorial import categorical, concrete
from gumbel_tutorial.book import plots

ARROW = {"arrowstyle": "->", "color": plots.INK, "linewidth": 1.2}


def bars(ax: Axes, name: str, values: np.ndarray) -> None:
    """Draw a bar per category with its number beneath."""
    ax.bar(range(3), values, color=plots.COLOURS[:3], width=0.7)
    ax.axhline(0, color=plots.MUTED, linewidth=0.8)
    for i, value in enumerate(values):
        text = f"${value:.2f}$"
        ax.annotate(
            text, (i, 0), (i, -0.16), textcoords=("data", "axes fraction"), ha="center"
        )
    ax.set_title(name, fontsize=12)
    ax.set_axis_off()


def words(ax: Axes, name: str, text: str) -> None:
    """Write a number or a formula where no bars are."""
    ax.text(0.5, 0.45, text, ha="center", va="center", fontsize=14)
    ax.set_title(name, fontsize=12)
    ax.set_axis_off()


def main() -> None:
    """Pass one draw forward as a one-hot vector, and the slope of a linear loss back as if it were soft."""
    plots.use_style()
    plt.rcParams.update({"svg.fonttype": "path", "svg.hashsalt": "gumbel"})
    logits = np.log([6.0, 3.0, 1.0])
    noise = np.array([-1.0632, 0.2063, 0.9037])  # the first draw of the moving figure
    relaxed = concrete.relax(logits, noise, 0.5)
    hard = categorical.one_hot(relaxed.argmax(), 3)
    slope = np.array([1.0, 2.0, 3.0])
    gradient = relaxed * (slope - relaxed @ slope) / 0.5
    fig, axes = plt.subplots(2, 4, figsize=(6.6, 2.9))
    bars(axes[0, 0], r"$\ell+G$", logits + noise)
    bars(axes[0, 1], "$y$", relaxed)
    bars(axes[0, 2], "$z$", hard)
    words(axes[0, 3], "$f$", f"{slope @ hard:.2f}")
    bars(axes[1, 0], r"$\partial f/\partial\ell$", gradient)
    words(axes[1, 1], "", "through\n" + r"$\partial y/\partial\ell$")
    bars(axes[1, 2], r"$\nabla f(z)$", slope)
    words(axes[1, 3], "", "")
    for row, (start, end) in enumerate([(1.06, 1.34), (1.34, 1.06)]):
        for ax in axes[row, :3]:
            ax.annotate(
                "", (end, 0.45), (start, 0.45), "axes fraction", "axes fraction", ARROW
            )
    fig.get_layout_engine().set(wspace=0.22, hspace=0.12)
    write_picture(fig, ASSETS / "straight-through.svg")


if __name__ == "__main__":
    main()
