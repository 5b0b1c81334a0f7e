"""The arithmetic of the moving figures is that of the package, on the same noise."""

import math

import numpy as np
import pytest
import torch
from helpers.node import ROOT, call

from gumbel_tutorial import categorical, concrete, gumbel, gumbel_max
from gumbel_tutorial.book import quadrature
from gumbel_tutorial.nn import harden

FIGURES = ROOT / "assets" / "figures"
TEMPERATURES = (0.05, 0.3, 1.0, 2.5, 10.0)
TARGET = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)
LOSSES = {
    "linear": lambda v: v @ TARGET,
    "cubic": lambda v: (v[..., 1] + 2 * v[..., 2]) ** 3,
}


def laws(rng):
    """Yield functions of laws.js, their arguments, and what the package makes of these."""
    for count in (2, 3, 5):
        logits = rng.normal(0, 1.5, count)
        uniforms = rng.uniform(size=count)
        noise = gumbel.quantile(uniforms)
        yield "softmax", [logits], categorical.probs(logits)
        yield "perturb", [logits, noise], logits + noise
        yield "argmax", [logits + noise], gumbel_max.argmax_sample(logits, noise)
        yield "arrivals", [logits, noise], np.exp(-logits) * -np.log(uniforms)
        for k in range(1, count + 1):
            order = gumbel_max.top_k_sample(logits, noise, k)
            yield "topK", [logits, noise, k], order
            prob = np.exp(gumbel_max.top_k_log_prob(logits, order))
            yield "orderProb", [logits, order], prob
        for u, value in zip(uniforms, noise, strict=True):
            yield "quantile", [u], value
        yield from relaxed_laws(logits, noise)


def relaxed_laws(logits, noise):
    """Yield what has a temperature."""
    for tau in TEMPERATURES:
        relaxed = concrete.relax(logits, noise, tau)
        yield "soften", [logits, tau], concrete.soften(logits, tau)
        yield "relax", [logits, noise, tau], relaxed
        # At low temperature a sample may lie so near the boundary that its own rounding is in the density.
        inside = concrete.relax(logits, noise, max(tau, 1.0))
        density = concrete.log_density(inside, logits, tau)
        yield "logDensity", [inside, logits, tau], density
        pair = np.stack([inside, inside[::-1]])
        densities = concrete.log_density(pair, logits, tau)
        yield "logDensities", [np.log(pair).ravel(), logits, tau], densities
        if len(logits) == 3:
            yield from passes(logits, noise, tau)


def passes(logits, noise, tau):
    """Yield both passes of a draw, by automatic differentiation of the package's own sample."""
    for name, loss in LOSSES.items():
        for kind in ("soft", "hard", "detached"):
            x = torch.tensor(logits, requires_grad=True)
            relaxed = concrete.relax(x, torch.tensor(noise), tau)
            sample = relaxed if kind == "soft" else harden(relaxed)
            value = loss(sample.detach() + 0 * x if kind == "detached" else sample)
            (gradient,) = torch.autograd.grad(value, x)
            expected = {
                "relaxed": relaxed.tolist(),
                "sample": sample.tolist(),
                "value": value.item(),
                "gradient": gradient.tolist(),
            }
            yield "passes", [logits, noise, tau, name, kind], expected
            if kind != "detached":
                yield from mean_passes(logits, noise, tau, name, kind)
        corners = loss(torch.eye(3, dtype=torch.float64)).numpy()
        probs = categorical.probs(logits)
        exact = {
            "value": probs @ corners,
            "gradient": probs * (corners - probs @ corners),
        }
        yield "exactGradient", [logits, name], exact


