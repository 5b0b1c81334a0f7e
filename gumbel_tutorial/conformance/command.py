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
from gumbel_tutorial.conformance.records import Kind
from gumbel_tutorial.conformance.running import check
from gumbel_tutorial.conformance.suites import SUITES

_PROGRAM = "python -m gumbel_tutorial.conformance"


@dataclass(frozen=True)
class CheckCommand:
    """Check a sampler and print the report; the exit code is 1 where a check fails.

    Attributes:
        sampler: MODULE:FUNCTION of your own, or a name that ``list`` gives.
        kind: What it draws; by default what the name says, and categorical for a function.
        json: File for the report as JSON.
        seed: Seed of the report.
        effort: Factor of all numbers of draws; the stated powers hold at 1.
        only: Names of checks; by default all.
    """

    sampler: tyro.conf.Positional[str]
    kind: Kind | None = None
    json: Path | None = None
    seed: int = 0
    effort: float = 1.0
    only: tuple[str, ...] = ()

    def __call__(self) -> int:
        """Check, print and write."""
        function, kind, libraries = _found(self.sampler)
        report = check(
            function,
            self.kind or kind,
            self.seed,
            effort=self.effort,
            name=self.sampler,
            only=self.only or None,
            libraries=libraries,
        )
        print(report)
        if self.json is not None:
            self.json.write_text(report.to_json() + "\n", encoding="utf-8")
        return 0 if report.passed else 1


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


def _found(name: str) -> tuple[Callable[..., Any], Kind, tuple[str, ...]]:
    """Return the sampler of a name, its kind, and whose version counts."""
    if ":" not in name:
        adapter = adapters.by_name(name)
        return adapter.load(), adapter.kind, adapter.libraries
    module_name, _, function_name = name.partition(":")
    function: Any = importlib.import_module(module_name)
    for part in function_name.split("."):
        if not hasattr(function, part):
            refuse("sampler", f"be a function of {module_name}", function_name)
        function = getattr(function, part)
    return function, "categorical", ()


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
