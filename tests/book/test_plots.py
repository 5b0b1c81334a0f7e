"""The pictures: what is drawn equals what was given."""

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest

from gumbel_tutorial.book import plots


def heights(ax):
    return [patch.get_height() for patch in ax.patches]


def test_curves_draw_their_values_and_name_each_line(ax):
    x = np.arange(5)
    plots.curves(ax, x, {"a": x**2, "b": -x})
    for line, expected in zip(ax.lines, (x**2, -x), strict=True):
        np.testing.assert_array_equal(line.get_ydata(), expected)
    assert [text.get_text().strip() for text in ax.texts] == ["a", "b"]
    assert len({line.get_linestyle() for line in ax.lines}) == 2


def test_curves_may_leave_the_names_to_a_legend(ax):
    plots.curves(ax, [0, 1], {"a": [0, 1]}, labelled=False)
    assert not ax.texts
    assert ax.get_legend_handles_labels()[1] == ["a"]


def test_steps_draw_every_path_and_their_mean_on_top(ax):
    paths = np.array([[0, 1.0], [0, 0.0]])
    plots.steps(ax, [0, 1], paths, paths.mean(0))
    drawn = [line.get_ydata().tolist() for line in ax.lines]
    assert drawn == [[0, 1], [0, 0], [0, 0.5]]


def test_a_histogram_integrates_to_one_and_carries_its_density(ax, rng):
    x = np.linspace(-6, 6, 50)
    density = np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi)
    plots.histogram(ax, rng.standard_normal(10_000), x, density)
    area = sum(patch.get_height() * patch.get_width() for patch in ax.patches)
    assert area == pytest.approx(1)
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), density)


def test_a_histogram_counts_the_samples_outside_its_window(ax):
    plots.histogram(ax, [0.5, 1.5, 7.0, 8.0], [0.0, 2.0], [0.0, 0.0], bins=2)
    assert heights(ax) == [0.25, 0.25]


def test_an_outline_of_the_same_law_is_as_high_as_the_bars(ax):
    samples, x, density = [0.5, 1.5, 7.0, 8.0], [0.0, 2.0], [0.0, 0.0]
    plots.histogram(ax, samples, x, density, outlined=[1.5, 9.0], bins=2)
    *bars, outline = ax.patches
    assert [bar.get_height() for bar in bars] == [0.25, 0.25]
    assert outline.get_xy()[:, 1].max() == 0.5


def test_a_density_has_a_left_axis_where_its_logarithm_is_shown(ax):
    for scale, shown in (("log", True), ("linear", False)):
        ax.set_yscale(scale)
        plots.histogram(ax, [0.5, 1.5], [0.0, 2.0], [0.5, 0.5], bins=2)
        assert ax.spines["left"].get_visible() is shown
        assert bool(len(ax.get_yticks())) is shown


def test_two_histograms_share_their_bins(ax, rng):
    plots.two_histograms(ax, rng.random(1000), rng.random(1000), low=0, high=1, bins=10)
    bars, outline = ax.patches[:-1], ax.patches[-1]
    assert len(bars) == 10
    assert {0.0, 1.0} <= set(outline.get_xy()[:, 0])


def markers(ax):
    """Return the single points of a picture that are markers, and which of them are filled."""
    points = [
        line
        for line in ax.lines
        if len(line.get_xdata()) == 1 and line.get_marker() != "_"
    ]
    filled = [point.get_markerfacecolor() != "white" for point in points]
    return [point.get_xydata()[0] for point in points], filled


def test_every_logit_is_lifted_by_its_noise_and_the_highest_is_filled(ax):
    logits, noise = np.array([2.0, 1.0, 0.0]), np.array([[0.5, -1.0, 1.0], [0, 2, 0]])
    plots.perturbed(ax, logits, noise)
    points, filled = markers(ax)
    heights = [y for _, y in points]
    np.testing.assert_allclose(np.reshape(heights, (2, 3)), logits + noise)
    assert filled == [True, False, False, False, True, False]
    dashes = [line.get_ydata()[0] for line in ax.lines if line.get_marker() == "_"]
    assert dashes == [2.0, 1.0, 0.0] * 2
    assert [round(x) for x, _ in points] == [1, 1, 1, 2, 2, 2]


