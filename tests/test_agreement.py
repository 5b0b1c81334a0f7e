"""NumPy and torch give the same result on the same noise, function by function."""

import numpy as np
import pytest
import torch

from gumbel_tutorial import categorical, concrete, gumbel, gumbel_max

RNG = np.random.default_rng(7)
LOGITS, NOISE = 2 * RNG.standard_normal((40, 6)), RNG.gumbel(size=(40, 6))
UNIFORM, INDEX = RNG.random(40), RNG.integers(6, size=40)
RELAXED = concrete.relax(LOGITS, NOISE, 0.7)
ROWS = RNG.uniform(0.3, 2, (40, 1))
ORDER = np.argsort(RNG.random((40, 6)), axis=-1)[:, :3]

CALLS = {
    "probs": (categorical.probs, LOGITS),
    "log_probs": (categorical.log_probs, LOGITS),
    "entropy": (categorical.entropy, LOGITS),
    "kl": (categorical.kl, LOGITS, NOISE),
    "inverse_cdf_sample": (categorical.inverse_cdf_sample, LOGITS, UNIFORM),
    "argmax_sample": (gumbel_max.argmax_sample, LOGITS, NOISE),
    "max_location": (gumbel_max.max_location, LOGITS),
    "noise_given_index": (gumbel_max.noise_given_index, LOGITS, INDEX, NOISE),
    "top_k_sample": (gumbel_max.top_k_sample, LOGITS, NOISE, 3),
    "top_k_log_prob": (gumbel_max.top_k_log_prob, LOGITS, ORDER),
    "relax": (concrete.relax, LOGITS, NOISE, ROWS),
    "log_relax": (concrete.log_relax, LOGITS, NOISE, ROWS),
    "log_density": (concrete.log_density, RELAXED, LOGITS, ROWS),
    "log_density_in_log_space": (
        concrete.log_density_in_log_space,
        np.log(RELAXED),
        LOGITS,
        0.7,
    ),
    "binary_relax": (concrete.binary_relax, LOGITS, NOISE, 0.7),
    "binary_relax_logit": (concrete.binary_relax_logit, LOGITS, NOISE, 0.7),
    "binary_log_density": (concrete.binary_log_density, RELAXED, LOGITS, 0.7),
    "binary_log_density_in_logit_space": (
        concrete.binary_log_density_in_logit_space,
        NOISE,
        LOGITS,
        0.7,
    ),
    "density": (gumbel.density, LOGITS, NOISE, ROWS),
    "log_density of a Gumbel": (gumbel.log_density, LOGITS, NOISE, ROWS),
    "cdf": (gumbel.cdf, LOGITS, NOISE, ROWS),
    "log_cdf": (gumbel.log_cdf, LOGITS, NOISE, ROWS),
    "survival": (gumbel.survival, LOGITS, NOISE, ROWS),
    "quantile": (gumbel.quantile, UNIFORM),
    "upper_quantile": (gumbel.upper_quantile, UNIFORM),
    "truncate": (gumbel.truncate, NOISE, LOGITS),
    "truncated_quantile": (gumbel.truncated_quantile, RELAXED, LOGITS),
    "truncated_log_density": (gumbel.truncated_log_density, NOISE, LOGITS),
    "moment_generating_function": (gumbel.moment_generating_function, 0.4 * UNIFORM),
    "mean": (gumbel.mean, NOISE, ROWS),
    "median": (gumbel.median, NOISE, ROWS),
    "mode": (gumbel.mode, NOISE, ROWS),
    "variance": (gumbel.variance, NOISE, ROWS),
    "entropy of a Gumbel": (gumbel.entropy, NOISE, ROWS),
}
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


def to_torch(value, device, dtype=None):
    if not isinstance(value, np.ndarray):
        return value
    tensor = torch.as_tensor(value, device=device)
    return (
        tensor.to(dtype) if dtype is not None and tensor.is_floating_point() else tensor
    )


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", CALLS)
def test_numpy_and_torch_agree_on_the_same_noise(name, device):
    function, *arguments = CALLS[name]
    expected = function(*arguments)
    ours = function(*(to_torch(value, device) for value in arguments))
    assert ours.device.type == device
    assert ours.cpu().numpy().dtype == expected.dtype
    np.testing.assert_allclose(ours.cpu().numpy(), expected, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("name", CALLS)
def test_float32_comes_back_as_float32(name):
    function, *arguments = CALLS[name]
    for library in ("numpy", "torch"):
        inputs = [
            value.astype(np.float32)
            if library == "numpy"
            and isinstance(value, np.ndarray)
            and value.dtype == np.float64
            else to_torch(value, "cpu", torch.float32)
            if library == "torch"
            else value
            for value in arguments
        ]
        result = function(*inputs)
        if "int" not in str(result.dtype):
            assert str(result.dtype).removeprefix("torch.") == "float32"
            np.testing.assert_allclose(
                np.asarray(result), function(*arguments), rtol=2e-3, atol=2e-4
            )
