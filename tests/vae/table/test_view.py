"""The recorded table: all of it counts, whatever settings a later version adds, and its numbers stay."""

from dataclasses import dataclass

import pytest

from gumbel_tutorial.book import statistics
from gumbel_tutorial.book.records import RECORDED
from gumbel_tutorial.vae import table
from gumbel_tutorial.vae.runs import config
from gumbel_tutorial.vae.table import tasks


@pytest.fixture(scope="module")
def runs():
    return table.read(RECORDED / "vae_table")


def count(runs):
    return sum(len(table.current_runs(runs, name)) for name in table.COLUMNS)


def test_all_recorded_runs_are_current(runs):
    assert count(runs) == len(runs) > 0


def test_recorded_runs_stay_current_when_a_setting_is_added(runs, monkeypatch):
    @dataclass(frozen=True)
    class Later(config.Config):
        weight_decay: float = 0.0

    monkeypatch.setattr(config, "Config", Later)
    monkeypatch.setattr(tasks, "Config", Later)
    config._hints.cache_clear()
    assert "weight_decay" in table.Job("VAE (Cat.)", "RLOO", 1e-3, 0).config().as_json()
    assert count(runs) == len(runs)
    monkeypatch.undo()
    config._hints.cache_clear()


def test_no_two_rows_of_a_task_are_the_same_run(runs):
    for name in table.COLUMNS:
        curves = [tuple(run["curve"]) for run in table.current_runs(runs, name)]
        assert len(curves) == len(set(curves)) > 0


# Means over seeds by the thousand-code bound, as chapter 7 prints them; and of classes, as chapter 8 does.
QUOTED = {
    "VAE (Cat.)": {
        "DARN": 112.34,
        "Gumbel-Rao": 104.07,
        "Gumbel-Softmax": 104.14,
        "MuProp": 109.89,
        "RLOO": 106.97,
        "ReinMax": 106.65,
        "SF": 112.14,
        "ST Gumbel-Softmax": 104.7,
        "ST": 109.54,
        "Slope-Annealed ST": 115.72,
    },
    "VAE (Cat., 200 hidden)": {"Gumbel-Softmax": 97.66},
    "SBN (Cat.)": {
        "DARN": 68.18,
        "Gumbel-Rao": 60.57,
        "Gumbel-Softmax": 58.27,
        "MuProp": 68.9,
        "RLOO": 68.26,
        "ReinMax": 63.48,
        "SF": 76.19,
        "ST Gumbel-Softmax": 61.12,
        "ST": 61.13,
        "Slope-Annealed ST": 61.72,
    },
    "SBN (Bern.)": {
        "DARN": 63.25,
        "Gumbel-Rao": 60.84,
        "Gumbel-Softmax": 59.12,
        "MuProp": 69.48,
        "RLOO": 69.5,
        "ReinMax": 63.28,
        "SF": 85.21,
        "ST Gumbel-Softmax": 61.17,
        "ST": 60.77,
        "Slope-Annealed ST": 61.0,
    },
    "VAE (Bern.)": {
        "DARN": 113.6,
        "Gumbel-Rao": 114.44,
        "Gumbel-Softmax": 111.01,
        "MuProp": 119.34,
        "RLOO": 116.4,
        "ReinMax": 113.62,
        "SF": 121.71,
        "ST Gumbel-Softmax": 114.62,
        "ST": 117.77,
        "Slope-Annealed ST": 118.27,
    },
    "Semi-supervised": {
        "Gumbel-Softmax": 93.8,
        "Marginalization": 94.19,
        "RLOO": 93.98,
        "ST Gumbel-Softmax": 93.96,
    },
}


@pytest.mark.parametrize("column", QUOTED)
def test_the_numbers_that_the_chapters_quote_are_those_of_the_record(column, runs):
    found = table.averages(table.collect(runs, column, table.multi_sample))
    assert {row: round(mean, 2) for row, mean in found.items()} == QUOTED[column]
    seeds = table.collect(runs, column, table.one_sample)
    assert {len(numbers) for numbers in seeds.values()} == {3}


