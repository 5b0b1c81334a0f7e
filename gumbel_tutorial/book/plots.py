"""The pictures of the book: one function per kind of picture, (axes, arrays) to axes.

A function draws and labels what it is given. It computes no statistic, makes no figure, sets no title: the
caption is the title. Lines differ in style as well as in colour, which grey print does not keep.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from gumbel_tutorial.checks import needing

with needing(__name__, "plots"):
    import matplotlib.pyplot as plt
    from matplotlib.axes import Axes
    from matplotlib.tri import Triangulation

INK, MUTED, FAINT = "#22272e", "#6b737c", "#c9ced4"
COLOURS = ("#1f6fb2", "#d1622b", "#2e8b68", "#a04a8c", "#8a6d1d", "#5b6770")
MARKERS = ("o", "s", "^", "D", "v", "P")
LINE_STYLES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (8, 3)))

# A method looks the same in every figure of the book: its colour, and its dash for grey print.
METHODS = {
    "Gumbel-Softmax": (COLOURS[0], LINE_STYLES[0]),
    "straight-through": (COLOURS[1], LINE_STYLES[1]),
    "ST": (COLOURS[1], LINE_STYLES[1]),
    "ReinMax": (COLOURS[2], LINE_STYLES[2]),
    "RLOO": (COLOURS[3], LINE_STYLES[3]),
    "Gumbel-Rao": (COLOURS[4], LINE_STYLES[4]),
    "mean field": (COLOURS[5], LINE_STYLES[5]),
    "REINFORCE": (INK, (0, (1, 1))),
    "ST Gumbel-Softmax": ("#5a9bd0", (0, (3, 1, 1, 1))),
    "ST Gumbel-S.": ("#5a9bd0", (0, (3, 1, 1, 1))),
    "sum over classes": (INK, "-"),
    "exact gradient": (INK, (0, (9, 2))),
    "REBAR": ("#b3405f", (0, (6, 1, 1, 1))),
    "double control variates": ("#7a8b2e", (0, (4, 2))),
    "RLOO of paths": ("#c98bbd", (0, (2, 1))),
    "MVE": ("#0f8f9f", (0, (10, 1, 2, 1))),
    "ZGR": ("#5b54c4", (0, (5, 1))),
    # Chapter 1: the score function's estimate is REINFORCE.
    "score": (INK, (0, (1, 1))),
    "with baseline": (COLOURS[3], LINE_STYLES[3]),
    "pathwise": (COLOURS[0], LINE_STYLES[0]),
    # Samplers, which share no figure with estimators.
    "Gumbel-Max": (COLOURS[0], LINE_STYLES[0]),
    "inverse CDF": (COLOURS[1], LINE_STYLES[1]),
    "alias table": (COLOURS[2], LINE_STYLES[2]),
    "torch.multinomial": (COLOURS[3], LINE_STYLES[3]),
    "F.gumbel_softmax": (COLOURS[4], LINE_STYLES[4]),
    "gumbel-max": (COLOURS[0], LINE_STYLES[0]),
    "gumbel_softmax": (COLOURS[0], LINE_STYLES[0]),
    "inverse-cdf": (COLOURS[1], LINE_STYLES[1]),
    "JAX": (COLOURS[2], LINE_STYLES[2]),
    "compiled F.gumbel_softmax": (COLOURS[5], LINE_STYLES[5]),
    "Pyro's straight-through": (COLOURS[3], LINE_STYLES[3]),
    # The floor.
    "softmax": (INK, (0, (1, 1))),
}

STYLE = {
    # Sharp on a screen of two pixels a point.
    "figure.dpi": 200,
    "figure.constrained_layout.use": True,
    "figure.facecolor": "white",
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.prop_cycle": plt.cycler(color=COLOURS),
    "font.family": "cmr10",
    # At this size the labels of a picture as wide as the text are nine pixels high on a phone.
    "font.size": 12,
    "axes.formatter.use_mathtext": True,
    "lines.linewidth": 2,
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "legend.frameon": False,
    "mathtext.fontset": "cm",
    "savefig.bbox": "tight",
}

# The triangle of three categories, first corner on top: the simplex as it is drawn in the book.
CORNERS = np.array([[0.5, np.sqrt(3) / 2], [0.0, 0.0], [1.0, 0.0]])


def use_style() -> None:
    """Set the book's style for the figures to come."""
    plt.rcParams.update(STYLE)


