"""The command's outermost floor: whatever ends it is one line and a code, and whatever hears it is heard."""

import os
import subprocess
import sys
import warnings
from types import SimpleNamespace

import pytest
import torch
from helpers.runs import same_files

from gumbel_tutorial.vae.__main__ import main
from gumbel_tutorial.vae.runs.config import Config, Output
from gumbel_tutorial.vae.runs.on_disk import run

COMMAND = "gumbel_tutorial.vae.command"


def executes(monkeypatch, act):
    monkeypatch.setitem(sys.modules, COMMAND, SimpleNamespace(execute=act))


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (RuntimeError("out of\n  luck"), 1, "error: out of luck"),
        (OSError(28, "No space", "a"), 1, "error: [Errno 28] No space: 'a'"),
        (MemoryError("a.gz must fit"), 1, "error: out of memory: a.gz must fit"),
        (MemoryError(), 1, "error: out of memory"),
        (
            ModuleNotFoundError("No module named 'tyro'", name="tyro"),
            1,
            "error: No module named 'tyro'; pip install 'gumbel-tutorial[vae,tensorboard]' has it",
        ),
        (KeyboardInterrupt(), 130, "interrupted"),
    ],
)
def test_whatever_stops_a_command_is_one_line(error, code, line, monkeypatch, capsys):
    def fails(_):
        raise error

    executes(monkeypatch, fails)
    assert main([]) == code
    assert capsys.readouterr().err == f"{line}\n"


def test_numpy_without_memory_is_one_line(monkeypatch, capsys):
    import numpy as np

    executes(monkeypatch, lambda _: np.empty(2**46))
    assert main([]) == 1
    assert "error: out of memory: Unable to allocate" in capsys.readouterr().err


def test_a_mistake_of_ours_keeps_its_traceback(monkeypatch):
    executes(monkeypatch, lambda _: {}["x"])
    with pytest.raises(KeyError):
        main([])


def test_an_interrupt_of_the_imports_is_one_line(monkeypatch, capsys):
    class Importing:
        def __getattr__(self, name):
            raise KeyboardInterrupt

    monkeypatch.setitem(sys.modules, COMMAND, Importing())
    assert main([]) == 130
    assert capsys.readouterr().err == "interrupted\n"


def test_nothing_heavy_is_imported_before_an_interrupt_is_caught():
    script = "import sys, gumbel_tutorial.vae.__main__; print('torch' in sys.modules)"
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True)
    assert ended.stdout == b"False\n"


def test_a_warning_is_one_line(monkeypatch, capsys):
    def warns(_):
        warnings.warn("two\n words", RuntimeWarning, stacklevel=1)
        return 7

    executes(monkeypatch, warns)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        assert main([]) == 7
    assert capsys.readouterr().err == "warning: two words\n"


class Gone:
    """A stream of a terminal that has closed."""

    encoding = "utf-8"

    def write(self, _):
        raise OSError(5, "Input/output error")

    def flush(self):
        self.write("")


def test_a_terminal_that_has_closed_ends_nothing(monkeypatch):
    def speaks(_):
        print("hello", file=sys.stderr)
        sys.stderr.flush()
        return 5

    monkeypatch.setattr(sys, "stderr", Gone())
    executes(monkeypatch, speaks)
    assert main([]) == 5


def test_a_closed_stream_is_opened_to_nothing(monkeypatch):
    monkeypatch.setattr(sys, "stderr", None)
    monkeypatch.setattr(sys, "stdout", None)
    executes(monkeypatch, lambda _: print("a") or print("b", file=sys.stderr) or 3)
    assert main([]) == 3
    sys.stdout.close()
    sys.stderr.close()


def test_a_terminal_of_ascii_shows_what_it_can(monkeypatch, tmp_path):
    with (tmp_path / "said").open("w", encoding="ascii") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        executes(monkeypatch, lambda _: print("a─b") or 0)
        assert main([]) == 0
    assert (tmp_path / "said").read_text() == "a?b\n"


def test_a_command_without_streams_trains_to_the_same_bits(tmp_path):
    settings = {"num_latents": 4, "num_categories": 3, "hidden": (5,), "steps": 5}
    flags = "--num-latents 4 --num-categories 3 --hidden 5 --steps 5"
    words = f"{sys.executable} -m gumbel_tutorial.vae train {flags}"
    threads = {"OMP_NUM_THREADS": str(torch.get_num_threads())}
    subprocess.run(
        ["sh", "-c", f"{words} --output {tmp_path}/deaf >&- 2>&-"],
        check=True,
        timeout=600,
        env={**os.environ, **threads},
    )
    run(Config(**settings), Output(tmp_path / "heard"))
    same_files(tmp_path / "deaf", tmp_path / "heard")
