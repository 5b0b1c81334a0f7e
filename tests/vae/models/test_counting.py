"""Rows of a network are counted while asked for, over all calls and all leading axes."""

import pytest
import torch
from torch import nn

from gumbel_tutorial.vae.models.counting import counted_rows


def test_rows_are_counted_over_all_calls_while_asked_for():
    network = nn.Linear(3, 2)
    network(torch.zeros(9, 3))
    with counted_rows(network) as rows:
        assert rows.count == 0
        for shape in ((5, 3), (2, 4, 3), (3,), (0, 7, 3)):
            network(torch.zeros(shape))
        assert rows.count == 5 + 2 * 4 + 1 + 0
    network(torch.zeros(9, 3))
    assert rows.count == 14


def test_an_error_ends_the_counting_too():
    network = nn.Linear(3, 2)

    def fails():
        with counted_rows(network) as rows:
            network(torch.zeros(1, 3))
            try:
                raise RuntimeError("no memory")
            finally:
                counted.append(rows)

    counted = []
    with pytest.raises(RuntimeError, match="no memory"):
        fails()
    network(torch.zeros(4, 3))
    assert counted[0].count == 1


def test_counts_inside_counts_are_apart():
    network = nn.Linear(3, 2)
    with counted_rows(network) as outer:
        network(torch.zeros(2, 3))
        with counted_rows(network) as inner:
            network(torch.zeros(5, 3))
    assert (outer.count, inner.count) == (7, 5)