def curves(
    ax: Axes, x: ArrayLike, ys: Mapping[str, ArrayLike], *, labelled: bool = True
) -> Axes:
    """Draw one named line per entry over x, labelled at its right end.

    Args:
        ax: where to draw.
        x: shape ``(n,)``.
        ys: names and values of shape ``(n,)``, at most six that end in no method's name.
        labelled: whether to name the lines at their ends, for names that do not collide there.

    Returns:
        The axes.

    Raises:
        ValueError: more lines than there are styles.
    """
    looks = _looks(ys, "ys")
    x = np.asarray(x)
    for name, y in ys.items():
        y = np.asarray(y)
        colour, style = looks[name]
        ax.plot(x, y, color=colour, linestyle=style, label=name)
        if labelled:
            ax.annotate(
                f" {name}",
                (x[-1], y[-1]),
                color=colour,
                va="center",
                annotation_clip=False,
            )
    return ax


def quartiles(ax: Axes, x: ArrayLike, ys: Mapping[str, ArrayLike]) -> Axes:
    """Draw a median over x for each entry as :func:`curves` does, unlabelled, in the band of its quartiles.

    Args:
        ax: where to draw.
        x: shape ``(n,)``.
        ys: names and values of shape ``(n, 3)``: lower quartile, median, upper quartile.

    Returns:
        The axes.

    Raises:
        ValueError: as :func:`curves`.
    """
    bands = {name: np.asarray(y) for name, y in ys.items()}
    medians = {name: band[:, 1] for name, band in bands.items()}
    curves(ax, x, medians, labelled=False)
    for line, band in zip(ax.lines[-len(bands) :], bands.values(), strict=True):
        colour = line.get_color()
        ax.fill_between(x, band[:, 0], band[:, 2], color=colour, alpha=0.15, lw=0)
    return ax


def plane(
    ax: Axes,
    paths: Mapping[str, tuple[ArrayLike, ArrayLike]],
    points: Mapping[str, tuple[float, float]],
    *,
    labelled: bool = True,
    below: bool = False,
) -> Axes:
    """Draw paths through the plane, a marker at each stop, and single points with their names.

    Args:
        ax: where to draw.
        paths: names and pairs (x, y) of shape ``(n,)``, at most six that end in no method's name.
        points: names and pairs (x, y).
        labelled: whether to name the points beside them, and not in the legend.
        below: whether their names stand under them, where a path runs close above.

    Returns:
        The axes.

    Raises:
        ValueError: more paths than there are styles.
    """
    looks = _looks(paths, "paths")
    for name, (x, y) in paths.items():
        colour, style = looks[name]
        ax.plot(
            x, y, color=colour, linestyle=style, marker="o", markersize=3, label=name
        )
    for name, (x, y) in points.items():
        colour, _ = method_look(name) or (INK, "-")
        label = None if labelled else name
        ax.plot(x, y, "D", color=colour, markersize=4, label=label)
        if labelled:
            away, side = ((0, -13), "center") if below else ((5, 3), "left")
            ax.annotate(name, (x, y), away, textcoords="offset points", ha=side)
    return ax


def method_look(name: str) -> tuple[str, Any] | None:
    """Return the colour and the dash of the method whose name ends a label, and None where none does.

    What follows a comma, as the number of samples, changes nothing.

    Examples:
        >>> method_look("trained by RLOO, 4 samples") == METHODS["RLOO"]
        True
    """
    label = name.replace(r"$\_$", "_").partition(",")[0]
    ends = [method for method in METHODS if label.endswith(method)]
    return METHODS[max(ends, key=len)] if ends else None


