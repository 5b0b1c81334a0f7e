"""Put the nearest wrong form in a formula's place and see which check notices.

The tables are tests/mutants/NAME.toml (tools/mutant_tables.py has their format), the records NAME.json
beside them. A mutation of a chapter is killed when the chapter's cells, run in their order, raise; one of
the package when the tests named for it fail. The run ends with an error when less than 97 % are killed,
when one survives without a reason, when one that should survive is killed, and when the unmutated code
fails. The working tree is never edited.
"""

import argparse
import random
import sys
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from mutant_runs import Outcome, run
from mutant_tables import Mutant, read_all, read_record, write_record

SHARE = 0.97
SLOW = ("chapter_5", "chapter_7", "chapter_8")  # chapters that train
# What a check raises: everything else that kills is reported apart.
CHECKS = ("AssertionError", "Failed", "MultipleDoctestFailures", "DocTestFailure")

Outcomes = dict[tuple[str, str], Outcome]


def is_quick(mutant: Mutant) -> bool:
    """Tell whether a mutation takes seconds: no chapter that trains, nothing that is compiled."""
    return "compile" not in mutant.tests if mutant.file else mutant.table not in SLOW


def sample(mutants: list[Mutant], size: int) -> list[Mutant]:
    """Return some quick ones of those that should be killed, in turn from every table."""
    quick = [mutant for mutant in mutants if not mutant.survives and is_quick(mutant)]
    random.Random(20170424).shuffle(quick)
    taken: Counter[str] = Counter()
    turns = []
    for mutant in quick:
        turns.append((taken[mutant.table], mutant.table, mutant))
        taken[mutant.table] += 1
    return [mutant for *_, mutant in sorted(turns, key=lambda turn: turn[:2])][:size]


def is_stale(mutant: Mutant) -> bool:
    """Tell whether the record has nothing on a mutation, or something else than the table says."""
    record = read_record(mutant.table)
    if mutant.key not in record:
        return True
    return (record[mutant.key] is None) != (mutant.survives is not None)


def judge(mutants: list[Mutant], outcomes: Outcomes) -> tuple[list[str], list[Mutant]]:
    """Return what is wrong, a line each, and the mutations that were killed."""
    wrong, killed = [], []
    for mutant in mutants:
        outcome = outcomes[mutant.table, mutant.key]
        if "error" in outcome:
            error = outcome["error"].strip().splitlines()[-1]
            wrong.append(f"error     {mutant.table}: {mutant.key}: {error}")
        elif outcome["killer"]:
            killed.append(mutant)
            if mutant.survives:
                wrong.append(f"killed, and listed as surviving: {mutant.key}")
        elif not mutant.survives:
            wrong.append(f"SURVIVES  {mutant.table}: {mutant.key}")
    return wrong, killed


def summary(mutants: list[Mutant], killed: list[Mutant], outcomes: Outcomes) -> str:
    """Return the killed of each table, what killed without being a check, the survivors, and the total."""
    lines = []
    for mutant in killed:
        found = outcomes[mutant.table, mutant.key]["killer"]
        if found["exception"] not in CHECKS:
            at = f"{found['exception']} at {found['check']}"
            lines.append(f"no check  {mutant.table}: {mutant.key}: {at}")
    for mutant in mutants:
        if mutant.survives and mutant not in killed:
            lines.append(f"survives  {mutant.table}: {mutant.key}: {mutant.survives}")
    of_table = Counter(mutant.table for mutant in killed)
    for table, total in sorted(Counter(mutant.table for mutant in mutants).items()):
        lines.append(f"{table}: {of_table[table]} of {total} killed")
    share = len(killed) / len(mutants)
    return "\n".join([*lines, f"all: {len(killed)} of {len(mutants)}, {share:.1%}"])


def main() -> int:
    """Run what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__)
    raw = argparse.RawDescriptionHelpFormatter
    parser.formatter_class = raw
    add = parser.add_argument
    add("--only", nargs="+", default=[], metavar="NAME", help="tables, as chapter_3")
    add("--label", nargs="+", default=[], help="mutations of these labels")
    add("--stale", action="store_true", help="those that the records do not have yet")
    add("--jobs", type=int, default=2, help="processes at a time (2)")
    add("--limit", type=int, default=600, help="processor seconds for each (600)")
    add(
        "--sample",
        type=int,
        metavar="N",
        help="N quick ones, leaving the records alone",
    )
    chosen = parser.parse_args()
    try:
        listed = read_all(only=chosen.only)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    mutants = [m for m in listed if not chosen.label or {*m.labels} & {*chosen.label}]
    if chosen.stale:
        mutants = [mutant for mutant in mutants if is_stale(mutant)]
    mutants = mutants if chosen.sample is None else sample(mutants, chosen.sample)
    if not mutants:
        print("no such mutation", file=sys.stderr)
        return 2
    clean = chosen.sample is None
    outcomes = run(mutants, chosen.jobs, chosen.limit, clean)
    if clean:
        found = {key: o["killer"] for key, o in outcomes.items() if "killer" in o}
        write_record(listed, found)
    wrong, killed = judge(mutants, outcomes)
    print("\n".join([*wrong, summary(mutants, killed, outcomes)]))
    every = not (chosen.only or chosen.label or chosen.stale)
    return int(bool(wrong) or (every and len(killed) < SHARE * len(mutants)))


if __name__ == "__main__":
    sys.exit(main())
