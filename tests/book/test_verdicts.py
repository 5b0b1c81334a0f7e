"""The table of samplers against the checks."""

from gumbel_tutorial.book import verdicts


def made(sampler, kind, **verdict_of):
    checks = [
        {"check": name.replace("_", " "), "verdict": verdict, "draws": 10}
        for name, verdict in verdict_of.items()
    ]
    return {"sampler": sampler, "kind": kind, "checks": checks}


def test_a_row_counts_the_checks_that_were_made_and_names_those_that_failed():
    reports = [
        made("a.draw", "relaxed", simplex="passed"),
        made("b", "categorical", far_tail="failed", ties="passed", mask="not checked"),
    ]
    assert list(verdicts.rows(reports)) == [
        ("<em>Categories</em>", "", "", ""),
        ("<code>b</code>", "20", "1 of 2", "far tail"),
        ("<em>Relaxed and straight-through samples</em>", "", "", ""),
        ("<code>a.<wbr>draw</code>", "10", "1 of 1", ""),
    ]


def test_what_is_recorded_is_shown_with_its_numbers(capsys):
    verdicts.show()
    told = capsys.readouterr().out
    assert "samplers = " in told
    assert "sound-failed = 0\n" in told