def _looks(lines: Mapping[str, Any], kind: str) -> dict[str, tuple[str, Any]]:
    """Give every line its look: a method its own, the others in order what the methods leave."""
    looks = {name: look for name in lines if (look := method_look(name))}
    others = [name for name in lines if name not in looks]
    _check_lines(dict.fromkeys(others), kind)
    taken = {colour for colour, _ in looks.values()}
    styles = list(zip(COLOURS, LINE_STYLES, strict=True))
    free = [style for style in styles if style[0] not in taken]
    used = [style for style in styles if style[0] in taken]
    return looks | dict(zip(others, free + used, strict=False))


def _check_lines(lines: Mapping[str, Any], name: str) -> None:
    if len(lines) > len(LINE_STYLES):
        most = f"at most {len(LINE_STYLES)} lines"
        raise ValueError(f"{name} must hold {most}, got {len(lines)}")


def steps(ax: Axes, x: ArrayLike, ys: ArrayLike, mean: ArrayLike) -> Axes:
    """Draw functions of x faintly, shape ``(m, n)``, and their mean, shape ``(n,)``, on top."""
    for y in np.asarray(ys):
        # A riser stands upright, however far apart the values of x are.
        look = {"color": MUTED, "linewidth": 0.8, "alpha": 0.45}
        ax.plot(x, y, drawstyle="steps-post", **look)
    ax.plot(x, mean, color=COLOURS[1], linewidth=2.5)
    return ax


def histogram(
    ax: Axes,
    samples: ArrayLike,
    x: ArrayLike,
    density: ArrayLike,
    *,
    outlined: ArrayLike = (),
    bins: int = 80,
) -> Axes:
    """Draw the histogram of samples over the range of x, and a density on top.

    The bars hold the shares of all samples, those outside the range included, as the density does.
    Samples that should have the same law may be drawn as an outline of the same bins.
    """
    x = np.asarray(x)
    edges = np.linspace(x[0], x[-1], bins + 1)
    ax.hist(samples, edges, weights=_shares(samples, edges), color=FAINT)
    if np.size(outlined):
        look = {"histtype": "step", "color": COLOURS[0]}
        ax.hist(outlined, edges, weights=_shares(outlined, edges), **look)
    ax.plot(x, density, color=COLOURS[1])
    return _no_left_axis(ax)


def _shares(samples: ArrayLike, edges: np.ndarray) -> np.ndarray:
    """Return weights by which the area of a bar is its share of all samples."""
    return np.full(np.shape(samples), 1 / (np.size(samples) * (edges[1] - edges[0])))


def two_histograms(
    ax: Axes,
    shaded: ArrayLike,
    outlined: ArrayLike,
    *,
    low: float,
    high: float,
    bins: int = 50,
) -> Axes:
    """Draw two samples that should agree: one as a shaded histogram, one as an outline."""
    edges = np.linspace(low, high, bins + 1)
    ax.hist(np.asarray(shaded), bins=edges, density=True, color=FAINT)
    ax.hist(
        np.asarray(outlined),
        bins=edges,
        density=True,
        histtype="step",
        color=COLOURS[1],
        linewidth=1.5,
    )
    return _no_left_axis(ax)


def perturbed(ax: Axes, logits: ArrayLike, noise: ArrayLike) -> Axes:
    """Draw logits as dashes and lift each by its noise; the highest of every draw is filled.

    Args:
        ax: where to draw.
        logits: shape ``(K,)`` with at most six categories.
        noise: one row per draw, shape ``(n, K)``.
    """
    values = np.asarray(logits) + np.asarray(noise)
    for draw, row in enumerate(values, start=1):
        for category, (logit, value) in enumerate(
            zip(np.asarray(logits), row, strict=True)
        ):
            place, colour = draw + _shift(category, len(row)), COLOURS[category]
            ax.plot(place, logit, "_", color=colour, markersize=8)
            ax.plot([place, place], [logit, value], color=colour, linewidth=1)
            _mark(ax, place, value, category, filled=category == row.argmax())
    ax.set_xticks(range(1, len(values) + 1))
    return ax


