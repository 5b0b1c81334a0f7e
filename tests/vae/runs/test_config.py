"""What a configuration refuses."""

import pytest

from gumbel_tutorial.vae.runs.config import Config


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"final_temperature": 2.0}, "final_temperature must be at most the temp"),
        ({"anneal_rate": float("inf")}, "anneal_rate must be finite and not negative"),
        ({"anneal_rate": float("nan")}, "anneal_rate must be finite and not negative"),
        ({"seed": -1}, "seed must be a whole number of at least 0, got -1"),
        ({"seed": 2**31}, r"seed must be below 2\*\*31, got 2147483648"),
        (
            {"model": "structured-prediction", "decoder_hidden": (3,)},
            "decoder_hidden must be \\(\\) with model structured-prediction",
        ),
        (
            {"model": "structured-prediction", "learn_prior": True},
            "learn_prior must be False with model structured-p",
        ),
        ({"num_layers": 3}, "num_layers must be 2 with model autoencoder, got 3"),
        ({"alpha": 2.0}, "alpha must be 1.0 with model autoencoder, got 2.0"),
        (
            {"channels": (4,)},
            r"channels must be \(\) with model autoencoder, got \(4,\)",
        ),
        (
            {"model": "semi-supervised", "alpha": -1.0},
            "alpha must be finite and not negative, got -1.0",
        ),
        (
            {"model": "semi_supervised"},
            "model must be one of autoencoder, .*, semi-supervised, got 'semi_sup",
        ),
        ({"decay": "first-half"}, "decay must be one of none, second-half, got 'fi"),
        (
            {"model": "semi-supervised", "num_categories": 3},
            "num_categories must be 10 with model semi-supervised, got 3",
        ),
        (
            {"model": "semi-supervised", "labelled_per_class": 0},
            "labelled_per_class must be a whole number of at least 1, got 0",
        ),
        (
            {"estimator": "relax", "options": {"control": 1.0}},
            "options must not set the control of relax",
        ),
    ],
)
def test_settings_without_a_meaning_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        Config(**settings)


def test_a_temperature_that_stays_may_lie_anywhere():
    assert Config(anneal_rate=0.0, temperature=0.1).temperature == 0.1
