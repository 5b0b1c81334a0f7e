"""The arithmetic of the coupled samplers and of the watermark's score in the page is that of the package."""

import json

import figure_files
import figure_logits
import numpy as np
import pytest
import scipy.special
import scipy.stats
from helpers.node import call

from gumbel_tutorial import categorical, decoding, gumbel_max, noise
from gumbel_tutorial.book import real_logits

FILE = "logits-maths.js"
PAIRS = [(1.0, 0.6), (0.3, 2.0), (2.0, 0.95), (0.7, 0.7)]
LENGTHS = (1, 2, 17, 60)


@pytest.fixture(scope="module")
def stored():
    return figure_files.read_data("logits")["rows"]


@pytest.fixture(scope="module")
def rows(stored):
    """Return the rows as the page reads them."""
    return call([(FILE, "decode", [row]) for row in stored])


@pytest.fixture(scope="module")
def recorded():
    """Return the rows of the chapter, a logit for each token."""
    return real_logits.rows()[list(figure_logits.POSITIONS)].astype(float)


def agree(found, expected):
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


def test_the_page_has_the_rows_of_the_chapter_as_they_are(rows, recorded, stored):
    for row, logits, text in zip(rows, recorded, stored, strict=True):
        np.testing.assert_array_equal(np.repeat(row["values"], row["counts"]), logits)
        # Each token that is named is the only one of its value.
        assert row["counts"][: len(text["top"])] == [1] * len(text["top"])


def test_the_data_are_what_the_tool_writes(stored):
    rows = real_logits.rows()
    said = real_logits.origin()["rows"]
    written = [
        figure_logits.row_data(rows[i], said[i]) for i in figure_logits.POSITIONS
    ]
    assert json.loads(json.dumps(written)) == stored
    assert figure_files.data_path("logits").stat().st_size < 100_000


def test_a_number_that_sixteen_bits_would_round_is_refused():
    with pytest.raises(ValueError, match="values must fit <f2, got"):
        figure_logits.as_text(np.array([0.1]), "<f2")


def laws(row, logits):
    """Yield functions, their arguments, and what the package says."""
    for tau in (0.3, 1.0, 2.0):
        scaled = logits / tau
        yield "entropy", [row, tau], categorical.entropy(scaled)
        probs = categorical.probs(scaled)
        first = np.cumsum([0, *row["counts"][:-1]])
        yield "law", [row, tau], probs[first]
        kept = probs[probs > 1e-300]
        scores = scipy.special.digamma(1 + 1 / kept) + np.euler_gamma
        yield "meanScore", [row, tau], kept @ scores
    for pair in PAIRS:
        one, other = (logits / tau for tau in pair)
        distance = decoding.total_variation(one, other)
        yield "totalVariation", [row, *pair], distance
        yield "agreement", [row, *pair], decoding.agreement(one, other)
        both = categorical.probs(one) @ categorical.probs(other)
        yield "chance", [row, *pair], both
        bounds = decoding.agreement_bounds(one, other)
        yield "agreementBounds", [float(distance)], bounds


def test_laws_agreement_and_mean_scores_are_those_of_the_package(rows, recorded):
    cases = [case for pair in zip(rows, recorded, strict=True) for case in laws(*pair)]
    found = call([(FILE, name, values) for name, values, _ in cases])
    for value, (name, _, expected) in zip(found, cases, strict=True):
        assert name
        agree(value, expected)


def test_a_term_that_is_left_out_is_seen(rows, recorded):
    (found,) = call([(FILE, "agreement", [rows[2], 1.0, 0.6])])
    without = [{**rows[2], "counts": [1] * len(rows[2]["counts"])}, 1.0, 0.6]
    (wrong,) = call([(FILE, "agreement", without)])
    expected = decoding.agreement(recorded[2], recorded[2] / 0.6)
    agree(found, expected)
    with pytest.raises(AssertionError):
        agree(wrong, expected)


def test_the_winners_are_those_of_gumbel_max_over_the_values(rows, rng):
    row = rows[3]
    gumbels = noise.gumbel((40, len(row["values"])), generator=rng)
    (found,) = call([(FILE, "winners", [row, 0.7, gumbels.ravel().tolist(), 40])])
    grouped = np.array(row["values"]) / 0.7 + np.log(row["counts"])
    assert found == gumbel_max.argmax_sample(grouped, gumbels).tolist()


def test_scores_p_values_and_limits_are_those_of_the_package(rng):
    gumbels = noise.gumbel((4, 60), generator=rng)
    found = call([(FILE, "score", [g]) for g in gumbels.ravel().tolist()])
    agree(found, decoding.watermark_scores(gumbels.ravel()))
    cases = []
    for line in gumbels:
        for n in LENGTHS:
            scores = decoding.watermark_scores(line[:n])
            total = float(scores.sum())
            for shift in (0.0, 40.0):
                expected = scipy.stats.gamma(n).sf(total + shift)
                cases.append(("pValue", [total + shift, n], expected))
            found = decoding.watermark_p_value(scores)
            cases.append(("pValue", [total, n], float(found)))
    cases += [
        ("limit", [n, size], scipy.stats.gamma(n).isf(size))
        for n in LENGTHS
        for size in (0.01, 0.5)
    ]
    found = call([(FILE, name, values) for name, values, _ in cases])
    agree(found, [expected for *_, expected in cases])


def test_the_slope_of_log_gamma_is_scipys():
    points = [1.5, 2.0, 9.99, 10.0, 123.4, 1e8]
    found = call([(FILE, "digamma", [x]) for x in points])
    agree(found, scipy.special.digamma(points))
