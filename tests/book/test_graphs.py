"""The picture of a computation: nodes in their places, arrows between them, what is blocked crossed out."""

import numpy as np
import pytest

from gumbel_tutorial.book import graphs

PLACES = {"a": (0, 0), "b": (1, 0), "c": (1, 1)}


def arrows(ax):
    return [(text.xyann, text.xy) for text in ax.texts if text.arrow_patch is not None]


def test_every_node_stands_in_its_place_round_if_it_is_random(ax):
    graphs.graph(ax, PLACES, [], random=["c"])
    assert {text.get_text(): text.xy for text in ax.texts} == PLACES
    shapes = {
        text.get_text(): type(text.get_bbox_patch().get_boxstyle()).__name__
        for text in ax.texts
    }
    assert shapes == {"a": "Square", "b": "Square", "c": "Circle"}


def test_arrows_lead_from_start_to_end_and_slopes_back(ax):
    graphs.graph(ax, PLACES, [("a", "b"), ("c", "b")], slopes=[("b", "a")])
    a, b, c = PLACES.values()
    assert arrows(ax) == [(a, b), (c, b), (b, a)]
    assert not ax.lines


def test_an_arrow_leads_from_edge_to_edge_whatever_the_size_of_the_nodes(ax):
    graphs.graph(ax, {"a": (0, 0), "a wide one": (3, 0)}, [("a", "a wide one")])
    ax.figure.canvas.draw()
    *boxes, arrow = (
        (text.arrow_patch or text.get_bbox_patch()).get_window_extent()
        for text in ax.texts
    )
    gaps = np.array([arrow.x0 - boxes[0].x1, boxes[1].x0 - arrow.x1])
    # In points; the head is drawn with a line and stops short of its tip.
    np.testing.assert_allclose(gaps * 72 / ax.figure.dpi, 3, atol=2)


def test_what_is_blocked_is_crossed_out_between_its_ends(ax):
    graphs.graph(ax, PLACES, [("a", "b")], blocked=[("b", "a")])
    (cross,) = ax.lines
    assert cross.get_marker() == "x"
    np.testing.assert_allclose(cross.get_xydata(), [[0.5, -0.3]])


def test_a_node_without_a_place_is_refused(ax):
    with pytest.raises(KeyError, match="d"):
        graphs.graph(ax, PLACES, [("a", "d")])
    with pytest.raises(KeyError, match="d"):
        graphs.graph(ax, PLACES, [], random=["d"])