def race(ax: Axes, times: ArrayLike) -> Axes:
    """Draw a lane from the start to each arrival; the first arrival of every draw is filled.

    Args:
        ax: where to draw.
        times: one row per draw, shape ``(n, K)`` with at most six categories, read from the top.
    """
    times = np.asarray(times)
    for draw, row in enumerate(times, start=1):
        for category, time in enumerate(row):
            lane, colour = draw + _shift(category, len(row)), COLOURS[category]
            ax.plot([0, time], [lane, lane], color=colour, linewidth=1)
            _mark(ax, time, lane, category, filled=category == row.argmin())
    ax.set_yticks(range(1, len(times) + 1))
    ax.set_xlim(left=0)
    ax.invert_yaxis()
    return ax


def _shift(category: int, num_categories: int) -> float:
    """Return the place of a category within the unit that belongs to its draw."""
    return 0.25 * (category - (num_categories - 1) / 2)


def _mark(ax: Axes, x: float, y: float, category: int, *, filled: bool) -> None:
    colour = COLOURS[category]
    ax.plot(
        x,
        y,
        MARKERS[category],
        color=colour,
        markerfacecolor=colour if filled else "white",
        markersize=7 if filled else 5,
        markeredgewidth=1,
        clip_on=False,
    )


def _no_left_axis(ax: Axes) -> Axes:
    # The height of a density is fixed by its area, but for the logarithms of a tail.
    if ax.get_yscale() != "log":
        ax.set_yticks([])
        ax.spines["left"].set_visible(False)
    return ax


def points_on_lines(ax: Axes, rows: Mapping[str, ArrayLike]) -> Axes:
    """Draw named rows of points on lines of their own, and all of them on one line below.

    The highest point of each line is drawn large, and the points keep the colour of their row.

    Raises:
        ValueError: more rows than there are colours.
    """
    _check_lines(rows, "rows")
    values = [np.asarray(row) for row in rows.values()]
    winner = int(np.argmax([row.max() for row in values]))
    for i, row in enumerate(values):
        for height in (len(values) - i, 0):
            large = height > 0 or i == winner
            sizes = np.where(large & (row == row.max()), 60, 12)
            ax.scatter(row, np.full(row.shape, height), s=sizes, color=COLOURS[i])
    ax.set_yticks(range(len(values), -1, -1), [*rows, "all"])
    ax.set_ylim(-0.6, len(values) + 0.6)
    return ax


def simplex_grid(steps: int) -> np.ndarray:
    """Return points inside the simplex of three categories on a regular grid, shape ``(n, 3)``."""
    first, second = np.meshgrid(np.arange(steps), np.arange(steps))
    inside = first + second < steps
    corners = np.stack([first, second, steps - 1 - first - second], axis=-1)[inside]
    # Two thirds of a cell away from the edges, where a density may be infinite.
    return (corners + 2 / 3) / (steps + 1)


def to_triangle(relaxed: ArrayLike) -> np.ndarray:
    """Return the plane coordinates of points of the simplex, shape ``(..., 3)`` to ``(..., 2)``."""
    return np.asarray(relaxed) @ CORNERS


def triangle(ax: Axes, *, names: Sequence[str] = ("1", "2", "3")) -> Axes:
    """Draw the edges of the simplex of three categories and name its corners."""
    ax.plot(*np.vstack([CORNERS, CORNERS[:1]]).T, color=MUTED, linewidth=1)
    for (x, y), name, shift in zip(
        CORNERS, names, ((0, 7), (-2, -8), (2, -8)), strict=True
    ):
        ax.annotate(
            name,
            (x, y),
            xytext=shift,
            textcoords="offset points",
            ha="center",
            va="center",
        )
    ax.set_aspect("equal")
    ax.set_axis_off()
    ax.set_xlim(-0.08, 1.08)
    ax.set_ylim(-0.09, 0.98)
    return ax


