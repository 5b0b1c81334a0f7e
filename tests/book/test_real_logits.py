"""The recorded logits are rows of one vocabulary, sorted, and those at the top are the named tokens'."""

import numpy as np

from gumbel_tutorial.book import real_logits


def test_rows_are_sorted_logits_less_their_largest():
    rows = real_logits.rows()
    assert rows.shape == (40, 49_152)
    assert rows.dtype == np.float32
    assert (rows[:, 0] == 0).all()
    assert (np.diff(rows) <= 0).all()
    assert np.isfinite(rows).all()


def test_the_named_tokens_are_those_at_the_top_of_their_row():
    origin = real_logits.origin()
    rows = real_logits.rows()
    assert len(origin["rows"]) == len(rows)
    for row, named in zip(rows, origin["rows"], strict=True):
        logits = [logit for _, logit in named["top"]]
        # The record rounds to float16, and the name's logit to four decimals.
        np.testing.assert_allclose(row[: len(logits)], logits, rtol=2**-11, atol=5.1e-5)
        gap = np.abs(row - named["next_logit"]).min()
        assert gap <= 2**-11 * abs(named["next_logit"]) + 5.1e-5


def test_the_text_is_what_the_rows_come_from():
    origin = real_logits.origin()
    for row in origin["rows"]:
        assert row["after"] + row["next"] in origin["text"]
