"""NumPy and torch give the same result on the same noise, function by function."""

import inspect

import array_api_strict
import numpy as np
import pytest
import torch
from helpers.transforms import CALLS, MODULES, arrays_of, converted, find

DEVICES = [
    "cpu",
    pytest.param(
        "cuda",
        marks=[
            pytest.mark.cuda,
            pytest.mark.skipif(
                not torch.cuda.is_available(), reason="needs a CUDA device"
            ),
        ],
    ),
]


def to_torch(value, device="cpu", dtype=None):
    tensor = torch.as_tensor(value, device=device)
    floating = dtype is not None and tensor.is_floating_point()
    return tensor.to(dtype) if floating else tensor


def test_every_public_function_is_compared():
    public = {
        f"{module.__name__.rpartition('.')[2]}.{name}"
        for module in MODULES
        for name, function in inspect.getmembers(module, inspect.isfunction)
        if function.__module__.startswith(module.__name__) and not name.startswith("_")
    }
    # One takes a function, one draws by itself, one knows shapes alone.
    others = {"gumbel.unchecked", "categorical.sample", "categorical.sampling_method"}
    assert public == {*CALLS, *others}


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", CALLS)
def test_numpy_and_torch_agree_on_the_same_noise(name, device):
    function, arguments = find(name), CALLS[name]
    ours = function(*converted(arguments, lambda value: to_torch(value, device)))
    for expected, tensor in zip(
        arrays_of(function(*arguments)), arrays_of(ours), strict=True
    ):
        assert tensor.device.type == device
        if name != "categorical.one_hot":  # in the default dtype of its library
            assert tensor.cpu().numpy().dtype == expected.dtype
        np.testing.assert_allclose(
            tensor.cpu().numpy(), expected, rtol=1e-11, atol=1e-12
        )


@pytest.mark.parametrize("name", CALLS)
def test_nothing_beyond_the_array_api_standard_is_needed(name):
    """array-api-strict has the standard alone, and turns down whatever goes beyond it."""
    function, arguments = find(name), CALLS[name]
    ours = function(*converted(arguments, array_api_strict.asarray))
    for expected, array in zip(
        arrays_of(function(*arguments)), arrays_of(ours), strict=True
    ):
        assert array.__array_namespace__() is array_api_strict
        np.testing.assert_allclose(np.asarray(array), expected, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("name", CALLS)
def test_float32_comes_back_as_float32(name):
    function, arguments = find(name), CALLS[name]

    def narrow(value):
        return value.astype(np.float32) if value.dtype == np.float64 else value

    for convert in (narrow, lambda value: to_torch(value, dtype=torch.float32)):
        ours = function(*converted(arguments, convert))
        for expected, array in zip(
            arrays_of(function(*arguments)), arrays_of(ours), strict=True
        ):
            kind = str(array.dtype).removeprefix("torch.")
            if "int" in kind or "alias" in name or "one_hot" in name:
                continue  # the alias table is float64, whatever the logits are
            assert kind == "float32"
            np.testing.assert_allclose(
                np.asarray(array), expected, rtol=2e-3, atol=2e-4
            )
