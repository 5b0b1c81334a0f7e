"""Bytes moved: operations whose traffic can be counted on paper."""

import torch
from torch.nn.functional import gumbel_softmax

from gumbel_tutorial.book.traffic import bytes_moved

ROWS, CATEGORIES = 10, 100


def per_entry(function):
    return {name: n / (ROWS * CATEGORIES) for name, n in bytes_moved(function).items()}


def array(dtype=torch.float32):
    return torch.zeros(ROWS, CATEGORIES, dtype=dtype)


def test_an_operation_reads_its_arguments_and_writes_its_result():
    x, y = array(), array()
    assert per_entry(lambda: x + y) == {"add": 12}
    assert per_entry(lambda: x.mul_(y)) == {"mul_": 12}
    assert per_entry(lambda: x.exp()) == {"exp": 8}


def test_the_bytes_are_those_of_the_dtype():
    x = array(torch.float64)
    assert per_entry(lambda: x.exp()) == {"exp": 16}


def test_views_and_unwritten_memory_move_nothing():
    x = array()
    assert per_entry(lambda: (x[1:], x.T, x.detach(), torch.empty_like(x))) == {}


def test_noise_is_written_and_not_read():
    x = array()
    assert per_entry(lambda: (x.exponential_(), torch.zeros_like(x))) == {
        "exponential_": 4,
        "zeros_like": 4,
    }


def test_a_scatter_moves_what_it_changes():
    x, place = array(), torch.zeros(ROWS, 1, dtype=torch.int64)
    assert bytes_moved(lambda: x.scatter_(1, place, 1.0)) == {"scatter_": ROWS * 12}


def test_operations_of_one_name_add_up_and_those_of_the_backward_pass_count():
    x = array().requires_grad_()
    moved = per_entry(lambda: gumbel_softmax(x).backward(torch.ones_like(x)))
    assert moved["div"] == 16
    assert moved["_softmax_backward_data"] == 12
