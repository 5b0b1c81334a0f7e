"""The answer of all checks to one sampler."""

import json
import textwrap
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace

from gumbel_tutorial.conformance.questions import Check
from gumbel_tutorial.conformance.records import Finding

_WIDTH, _NAME_WIDTH = 100, 24


@dataclass(frozen=True)
class Line:
    """One check, what it found and how long it took; its text is a row of the report.

    Attributes:
        check: what was asked.
        finding: what was found.
        false_alarm: the probability with which a sound sampler fails here, at most.
        seconds: how long it took.
    """

    check: Check
    finding: Finding
    false_alarm: float
    seconds: float

    def as_json(self) -> dict[str, object]:
        """Return the line as JSON has it."""
        told = {"check": self.check.name, "fault": self.check.fault}
        rates = {"false_alarm": self.false_alarm, "power": self.check.power}
        return told | rates | asdict(self.finding) | {"seconds": round(self.seconds, 3)}

    def __str__(self) -> str:
        start = f"{self.check.name:<{_NAME_WIDTH}}  {self.finding.verdict:<11}  "
        return textwrap.fill(
            self.finding.sentence,
            _WIDTH,
            initial_indent=start,
            subsequent_indent=" " * len(start),
        )


@dataclass(frozen=True)
class Report:
    """The answer of all checks to one sampler; its text is a table.

    Attributes:
        sampler: the sampler's name.
        kind: what it draws.
        seed: of the report.
        effort: the factor of all numbers of draws.
        lines: a line per check.
        versions: of Python and the libraries.
    """

    sampler: str
    kind: str
    seed: int
    effort: float
    lines: tuple[Line, ...]
    versions: Mapping[str, str]

    @property
    def failing(self) -> tuple[Line, ...]:
        """The lines of the checks that failed."""
        return tuple(x for x in self.lines if x.finding.verdict == "failed")

    @property
    def passed(self) -> bool:
        """Whether a check passed and none failed."""
        verdicts = {line.finding.verdict for line in self.lines}
        return "passed" in verdicts and "failed" not in verdicts

    @property
    def false_alarm(self) -> float:
        """The probability with which a sound sampler fails a check of the report, at most."""
        return sum(line.false_alarm for line in self.lines)

    @property
    def seconds(self) -> float:
        """How long all checks took."""
        return sum(line.seconds for line in self.lines)

    def only_failing(self) -> "Report":
        """Return the report without the checks that did not fail."""
        return replace(self, lines=self.failing)

    def to_json(self) -> str:
        """Return the report as JSON."""
        head = {"sampler": self.sampler, "kind": self.kind, "passed": self.passed}
        made = {"seed": self.seed, "effort": self.effort}
        measured = {
            "false_alarm": self.false_alarm,
            "seconds": round(self.seconds, 3),
            "versions": dict(self.versions),
            "checks": [line.as_json() for line in self.lines],
        }
        return json.dumps(head | made | measured, indent=1)

    def __str__(self) -> str:
        rows = map(str, self.lines)
        return "\n".join([f"{self.sampler} ({self.kind})", *rows, self.summary()])

    def summary(self) -> str:
        """Return the last line of the table: how many checks passed, failed and were not made."""
        counts = Counter(line.finding.verdict for line in self.lines)
        told = ", ".join(f"{number} {verdict}" for verdict, number in counts.items())
        return (
            f"{told}; {self.seconds:.1f} s; a sound sampler fails "
            f"with probability {self.false_alarm:.1g} at most"
        )