def test_the_share_of_right_classes_is_that_of_the_record(runs):
    found = table.averages(table.collect(runs, "Semi-supervised", table.percent_right))
    assert {row: round(mean, 2) for row, mean in found.items()} == {
        "Gumbel-Softmax": 88.06,
        "Marginalization": 90.6,
        "RLOO": 90.01,
        "ST Gumbel-Softmax": 87.98,
    }


def test_the_task_of_ten_seeds_has_them_all_at_one_weight(runs):
    task = table.COLUMNS["100 labels"]
    seeds = table.collect(runs, "100 labels", lambda run: run["seed"])
    assert seeds == {row: [*range(2, 12)] for row in task.rows}
    assert {table.best_choice(runs, "100 labels", row) for row in task.rows} == {
        (3e-3, 10.0)
    }
    cost = table.averages(table.collect(runs, "100 labels", table.decodings))
    assert {cost[row] for row in ("MVE", "Gumbel-Softmax")} == {1.0}
    assert (cost["RLOO"], cost["Marginalization"]) == (2.0, 10.0)
    assert 1 < cost["Sparse marginalization"] < 2
    right = table.averages(table.collect(runs, "100 labels", table.percent_right))
    assert sorted(right, key=right.get)[-2:] == [
        "Sparse marginalization",
        "Marginalization",
    ]
    lines, header = table.compare_classes(runs, "100 labels")
    assert [line[0] for line in lines] == [*task.rows, "labels alone"]
    assert {len(line) for line in lines} == {len(header)}
    by_row = {line[0]: line for line in lines}
    assert by_row["RLOO"][1:3] == ["10", "2.00"]
    assert by_row["labels alone"][1:3] == ["", ""]
    assert by_row["Marginalization"][4] == ""


def test_a_run_of_another_configuration_does_not_count(runs):
    other = [{**run, "config": {**run["config"], "steps": 7}} for run in runs]
    assert count(other) == 0
    assert table.best_rate(other, "VAE (Cat.)", "RLOO") is None
    assert table.collect(other, "VAE (Cat.)", table.multi_sample) == {}


def test_the_published_numbers_are_in_their_rows():
    assert table.PUBLISHED["VAE (Cat.)"]["Gumbel-Softmax"] == 101.5
    assert table.PUBLISHED["SBN (Bern.)"]["SF"] == 72.0
    assert table.PUBLISHED_CLASSES["ST Gumbel-Softmax"] == (110.7, 93.6)
    for column in table.PUBLISHED:
        assert set(table.PUBLISHED[column]) <= set(table.COLUMNS[column].rows)


def test_passes_are_those_over_the_training_images():
    assert {name: table.passes(name) for name in table.PUBLISHED} == {
        "SBN (Bern.)": 20,
        "SBN (Cat.)": 20,
        "VAE (Bern.)": 10,
        "VAE (Cat.)": 80,
    }
    run = {"column": "VAE (Bern.)", "curve": [*range(20, 0, -1)]}
    assert table.late_fall(run) == 2  # one nat in half a pass


def test_the_published_task_with_classes_has_both_numbers_beside_the_published(runs):
    rows, header = table.compare_published(runs)
    by_name = {row[0]: dict(zip(header, row, strict=True)) for row in rows}
    assert list(by_name) == list(table.COLUMNS["Semi-supervised"].rows)
    assert by_name["Marginalization"]["right of 100"].startswith("90.6 ± ")
    assert by_name["Marginalization"]["their right"] == "92.6"
    assert by_name["Gumbel-Softmax"]["their bound"] == "109.6"
    assert by_name["RLOO"]["their bound"] == by_name["RLOO"]["their right"] == ""


def test_rows_are_behind_seed_by_seed():
    found = {"a": [3.0, 5.0], "b": [2.0, 6.0], "c": [3.0, 1.0]}
    assert table.behind(found, "a") == {"b": [1.0, -1.0], "c": [0.0, 4.0]}
    with pytest.raises(ValueError, match="zip"):
        table.behind({**found, "b": [2.0]}, "a")


