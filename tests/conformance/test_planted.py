"""Seven faults of published samplers, put back by their mechanism: the check of its name catches each."""

import pytest
from helpers import planted

from gumbel_tutorial import conformance

# The sampler with the fault, the kind of both, and the check that names it.
CAUGHT = {
    "shared draft noise": (planted.shared_draft_noise, "speculative", "emitted law"),
    "u rounded to 1": (
        planted.uniform_rounded_to_one,
        "categorical",
        "masked categories",
    ),
    "tile-seed collision": (
        planted.tile_seed_collision,
        "categorical",
        "independence of tiles",
    ),
    "probabilities for log-probabilities": (
        planted.probabilities_for_logits,
        "categorical",
        "log-probabilities",
    ),
    "temperature twice": (planted.temperature_twice, "categorical", "temperature"),
    "bfloat16 tile maxima": (
        planted.tile_maxima_in_bfloat16,
        "categorical",
        "equal logits",
    ),
    "24-bit tail": (planted.tail_of_24_bits, "categorical", "far tail"),
}
SOUND = {
    "categorical": planted.sound,
    "speculative": planted.fresh_residual_noise,
}
# A thousand million noises in NumPy, each hashed.
SLOW = {"24-bit tail"}


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(name, marks=[pytest.mark.slow] if name in SLOW else [])
        for name in CAUGHT
    ],
)
def test_a_published_fault_is_caught(fault):
    function, kind, name = CAUGHT[fault]
    (line,) = conformance.check(function, kind, only=[name]).failing
    assert line.finding.p_value <= conformance.FALSE_ALARM


@pytest.mark.parametrize("fault", CAUGHT)
def test_the_same_code_without_the_fault_passes(fault):
    """Fails with a probability of 1e-6, by the bound of the report."""
    _, kind, name = CAUGHT[fault]
    report = conformance.check(SOUND[kind], kind, only=[name], effort=0.02)
    assert report.lines[0].finding.verdict == "passed", str(report)
