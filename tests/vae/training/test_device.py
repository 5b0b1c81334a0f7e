"""The device of a name, and that of a model."""

import pytest
import torch

from gumbel_tutorial.vae.training.device import device_of, find_device


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("gpu", "device must be a name such as cpu or cuda, got 'gpu'"),
        ("meta", "device must be one of this machine, got 'meta'"),
        ("cuda:99", "device must be one of this machine, got 'cuda:99'"),
    ],
)
def test_devices_that_are_not_there_are_refused(name, message):
    with pytest.raises(ValueError, match=message):
        find_device(name)


def test_a_model_is_where_its_weights_are():
    assert device_of(torch.nn.Linear(2, 3, device="meta")) == torch.device("meta")
    assert device_of(torch.nn.ReLU()) == find_device("cpu")
