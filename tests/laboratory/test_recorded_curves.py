"""The record of learning curves: all tasks and prices, nobody above the budget, and what can be run again."""

import pytest
import torch

from gumbel_tutorial import estimators
from gumbel_tutorial.book import records
from gumbel_tutorial.laboratory import (
    TASKS,
    affordable,
    count_evaluations,
    descend,
)

FOUND = records.read("learning_curves")["results"]
PRICES = {1: FOUND["a slope at 1"], 2: FOUND["a slope at 2"]}
NAMES = {
    "REINFORCE": "reinforce",
    "RLOO": "rloo",
    "unordered set": "unordered_set",
    "categorical DisARM": "categorical_disarm",
    "RODEO": "rodeo",
    "REBAR": "rebar",
    "ReinMax": "reinmax",
    "Gumbel-Softmax": "gumbel_softmax",
}


@pytest.mark.parametrize("backward", PRICES)
def test_every_task_stands_in_the_record_and_nobody_spends_more_than_the_budget(
    backward,
):
    assert PRICES[backward].keys() == TASKS.keys()
    for task in PRICES[backward].values():
        for name, row in task.items():
            if name == "exact gradient":
                continue
            bought = affordable(FOUND["budget"], tuple(row["counts"]), backward)
            assert row["draws"] == (1 if name.startswith("sparse") else bought)
            assert ("final" in row) == (bought > 0)


@pytest.mark.parametrize("backward", PRICES)
def test_no_row_leaves_enough_of_the_budget_for_one_more_sample(backward):
    def left_over(setting, counts, draws):
        cost = counts[0] + backward * counts[1]
        return FOUND["budget"] - draws * cost, cost / setting.get("num_samples", 1)

    for task in PRICES[backward].values():
        for name, row in task.items():
            if row.get("draws") and not name.startswith("sparse"):
                left, sample = left_over(row["setting"], row["counts"], row["draws"])
                assert left < sample, name
    # Ten samples with their slopes would leave room for more at the lower price.
    left, sample = left_over({"num_samples": 10}, (10, 10), 1)
    assert (left >= sample) == (backward == 1)


@pytest.mark.parametrize("key", list(TASKS))
def test_the_counts_are_those_of_the_estimators(key):
    task = TASKS[key]
    for label, name in NAMES.items():
        row = PRICES[1][key][label]
        if row["draws"]:
            each = task.applied(estimators.get(name).function)
            generator = torch.Generator().manual_seed(0)
            options = row["setting"]
            counted = count_evaluations(
                each, task.problem, generator=generator, **options
            )
            assert list(counted) == row["counts"], label


def gap_to_the_record(key, rate):
    """Return the largest relative difference of exact descent at a rate from that of the record."""
    task, row = TASKS[key], PRICES[1][key]["exact gradient"]

    def sums(f, logits, *, generator):
        del f, generator
        return task.expected(logits)

    start = (task.problem.f, task.problem.logits, torch.tensor([rate]).double())
    path = descend(sums, *start, FOUND["steps"][-1], generator=None)
    found = task.expected(path[FOUND["steps"], 0])
    medians = found.new_tensor([median for _, median, _ in row["quartiles"]])
    return ((found - medians) / medians).abs().max().item()


@pytest.mark.parametrize("key", ["1 × 100", "10 × 10", "network"])
def test_the_exact_descent_of_the_record_is_that_of_the_task(key):
    rate = PRICES[1][key]["exact gradient"]["rate"]
    # Five digits were written down, of the rate too.
    assert gap_to_the_record(key, rate) < 1e-4
    assert gap_to_the_record(key, rate / 10) > 1e-2
