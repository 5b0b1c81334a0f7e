"""The command, on functions, names and programs, and what README says of it."""

import json
import re
import shlex
import sys
import tomllib
from pathlib import Path

import pytest

from gumbel_tutorial.conformance import adapters
from gumbel_tutorial.conformance.__main__ import main
from gumbel_tutorial.conformance.suites import SUITES

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
SOUND = """
import numpy as np
def sample(logits, num_draws, seed):
    noise = np.random.default_rng(seed).gumbel(size=(num_draws, *logits.shape))
    return np.argmax(logits + noise, axis=-1)
def wrong(logits, num_draws, seed):
    return sample(2 * logits, num_draws, seed)
"""
# As a program of another language reads and writes.
PROGRAM = """
import json, sys
from pathlib import Path
import numpy as np
asked, answered = map(Path, sys.argv[1:3])
for number, call in enumerate(json.loads((asked / "requests.json").read_text())):
    logits = np.load(asked / call["arguments"][0]) / call["options"].get("temperature", 1)
    shape = (call["num_draws"], *logits.shape)
    noise = np.random.default_rng(call["seed"]).gumbel(size=shape)
    if number or len(sys.argv) < 4:
        np.save(answered / f"draws-{number}.npy", np.argmax(logits + noise, axis=-1))
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Return a folder with a module of one's own, in which the command is run."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "samplers_of_mine.py").write_text(SOUND)
    (tmp_path / "program.py").write_text(PROGRAM)
    yield tmp_path
    sys.modules.pop("samplers_of_mine", None)


def run(arguments):
    """Return the exit code of the command."""
    return main(shlex.split(arguments))


def test_a_sound_function_passes_and_its_report_is_written(folder, capsys):
    arguments = "check samplers_of_mine:sample --only 'small laws' 'huge logits'"
    assert run(f"{arguments} --json report.json --effort 0.1") == 0
    out = capsys.readouterr().out
    assert out.startswith("samplers_of_mine:sample (categorical)\nsmall laws")
    assert "2 passed" in out
    told = json.loads((folder / "report.json").read_text())
    assert [line["verdict"] for line in told["checks"]] == ["passed", "passed"]


@pytest.mark.usefixtures("folder")
def test_a_wrong_function_fails_with_the_exit_code_1(capsys):
    assert run("check samplers_of_mine:wrong --only 'small laws'") == 1
    assert "came up" in capsys.readouterr().out


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("check", "sampler must be given, or else subprocess"),
        ("check a:b --subprocess 'true {input} {output}'", "sampler must be given"),
        ("check nothing", "name must be one of numpy.random.Generator.choice"),
        ("check nothing:sample", "module 'nothing' can not be imported"),
        ("check samplers_of_mine:nothing", "be a function of samplers_of_mine"),
        ("check samplers_of_mine:np", "sampler must be a function, got module"),
        ("check samplers_of_mine:sample --only nothing", "only must name checks"),
        ("check samplers_of_mine:sample --effort 0", "effort must be positive"),
        ("check samplers_of_mine:sample --json no/such", "json must be a file in a"),
        ("check --subprocess 'true {input}'", "command must hold {output}"),
        ("check --subprocess 'no-such {input} {output}'", "a program that can be run"),
    ],
)
def test_misuse_is_one_line_and_the_exit_code_2(arguments, message, capsys):
    assert run(arguments) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert message in said
    assert said.count("\n") == 1


def test_a_module_with_an_error_of_its_own_is_misuse(folder, capsys):
    (folder / "broken_of_mine.py").write_text("1 / 0")
    assert run("check broken_of_mine:sample") == 2
    assert "ZeroDivisionError: division by zero" in capsys.readouterr().err


def test_an_option_that_there_is_not_has_the_exit_code_2():
    with pytest.raises(SystemExit) as end:
        run("check --nothing")
    assert end.value.code == 2


def test_all_names_and_checks_are_listed(capsys):
    assert run("list") == 0
    out = capsys.readouterr().out
    for name in adapters.names():
        assert f"{name} (" in out
    for checks in SUITES.values():
        for each in checks:
            assert f"{each.name}. Catches: {each.fault}" in out


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("more", "code", "said"),
    [("", 0, "2 passed"), (" short", 1, "it wrote no draws-0.npy")],
)
def test_a_program_is_asked_by_files(more, code, said, capsys):
    command = f"{shlex.quote(sys.executable)} program.py {{input}} {{output}}{more}"
    checks = "--only temperature 'other seeds differ' --announces temperature"
    assert run(f"check --subprocess {shlex.quote(command)} {checks}") == code
    assert said in capsys.readouterr().out


@pytest.mark.usefixtures("folder")
def test_a_program_that_ends_with_an_error_fails_and_is_quoted(capsys):
    (Path("program.py")).write_text("raise ValueError('of its own')")
    command = f"{shlex.quote(sys.executable)} program.py {{input}} {{output}}"
    arguments = f"check --subprocess {shlex.quote(command)} --only 'small laws'"
    assert run(arguments) == 1
    out = " ".join(capsys.readouterr().out.split())
    assert "ended with 1" in out
    assert "ValueError: of its own" in out


def readme_commands():
    """Return the lines of README's block of the command."""
    (block,) = re.findall(
        r"^```shell\n(pip install [^`]*?conformance[^`]*)^```", README, re.M
    )
    return block.splitlines()


def run_readme(folder, options):
    """Run README's commands with further options, its example in its place, and require that all pass."""
    (example,) = re.findall(r"^```python\n([^`]*def sample[^`]*)^```", README, re.M)
    (folder / "mine.py").write_text(example)
    _, *commands = readme_commands()
    assert len(commands) == 2
    for line in commands:
        python, dash, module, *arguments = shlex.split(line)
        assert (python, dash, module) == ("python", "-m", "gumbel_tutorial.conformance")
        assert main([*arguments, *options]) == 0
    sys.modules.pop("mine")


def test_what_readme_says_runs(folder):
    install, *_ = readme_commands()
    (extra,) = re.findall(r"\[(.*)\]", install)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert extra in project["project"]["optional-dependencies"]
    run_readme(folder, ["--only", "small laws", "huge logits"])


@pytest.mark.slow
def test_what_readme_says_runs_with_all_checks(folder):
    run_readme(folder, ["--effort", "0.01"])