def mean_passes(logits, noise, tau, name, kind):
    """Yield the means of both passes over a few draws, with their standard errors."""
    noises = np.stack([noise, noise[::-1], noise[[1, 2, 0]], -noise])
    x = torch.tensor(np.tile(logits, (4, 1)), requires_grad=True)
    relaxed = concrete.relax(x, torch.tensor(noises), tau)
    values = LOSSES[name](relaxed if kind == "soft" else harden(relaxed))
    (gradients,) = torch.autograd.grad(values.sum(), x)
    drawn = np.column_stack([values.detach().numpy(), gradients.numpy()])
    rows = zip(drawn.mean(axis=0), drawn.std(axis=0) / 2, strict=True)
    # A variance by the difference of two squares keeps half of the digits.
    expected = [{"mean": mean, "error": error} for mean, error in rows]
    yield "meanPasses", [logits, noises, tau, name, kind], expected


def means():
    """Yield the mean of the relaxed sample, to the package's own digits and with wider steps."""
    for probs in ([0.6, 0.3, 0.1], [0.02, 0.02, 0.96], [1 / 3, 1 / 3, 1 / 3]):
        for tau in (0.05, 0.5, 1.0, 5.0, 10.0):
            yield [probs, tau], quadrature.relaxed_mean(probs, tau)


def plain(value):
    """Return a value that JSON has, from arrays and numbers of NumPy."""
    if isinstance(value, dict):
        return {key: plain(entry) for key, entry in value.items()}
    return value.tolist() if isinstance(value, (np.ndarray, np.generic)) else value


@pytest.fixture(scope="module")
def results():
    """Run node once; return what was called, what came back and what the package says."""
    cases = [*laws(np.random.default_rng(8))]
    cases += [("relaxedMean", values, mean) for values, mean in means()]
    cases += [("relaxedMean", [*values, 6], mean) for values, mean in means()]
    told = [("laws.js", name, [plain(v) for v in values]) for name, values, _ in cases]
    found = call([*told, ("laws.js", "gumbels", [1, 4000, 1])])
    return [*zip(cases, found[:-1], strict=True)], found[-1]


def close(found, expected, tolerance=1e-12):
    """Tell whether all numbers agree, relative to the larger of one and themselves."""
    if isinstance(expected, list):
        return len(found) == len(expected) and all(map(close, found, expected))
    if isinstance(expected, dict):
        return all(
            close(found[key], value, 1e-7 if key == "error" else tolerance)
            for key, value in expected.items()
        )
    found, expected = np.asarray(found), np.asarray(expected)
    return np.all(np.abs(found - expected) <= tolerance * np.maximum(1, abs(expected)))


def test_every_law_is_the_one_of_the_package(results):
    compared = set()
    for (name, values, expected), found in results[0]:
        compared.add(name)
        wide = name == "relaxedMean" and len(values) == 3
        # With wider steps for three decimals on a picture.
        assert close(found, expected, 2e-5 if wide else 1e-12), (name, values)
    assert len(compared) == 15


def test_a_digit_that_is_wrong_is_seen(results):
    for (name, _, expected), found in results[0][:10]:
        assert close(found, expected)
        wrong = np.asarray(found) + 2e-12 * max(1, np.abs(found).max())
        assert not close(wrong, expected), name


def test_the_noise_of_the_figures_is_gumbel(results):
    uniforms = np.sort(gumbel.cdf(np.ravel(results[1])))
    steps = np.arange(1, 4001) / 4000
    # The statistic of Kolmogorov and Smirnov; the noise is the same on every run.
    distance = np.abs(uniforms - steps + 1 / 8000).max()
    assert math.sqrt(4000) * distance < 1.63, (
        "above this, with probability one in a hundred"
    )


def test_all_figures_together_are_light():
    # The records of the toys have limits of their own.
    scripts = [path for path in FIGURES.iterdir() if path.suffix in (".js", ".css")]
    sizes = [path.stat().st_size for path in scripts if "-data" not in path.name]
    assert sum(sizes) < 200_000


@pytest.mark.parametrize(
    "path", sorted(FIGURES.glob("*.js")), ids=lambda path: path.name
)
def test_a_script_is_a_classic_one_that_asks_nobody(path):
    # Modules do not load from a file, and the site asks no other host.
    text = path.read_text("utf-8")
    assert '"use strict";' in text
    assert not any(word in text for word in ("import ", "export ", "fetch(", "http"))
