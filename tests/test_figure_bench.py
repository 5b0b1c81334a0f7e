"""The arithmetic of the bench, of max-stability and of the decoder in the page is that of the package."""

import figure_files
import numpy as np
import pytest
import record_toy
import torch
from helpers.node import call

from gumbel_tutorial import gumbel, laboratory, noise

EXACT = {"rtol": 1e-12, "atol": 1e-12}
LINE = torch.tensor([0.1, 0.75, -0.34], dtype=torch.float64)
LOGITS = torch.tensor([1.0, 0.3, -0.3], dtype=torch.float64)
LOSSES = {
    "linear": lambda z: z @ LINE,
    "quadratic": lambda z: (z @ LINE + 2 * z[..., 0] - 1) ** 2,
    "cubic": lambda z: (z @ LINE + z[..., 0]) ** 3,
    "exp + tanh": lambda z: (
        (z @ LINE).exp() + torch.tanh(4 * z[..., 1] - 3 * z[..., 2])
    ),
}
NAMES = {
    "REINFORCE": "reinforce",
    "RLOO": "rloo",
    "straight-through": "straight_through",
    "Gumbel-Softmax": "gumbel_softmax",
    "straight-through Gumbel-Softmax": "straight_through_gumbel_softmax",
    "ReinMax": "reinmax",
    "Gumbel-Rao": "gumbel_rao",
}
DRAWS, INNER = 30, 10


def seeded():
    return torch.Generator().manual_seed(0)


def rows_of_noise(name):
    """Return the noise that an estimator draws with this seed, in the rows that the bench takes it in.

    Two rows draw two samples, and the others are for the average given the first of them.
    """
    generator = seeded()

    def gumbels(*shape):
        return noise.gumbel((*shape, 3), generator=generator, dtype="float64")

    rows = torch.zeros(2 + INNER, DRAWS, 3, dtype=torch.float64)
    if name == "RLOO":
        rows[:2] = gumbels(2, DRAWS)
    else:
        rows[0] = gumbels(DRAWS)
    if name == "Gumbel-Rao":
        rows[2:] = gumbels(INNER, DRAWS)
    return rows.movedim(0, 1).tolist()


def by_package(name, loss, temperature):
    options = {} if name in ("REINFORCE", "RLOO") else {"temperature": temperature}
    f = LOSSES[loss]
    return laboratory.gradients(
        NAMES[name], f, LOGITS, DRAWS, generator=seeded(), **options
    )


@pytest.mark.parametrize("name", NAMES)
def test_the_bench_estimates_as_the_package_does(name):
    temperatures = (1.0, 2.5) if name == "ReinMax" else (0.3, 1.0, 2.5)
    settings = [(loss, tau) for loss in LOSSES for tau in temperatures]
    rows = rows_of_noise(name)
    found = call(
        [
            ("estimator-maths.js", "estimate", [name, loss, tau, noises])
            for loss, tau in settings
            for noises in rows
        ]
    )
    expected = [by_package(name, loss, tau) for loss, tau in settings]
    np.testing.assert_allclose(found, torch.cat(expected), **EXACT)


def test_the_bench_knows_the_exact_gradient():
    found = call([("estimator-maths.js", "exactGradient", [loss]) for loss in LOSSES])
    expected = [laboratory.exact_gradient(f, LOGITS) for f in LOSSES.values()]
    np.testing.assert_allclose(found, torch.stack(expected), **EXACT)


def test_the_bench_measures_as_the_laboratory_does():
    estimates = by_package("Gumbel-Softmax", "cubic", 1.0)
    exact = laboratory.exact_gradient(LOSSES["cubic"], LOGITS)
    vectors = [*estimates.tolist(), exact.tolist()]
    *points, gradient = call(
        [("estimator-maths.js", "toPlane", [vector]) for vector in vectors]
    )
    np.testing.assert_allclose(np.hypot(*gradient), exact.norm(), **EXACT)
    summary, pairs = call(
        [
            ("estimator-maths.js", "summary", [points, gradient]),
            ("estimator-maths.js", "means", [points, 2]),
        ]
    )
    measured = laboratory.measure(estimates, exact)
    np.testing.assert_allclose(summary["bias"], measured.bias.value, **EXACT)
    np.testing.assert_allclose(summary["spread"] ** 2, measured.variance.value, **EXACT)
    np.testing.assert_allclose(
        pairs, np.reshape(points, (DRAWS // 2, 2, 2)).mean(1), **EXACT
    )


@pytest.mark.parametrize("scale", [0.5, 1.0, 2.0])
def test_the_maximum_of_gumbels_lands_on_the_gumbel_of_the_package(scale):
    x, places = np.linspace(-5, 12, 100).tolist(), np.log([6.0, 3.0, 1.0])
    location = scale * np.logaddexp.reduce(places / scale)
    expected = {
        "density": gumbel.density(np.array(x), places[1], scale),
        "cdf": gumbel.cdf(np.array(x), places[1], scale),
        "densityOfMaximum": gumbel.density(np.array(x), location, scale),
    }
    for name, values in expected.items():
        where = places.tolist() if name == "densityOfMaximum" else places[1]
        file = "max-stability-maths.js"
        found = call([(file, name, [at, where, scale]) for at in x])
        np.testing.assert_allclose(found, values, **EXACT)
    (found,) = call([(file, "locationOfMaximum", [places.tolist(), scale])])
    np.testing.assert_allclose(found, location, **EXACT)


def test_the_decoder_in_the_page_is_that_of_torch_on_the_stored_weights():
    data = figure_files.read_data("decoder")
    codes = torch.randint(10, (10, 10), generator=torch.Generator().manual_seed(0))
    found = call(
        [("decoder-maths.js", "decode", [data, row]) for row in codes.tolist()]
    )
    inputs = torch.nn.functional.one_hot(codes, 10).flatten(-2)
    expected = record_toy.decode(data["layers"], inputs)
    np.testing.assert_allclose(found, expected, **EXACT)