def test_what_one_interval_tells_apart_several_at_once_may_not():
    lost = {"a": [1.0, 1.1, 0.9], "b": [-2.0, -2.1, -1.9], "c": [1.0, -1.0, 0.1]}
    assert table.told_apart(lost) == {"a", "b"}
    close = [1.0, 2.0, 1.5]  # 5.2 standard errors from zero, two degrees of freedom
    assert table.told_apart({"a": close}) == {"a"}
    assert table.told_apart({**lost, "a": close}) == {"b"}


def test_intervals_at_once_are_each_wider():
    assert table.at_once(1) == 0.95
    assert table.at_once(5) == 0.99


def test_rows_lead_that_are_not_told_from_the_best():
    found = {"a": [1.0, 2.0, 3.5], "b": [1.2, 2.4, 3.4], "c": [5.0, 6.0, 7.2]}
    assert table.leading(found) == ["a", "b"]
    assert table.leading({**found, "b": [3.0, 4.0, 5.0]}) == ["a"]


def test_the_gain_of_the_larger_rate_is_that_of_the_first_seed(runs):
    gains = table.rate_gains(runs, "VAE (Cat.)")
    assert set(gains) == set(table.COLUMNS["VAE (Cat.)"].rows)
    for row, gain in gains.items():
        larger = table.best_rate(runs, "VAE (Cat.)", row) == 3e-3
        assert (gain > 0) == larger


def test_a_table_has_every_row_beside_the_published_and_what_tells_rows_apart(runs):
    rows, header = table.compare(runs, "SBN (Bern.)", "SBN (Cat.)")
    assert [len(row) for row in rows] == [len(header)] * (10 + 1) == [5] * 11
    assert [row[0] for row in rows[:-1]] == list(table.COLUMNS["SBN (Cat.)"].rows)
    by_name = {row[0]: dict(zip(header, row, strict=True)) for row in rows}
    assert by_name["Gumbel-Softmax"]["SBN (Cat.), a thousand"] == "(59.0) 58.3"
    assert by_name["RLOO"]["SBN (Cat.), one"] == "78.7"
    numbers = [*table.collect(runs, "SBN (Cat.)", table.one_sample).values()]
    shown = float(by_name["told apart from"]["SBN (Cat.), one"])
    assert 0 <= shown - statistics.honest_difference(numbers) < 0.1


def test_the_table_of_grey_pixels_has_an_interval_where_there_are_runs(runs):
    rows, header = table.compare_grey(runs)
    tasks = table.PUBLISHED_GREY
    assert header[1::2] == ["128 × 4", "32 × 16", "8 × 64"]
    assert [len(row) for row in rows] == [len(header)] * (5 + 1)
    by_name = {row[0]: dict(zip(header, row, strict=True)) for row in rows}
    for task, short in zip(tasks, header[1::2], strict=True):
        found = table.complete(table.collect(runs, task, table.grey_loss))
        assert set(found) >= {"MVE", "ZGR", "ReinMax (1.2)", "ST"}
        assert set(map(len, found.values())) == {3}
        for row, number in tasks[task].items():
            shown = f" {statistics.interval(found[row])}" if row in found else ""
            assert by_name[row][short] == f"({number}){shown}"
        shown = float(by_name["told apart from"][short])
        assert 0 <= shown - statistics.honest_difference([*found.values()]) < 0.1


def test_the_seeds_are_complete_that_every_row_has():
    found = {"a": [1.0, 2.0], "b": [3.0], "c": [4.0, 5.0]}
    assert table.complete(found) == {"a": [1.0], "b": [3.0], "c": [4.0]}


def test_the_reference_of_darn_is_one_half_for_bits_and_its_own_for_categories():
    options = {
        column: table.Job(column, "DARN", 1e-3, 0).config().options
        for column in table.PUBLISHED
    }
    bits, categories = {"reference": 0.5}, {}
    assert options == {
        "SBN (Bern.)": bits,
        "VAE (Bern.)": bits,
        "SBN (Cat.)": categories,
        "VAE (Cat.)": categories,
    }