def test_a_race_is_won_by_the_first_arrival_and_read_from_the_top(ax):
    times = np.array([[0.5, 0.2, 3.0], [1.0, 2.0, 0.1]])
    plots.race(ax, times)
    points, filled = markers(ax)
    arrivals = [x for x, _ in points]
    np.testing.assert_allclose(np.reshape(arrivals, (2, 3)), times)
    assert filled == [False, True, False, False, False, True]
    lanes = [line.get_xdata()[0] for line in ax.lines if len(line.get_xdata()) == 2]
    assert lanes == [0] * 6
    assert ax.yaxis_inverted()


def test_the_triangle_keeps_corners_and_centre():
    np.testing.assert_allclose(plots.to_triangle(np.eye(3)), plots.CORNERS)
    np.testing.assert_allclose(
        plots.to_triangle(np.full(3, 1 / 3)), plots.CORNERS.mean(0)
    )


def test_samples_are_drawn_where_they_are_in_the_colour_of_their_winner(ax, rng):
    relaxed = rng.dirichlet(np.ones(3), 20)
    index = relaxed.argmax(-1)
    plots.simplex_samples(ax, relaxed, index)
    (points,) = ax.collections
    np.testing.assert_allclose(points.get_offsets(), plots.to_triangle(relaxed))
    assert len(np.unique(points.get_facecolors(), axis=0)) == len(set(index))


def test_the_grid_lies_inside_the_simplex_and_fills_it():
    grid = plots.simplex_grid(30)
    assert (grid > 0).all()
    np.testing.assert_allclose(grid.sum(-1), 1)
    assert len(grid) == 30 * 31 / 2
    np.testing.assert_allclose(grid.mean(0), 1 / 3)


def test_a_density_is_shaded_with_its_values(ax):
    grid = plots.simplex_grid(10)
    plots.simplex_density(ax, grid, grid[:, 0], vmin=0, vmax=1)
    np.testing.assert_array_equal(ax.collections[0].get_array(), grid[:, 0])


def test_temperature_rows_put_the_expectation_above_the_sample():
    figure, axes = plt.subplots(2, 2)
    columns = {"a": ([0.5, 0.5], [1, 0]), "b": ([0.4, 0.6], [0, 1])}
    plots.temperature_rows(axes, columns)
    for i, (above, below) in enumerate(columns.values()):
        assert heights(axes[0, i]) == above
        assert heights(axes[1, i]) == below
        assert axes[1, i].get_xlabel() == list(columns)[i]
    plt.close(figure)


def test_images_are_laid_out_in_rows_with_their_names(ax, rng):
    rows = rng.random((2, 3, 4, 4))
    plots.images(ax, rows, names=("first", "second"))
    sheet = np.asarray(ax.images[0].get_array())
    for i in range(2):
        for j in range(3):
            tile = sheet[5 * i : 5 * i + 4, 5 * j : 5 * j + 4]
            np.testing.assert_array_equal(tile, rows[i, j])
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["first", "second"]


def test_more_curves_than_styles_are_refused(ax):
    x = np.arange(3)
    plots.curves(ax, x, {str(i): x + i for i in range(6)})
    assert len({str(line._dash_pattern) for line in ax.lines}) == 6
    with pytest.raises(ValueError, match="ys must hold at most 6 lines, got 7"):
        plots.curves(ax, x, {str(i): x + i for i in range(7)})


def test_the_style_is_set():
    with mpl.rc_context():
        plots.use_style()
        assert mpl.rcParams["lines.linewidth"] == 2


def test_a_plane_holds_paths_and_named_points(ax):
    plots.plane(ax, {"a": ([0, 1], [2, 3])}, {"b": (0.5, 4)})
    drawn = [line.get_xydata().tolist() for line in ax.lines]
    assert drawn == [[[0, 2], [1, 3]], [[0.5, 4]]]
    assert [text.get_text() for text in ax.texts] == ["b"]
    assert ax.get_legend_handles_labels()[1] == ["a"]
    plots.plane(ax, {}, {"c": (1, 4)}, labelled=False)
    assert [text.get_text() for text in ax.texts] == ["b"]
    assert ax.get_legend_handles_labels()[1] == ["a", "c"]
    with pytest.raises(ValueError, match="paths must hold at most 6 lines, got 7"):
        plots.plane(ax, {str(i): ([0], [i]) for i in range(7)}, {})


