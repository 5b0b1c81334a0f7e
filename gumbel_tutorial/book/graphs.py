"""The picture of a computation: what is drawn, what is computed, and where a derivative passes back."""

from collections.abc import Mapping, Sequence
from typing import Any

from gumbel_tutorial.book import plots
from gumbel_tutorial.checks import needing

with needing(__name__, "plots"):
    from matplotlib.axes import Axes
    from matplotlib.text import Annotation

# Dashed, so that grey print keeps the two kinds of arrows apart.
_FORWARD = {"arrowstyle": "-|>", "color": plots.MUTED}
_BACK = {"arrowstyle": "-|>", "color": plots.COLOURS[1], "linestyle": (0, (4, 2))}
# How far the arc of a derivative bends, in lengths of the way: it leaves a node by its lower side.
_BEND = -0.6


def graph(
    ax: Axes,
    places: Mapping[str, tuple[float, float]],
    arrows: Sequence[tuple[str, str]],
    *,
    random: Sequence[str] = (),
    slopes: Sequence[tuple[str, str]] = (),
    blocked: Sequence[tuple[str, str]] = (),
) -> Axes:
    """Draw a computation: random nodes round, computed ones square, and the way of a derivative back.

    Args:
        ax: where to draw.
        places: the names of the nodes, which are their labels, and where they stand.
        arrows: pairs (from, to) of the forward computation.
        random: the names of the nodes that are drawn from a law.
        slopes: pairs (from, to) along which a derivative passes, against the arrows.
        blocked: pairs (from, to) along which it cannot, marked with a cross.

    Returns:
        The axes, without frame and of equal scale.

    Raises:
        KeyError: a pair or a random node without a place.
    """
    rounded = {places[name] for name in random}
    nodes = {}
    for name, place in places.items():
        face, shape = (
            (plots.FAINT, "circle,pad=0.35")
            if place in rounded
            else ("white", "square,pad=0.4")
        )
        box = {"boxstyle": shape, "facecolor": face, "edgecolor": plots.INK}
        nodes[name] = ax.annotate(name, place, ha="center", va="center", bbox=box)
    for start, end in arrows:
        _arrow(ax, nodes[start], nodes[end], _FORWARD, 0)
    for start, end in (*slopes, *blocked):
        _arrow(ax, nodes[start], nodes[end], _BACK, _BEND)
    for start, end in blocked:
        # The top of the arc that the arrow follows: matplotlib's control point, at half its height.
        (x, y), (x_end, y_end) = places[start], places[end]
        middle = (x + x_end) / 2, (y + y_end) / 2
        rise = _BEND / 2
        top = middle[0] + rise * (y_end - y), middle[1] - rise * (x_end - x)
        ax.plot(*top, "x", color=plots.COLOURS[1], markersize=9, markeredgewidth=2)
    return _bare(ax, places)


def _arrow(
    ax: Axes,
    start: Annotation,
    end: Annotation,
    look: dict[str, Any],
    bend: float,
) -> None:
    style = {
        **look,
        "connectionstyle": f"arc3,rad={bend}",
        # From edge to edge, whatever the size of the nodes; the points are of the gap.
        "patchA": start.get_bbox_patch(),
        "patchB": end.get_bbox_patch(),
        "shrinkA": 3,
        "shrinkB": 3,
    }
    ax.annotate("", end.xy, start.xy, arrowprops=style)


def _bare(ax: Axes, places: Mapping[str, tuple[float, float]]) -> Axes:
    xs, ys = zip(*places.values(), strict=True)
    ax.set(xlim=(min(xs) - 0.4, max(xs) + 0.4), ylim=(min(ys) - 0.6, max(ys) + 0.3))
    ax.set_aspect("equal")
    ax.set_axis_off()
    return ax