def simplex_samples(ax: Axes, relaxed: ArrayLike, index: ArrayLike) -> Axes:
    """Draw relaxed samples, shape ``(n, 3)``, each in the colour of its category."""
    points = to_triangle(relaxed)
    colours = np.asarray(COLOURS[:3])[np.asarray(index)]
    triangle(ax)
    ax.scatter(*points.T, s=5, c=colours, alpha=0.55, linewidths=0, clip_on=False)
    return ax


def simplex_density(
    ax: Axes, relaxed: ArrayLike, values: ArrayLike, **limits: float
) -> Axes:
    """Shade values at points of the simplex, shape ``(n, 3)`` and ``(n,)``, dark where large."""
    grid = Triangulation(*to_triangle(relaxed).T)
    triangle(ax)
    ax.tripcolor(grid, np.asarray(values), shading="gouraud", cmap="Blues", **limits)
    return ax


def temperature_rows(
    axes: np.ndarray, columns: Mapping[str, tuple[ArrayLike, ArrayLike]]
) -> np.ndarray:
    """Draw one column per name: bars of the expectation in the upper row, of one sample below.

    Args:
        axes: shape ``(2, len(columns))``.
        columns: names and pairs (expectation, sample), each of shape ``(K,)``.

    Returns:
        The axes.
    """
    for column, (name, pair) in zip(axes.T, columns.items(), strict=True):
        for ax, values, colour in zip(column, pair, COLOURS, strict=False):
            ax.bar(range(len(np.asarray(values))), values, color=colour, width=0.8)
            ax.set_ylim(0, 1)
            ax.set_xticks([])
            ax.set_yticks([])
        column[1].set_xlabel(name)
    for ax, label in zip(axes[:, 0], ("expectation", "one sample"), strict=True):
        ax.set_ylabel(label)
        ax.set_yticks([0, 1])
    return axes


def images(
    ax: Axes, rows: Sequence[Sequence[Any]], *, names: Sequence[str] = ()
) -> Axes:
    """Draw rows of equally sized grey images, dark ink on white, with a name before each row."""
    tiles = np.asarray(rows)
    num_rows, num_columns, height, width = tiles.shape
    padded = np.pad(tiles, ((0, 0), (0, 0), (0, 1), (0, 1)))
    sheet = padded.transpose(0, 2, 1, 3).reshape(
        num_rows * (height + 1), num_columns * (width + 1)
    )
    ax.imshow(sheet, cmap="Greys", vmin=0, vmax=1, interpolation="nearest")
    ax.set_xticks([])
    ax.set_yticks([(height + 1) * i + height / 2 for i in range(len(names))], names)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    return ax


def flow(ax: Axes, shares: ArrayLike, currents: ArrayLike, *, largest: float) -> Axes:
    """Draw a flow between the corners of a polygon, numbered from one, discs whose areas are their shares.

    Args:
        ax: where to draw.
        shares: one number per corner, shape ``(n,)``.
        currents: what flows from the row's corner to the column's, antisymmetric, shape ``(n, n)``.
        largest: the current of the widest arrow; the others are as wide as they are large.

    Returns:
        The axes.
    """
    shares, currents = np.asarray(shares), np.asarray(currents)
    turns = np.pi / 2 - 2 * np.pi * np.arange(len(shares)) / len(shares)
    places = np.stack([np.cos(turns), np.sin(turns)], -1)
    for start, end in np.argwhere(currents > 1e-9 * largest):
        ax.annotate(
            "",
            xy=places[end],
            xytext=places[start],
            arrowprops={
                "arrowstyle": "simple",
                "shrinkA": 12,
                "shrinkB": 15,
                "mutation_scale": 3 + 27 * currents[start, end] / largest,
                "facecolor": COLOURS[0],
                "edgecolor": "none",
            },
        )
    ax.scatter(*places.T, s=1800 * shares, color=FAINT, zorder=3)
    for number, place in enumerate(places, 1):
        ax.annotate(f"{number}", place, ha="center", va="center", zorder=4)
    ax.set_aspect("equal")
    ax.set_axis_off()
    ax.set(xlim=(-1.4, 1.4), ylim=(-1.4, 1.4))
    return ax
