"""The order of the images, what is due when, and weights from a seed."""

import torch
from helpers.vae import trainer, training_digits

from gumbel_tutorial.vae.training.batches import Order, first_weights, is_due


def test_an_epoch_shows_every_image_once():
    order = Order(1309, 20, seed=0)
    rows = torch.cat([order.rows(step) for step in range(65)])
    assert len(rows.unique()) == len(rows) == 1300
    assert not torch.equal(order.rows(0), order.rows(65))
    assert torch.equal(order.rows(0), rows[:20])


def test_a_batch_of_all_images_keeps_their_order():
    assert Order(5, 5, seed=3).rows(17).tolist() == [0, 1, 2, 3, 4]


def test_neighbouring_runs_and_the_labelled_have_orders_of_their_own():
    orders = [
        Order(100, 10, seed, labelled=labelled)
        for seed in range(4)
        for labelled in (False, True)
    ]
    shown = {tuple(each.rows(step).tolist()) for each in orders for step in (0, 10, 20)}
    assert len(shown) == len(orders) * 3


def test_the_trainer_shows_the_images_of_the_order():
    run = trainer(seed=5)
    expected = Order(len(training_digits().pixels), 20, seed=5)
    assert torch.equal(run.order.rows(70), expected.rows(70))


def test_the_last_step_is_never_left_out():
    due = [step for step in range(1, 8) if is_due(step, 3, 7)]
    assert due == [3, 6, 7]


def test_first_weights_come_from_the_seed_and_leave_the_generator_alone():
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    weights = []
    for seed in (4, 4, 5):
        with first_weights(seed):
            weights.append(torch.nn.Linear(2, 3).weight)
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])
    assert torch.equal(torch.rand(3), expected)
