"""What the command does: ``check`` and ``list``."""

import importlib
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from gumbel_tutorial.checks import refuse
from gumbel_tutorial.conformance import adapters
from gumbel_tutorial.conformance.outside import Program
from gumbel_tutorial.conformance.records import Kind
from gumbel_tutorial.conformance.running import check
from gumbel_tutorial.conformance.suites import SUITES

_PROGRAM = "python -m gumbel_tutorial.conformance"


@dataclass(frozen=True)
class CheckCommand:
    """Check a sampler and print the report; the exit code is 1 where a check fails, or none could be made.

    Attributes:
        sampler: MODULE:FUNCTION of your own, or a name that the command list gives.
        subprocess: In the place of a function: a program that reads requests from the folder {input} and
            writes draws into the folder {output}.
        announces: Keywords that the program takes, such as temperature.
        kind: What it draws; by default what the name says, and else categorical.
        json: File for the report as JSON.
        seed: Seed of the report.
        effort: Factor of all numbers of draws; the stated powers hold at 1.
        only: Names of checks; by default all.
    """

    sampler: tyro.conf.Positional[str] = ""
    subprocess: str = ""
    announces: tuple[str, ...] = ()
    kind: Kind | None = None
    json: Path | None = None
    seed: int = 0
    effort: float = 1.0
    only: tuple[str, ...] = ()

    def __call__(self) -> int:
        """Check, print and write; return the exit code."""
        # Before the work rather than after it.
        if self.json is not None and not self.json.absolute().parent.is_dir():
            refuse("json", "be a file in a folder that there is", self.json)
        function, kind, libraries = self._sampler()
        name = self.sampler or self.subprocess
        print(f"{name} ({kind})", flush=True)
        report = check(
            function,
            kind,
            self.seed,
            effort=self.effort,
            name=name,
            only=self.only or None,
            libraries=libraries,
            tell=lambda line: print(line, flush=True),
        )
        print(report.summary())
        if self.json is not None:
            self.json.write_text(report.to_json() + "\n", encoding="utf-8")
        return 0 if report.passed else 1

    def _sampler(self) -> tuple[Callable[..., Any] | Program, Kind, tuple[str, ...]]:
        """Return the sampler, its kind, and the libraries whose versions count."""
        if bool(self.sampler) == bool(self.subprocess):
            given = f"{self.sampler!r} and {self.subprocess!r}"
            refuse("sampler", "be given, or else subprocess", given)
        if self.subprocess:
            kind = self.kind or "categorical"
            return Program(self.subprocess, kind, self.announces), kind, ()
        if ":" in self.sampler:
            return _imported(self.sampler), self.kind or "categorical", ()
        adapter = adapters.by_name(self.sampler)
        return adapter.load(), self.kind or adapter.kind, adapter.libraries


@dataclass(frozen=True)
class ListCommand:
    """Print the samplers that are known by name, and the checks of each kind."""

    def __call__(self) -> int:
        """Print."""
        for name in adapters.names():
            print(f"{name} ({adapters.by_name(name).kind})")
        for kind, checks in SUITES.items():
            for each in checks:
                print(f"{kind}: {each.name}. Catches: {each.fault}")
        return 0


def _imported(name: str) -> Callable[..., Any]:
    """Return the function of a MODULE:FUNCTION."""
    module_name, _, function_name = name.partition(":")
    try:
        function: Any = importlib.import_module(module_name)
    # Whatever a module of the user's raises, a traceback of ours would not help.
    except Exception as error:
        told = f"{type(error).__name__}: {error}"
        raise ValueError(
            f"module {module_name!r} can not be imported: {told}"
        ) from error
    for part in function_name.split("."):
        if not hasattr(function, part):
            refuse("sampler", f"be a function of {module_name}", repr(function_name))
        function = getattr(function, part)
    return function


def execute(arguments: Sequence[str] | None = None) -> int:
    """Run the command of the arguments, and return its exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    return _parse(given)()


def _parse(arguments: list[str]) -> CheckCommand | ListCommand:
    return tyro.cli(
        Annotated[CheckCommand, tyro.conf.subcommand("check")]
        | Annotated[ListCommand, tyro.conf.subcommand("list")],
        args=arguments,
        prog=_PROGRAM,
        description="Does a sampler draw what it says?",
    )