def test_points_on_lines_come_twice_and_the_highest_of_a_line_is_large(ax):
    rows = {"a": [0.0, 3.0], "b": [1.0, 2.0]}
    plots.points_on_lines(ax, rows)
    drawn = [
        (tuple(dots.get_offsets()[:, 0]), dots.get_offsets()[0, 1], dots.get_sizes())
        for dots in ax.collections
    ]
    assert [(x, y) for x, y, _ in drawn] == [
        ((0, 3), 2),
        ((0, 3), 0),
        ((1, 2), 1),
        ((1, 2), 0),
    ]
    assert [max(sizes) for *_, sizes in drawn] == [60, 60, 60, 12]
    assert [text.get_text() for text in ax.get_yticklabels()] == ["a", "b", "all"]


def looks(ax):
    return [(line.get_color(), str(line._unscaled_dash_pattern)) for line in ax.lines]


def test_a_method_looks_the_same_whatever_is_drawn_beside_it(ax):
    plots.curves(ax, [0, 1], {"RLOO": [0, 1], "other": [1, 2]}, labelled=False)
    plots.plane(ax, {"Gumbel-Rao": ([0], [1]), "RLOO": ([0], [1])}, {"ReinMax": (0, 1)})
    rloo, other, rao, again, point = looks(ax)
    assert rloo == again
    assert len({rloo, other, rao}) == 3
    assert point[0] == plots.METHODS["ReinMax"][0]


def test_quartiles_are_a_median_in_a_band_of_its_colour(ax):
    bands = {"RLOO": [[0, 1, 3], [1, 2, 5]], "ReinMax": [[4, 5, 6], [4, 6, 9]]}
    plots.quartiles(ax, [0, 1], bands)
    for line, area, (name, band) in zip(
        ax.lines, ax.collections, bands.items(), strict=True
    ):
        colour = plots.METHODS[name][0]
        assert line.get_color() == colour
        np.testing.assert_array_equal(line.get_ydata(), np.asarray(band)[:, 1])
        heights = area.get_paths()[0].vertices[:, 1]
        assert (heights.min(), heights.max()) == (np.min(band), np.max(band))
        assert area.get_facecolor()[0, 3] == 0.15


def test_the_method_is_what_a_label_ends_in():
    methods = plots.METHODS
    assert plots.method_look("trained by Gumbel-Softmax") == methods["Gumbel-Softmax"]
    assert plots.method_look("ST Gumbel-Softmax") == methods["ST Gumbel-Softmax"]
    assert plots.method_look(r"F.gumbel$\_$softmax") == methods["F.gumbel_softmax"]
    assert plots.method_look("bound") is None


ESTIMATORS = list(plots.METHODS)[: list(plots.METHODS).index("score")]
SAMPLERS = ["Gumbel-Max", "inverse CDF", "alias table"]
OF_TORCH = ["F.gumbel_softmax", "torch.multinomial"]
DRAWN = ["JAX", "gumbel-max", "inverse-cdf", "softmax", *OF_TORCH]
RELAXED = ["JAX", "gumbel_softmax", "softmax", "compiled F.gumbel_softmax"]
RELAXED += ["Pyro's straight-through", "F.gumbel_softmax"]


@pytest.mark.parametrize("family", [ESTIMATORS, [*SAMPLERS, *OF_TORCH], DRAWN, RELAXED])
def test_methods_that_meet_differ_in_colour_and_in_dash(family):
    short = {"ST", "ST Gumbel-S."}
    chosen = [plots.METHODS[name] for name in family if name not in short]
    assert len({colour for colour, _ in chosen if colour != plots.INK}) == len(
        [1 for colour, _ in chosen if colour != plots.INK]
    )
    assert len({str(look) for look in chosen}) == len(chosen)


def test_a_flow_has_one_arrow_for_each_current_and_one_number_for_each_corner(ax):
    currents = np.array([[0, 2.0, 0], [-2.0, 0, 1.0], [0, -1.0, 0]])
    plots.flow(ax, [0.5, 0.3, 0.2], currents, largest=2.0)
    arrows = [text for text in ax.texts if text.arrow_patch is not None]
    sizes = [arrow.arrow_patch.get_mutation_scale() for arrow in arrows]
    assert sizes == [30, 16.5]
    # From the corner at the top to the next one clockwise.
    np.testing.assert_allclose(arrows[0].xyann, [0, 1], atol=1e-12)
    np.testing.assert_allclose(arrows[0].xy, [3**0.5 / 2, -0.5])
    names = [text.get_text() for text in ax.texts if text.arrow_patch is None]
    assert names == ["1", "2", "3"]
