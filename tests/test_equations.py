"""Every labelled statement has a check, the records are those of the tables, and the page that of both."""

import equations
import mutant_tables
import mutants
import pytest

TABLES = sorted(path.stem for path in mutant_tables.TABLES.glob("*.toml"))
RECORDS = {table: mutant_tables.read_record(table) for table in TABLES}


@pytest.fixture(scope="module")
def listed():
    return mutant_tables.read_all()


def test_every_labelled_equation_and_theorem_has_a_check_that_a_wrong_form_fails(
    listed,
):
    assert set(mutant_tables.statements()) - set(equations.checks(listed)) == set()


def test_there_are_two_hundred_wrong_forms_and_97_percent_are_caught(listed):
    assert len(listed) >= 200
    assert len(equations.killed(listed)) >= mutants.SHARE * len(listed)


@pytest.mark.parametrize("table", TABLES)
def test_the_record_is_that_of_the_table(table, listed):
    keys = {mutant.key for mutant in listed if mutant.table == table}
    assert keys == set(RECORDS[table]), "run: python tools/mutants.py --only TABLE"


def test_what_survives_is_what_is_said_to(listed):
    for mutant in listed:
        killer = RECORDS[mutant.table].get(mutant.key)
        assert (killer is None) == (mutant.survives is not None), mutant.key


def test_the_checks_of_the_records_are_still_there(listed):
    for mutant, killer in equations.killed(listed):
        check = killer["check"]
        if not mutant.file:
            stated = (killer["section"], check)
            assert stated in mutant_tables.code_of(mutant.chapter), mutant.key
        elif check.startswith("tests/"):
            file, *_, test = check.split("[")[0].split("::")
            assert f"def {test}(" in (mutant_tables.ROOT / file).read_text(), mutant.key


def test_the_page_of_equations_is_what_the_tables_say(listed):
    assert equations.PAGE.read_text() == equations.page(listed), "run: make mutants"
