"""Tables of mutations: what means nothing is refused, what a run says of survivors, and a sample is run."""

import subprocess
import sys
from collections import Counter

import mutant_tables
import mutants
import pytest

TABLE = """\
chapter = "02_gumbel"
mutants = [
    { labels = [LABEL], replace = REPLACE, by = BY MORE },
]
"""
ONE = {
    "LABEL": '"eq-gumbel-cdf"',
    "REPLACE": '"default_rng(2)"',
    "BY": '"default_rng(3)"',
    "MORE": "",
}


def written(folder, **changes):
    text = TABLE
    for name, value in (ONE | changes).items():
        text = text.replace(name, value)
    (folder / "own.toml").write_text(text)
    return folder


def test_a_table_is_read(tmp_path):
    (mutant,) = mutant_tables.read_all(written(tmp_path))
    assert mutant.labels == ("eq-gumbel-cdf",)
    assert "default_rng(3)" in mutant.applied()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"LABEL": '"eq-gone"'}, "no chapter defines eq-gone"),
        ({"BY": '"default_rng(2)"'}, "by is what it replaces"),
        ({"BY": '"default_rng( 2)"'}, "the same code"),
        ({"BY": '"default_rng(2"'}, "no Python"),
        ({"REPLACE": '"no such text"'}, "found 0 times"),
        ({"REPLACE": '"np."'}, "found .* times, not once"),
        ({"MORE": ', survives = " "'}, "survives without a reason"),
        ({"MORE": ', tests = "tests"'}, "file and tests go together"),
        ({"MORE": ', note = "x"'}, "no such key: note"),
    ],
)
def test_a_table_that_means_nothing_is_refused(tmp_path, changes, message):
    with pytest.raises(ValueError, match=message):
        mutant_tables.read_all(written(tmp_path, **changes))


def test_a_table_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(ValueError, match="no such table .*: other"):
        mutant_tables.read_all(tmp_path, ["other"])


def test_a_survivor_without_a_reason_and_a_killed_survivor_are_wrong(tmp_path):
    (quiet,) = mutant_tables.read_all(written(tmp_path))
    (said,) = mutant_tables.read_all(written(tmp_path, MORE=', survives = "small"'))
    of = (quiet.table, quiet.key)
    killer = {"exception": "AssertionError", "section": "S", "check": "assert x"}
    assert mutants.judge([quiet], {of: {"killer": killer}}) == ([], [quiet])
    assert mutants.judge([said], {of: {"killer": None}}) == ([], [])
    assert "SURVIVES" in mutants.judge([quiet], {of: {"killer": None}})[0][0]
    assert "listed as" in mutants.judge([said], {of: {"killer": killer}})[0][0]
    assert "error" in mutants.judge([quiet], {of: {"error": "NameError: x"}})[0][0]


def test_the_sample_is_spread_over_the_tables():
    listed = mutant_tables.read_all()
    chosen = mutants.sample(listed, 20)
    assert len(set(chosen)) == 20
    assert chosen == mutants.sample(listed, 20)
    assert max(Counter(mutant.table for mutant in chosen).values()) <= 6


def test_twenty_wrong_forms_are_caught():
    command = [sys.executable, "tools/mutants.py", "--sample", "20"]
    run = subprocess.run(
        command, cwd=mutant_tables.ROOT, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "all: 20 of 20" in run.stdout
