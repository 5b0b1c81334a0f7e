"""Run mutations in forked copies of one warm process: chapters cell by cell, the package under its tests."""

import json
import linecache
import os
import resource
import shlex
import signal
import sys
import tempfile
import traceback
import types
from collections.abc import Callable
from functools import partial
from importlib import import_module
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import spec_from_file_location
from pathlib import Path
from typing import Any

from mutant_tables import (
    ROOT,
    Cell,
    Killer,
    Mutant,
    cells,
    code_at,
    code_of,
    one_line,
)

# A mutated text that does not even name what it uses has tested nothing.
NO_MUTATION = (SyntaxError, NameError, ImportError)

Outcome = dict[str, Any]  # {"killer": Killer} or {"error": str}


class Pool:
    """Run functions in forked copies of this process, a few at a time."""

    def __init__(self, jobs: int, seconds: int) -> None:
        self.jobs = jobs
        self.seconds = seconds
        self.running: dict[int, tuple[Any, Any]] = {}
        self.outcomes: dict[Any, Any] = {}

    def start(self, key: Any, work: Callable[[], Any]) -> None:
        """Run a function; return while fewer than `jobs` are running."""
        answer = tempfile.TemporaryFile("w+")  # noqa: SIM115  open until the answer is read
        pid = os.fork()
        if not pid:
            self.child(work, answer)
        self.running[pid] = (key, answer)
        while len(self.running) >= self.jobs:
            self.collect()

    def child(self, work: Callable[[], Any], answer: Any) -> None:
        """Write what the function returns, and end without a word."""
        with open(os.devnull, "w") as nowhere:  # noqa: PTH123
            os.dup2(nowhere.fileno(), 1)
            os.dup2(nowhere.fileno(), 2)
        resource.setrlimit(resource.RLIMIT_CPU, (self.seconds, self.seconds))
        signal.alarm(3 * self.seconds)  # for what waits and does not work
        try:
            json.dump(work(), answer)
        except BaseException:
            json.dump({"error": traceback.format_exc()}, answer)
        answer.flush()
        os._exit(0)

    def collect(self) -> None:
        """Wait for one to end."""
        pid, status = os.wait()
        if pid not in self.running:
            return
        key, answer = self.running.pop(pid)
        answer.seek(0)
        died = f"no answer in {self.seconds} s of processor time or three times as much"
        died += f" (exit status {os.waitstatus_to_exitcode(status)})"
        self.outcomes[key] = json.loads(answer.read() or json.dumps({"error": died}))

    def finish(self) -> dict[Any, Any]:
        """Wait for all, and return what each returned."""
        while self.running:
            self.collect()
        return self.outcomes


def cell_name(number: int) -> str:
    """Return the name under which tracebacks know a cell."""
    return f"<cell {number}>"


def execute(number: int, source: str, namespace: dict[str, Any]) -> None:
    """Run a cell as a notebook does, up to what it would show."""
    import matplotlib.pyplot as plt

    name = cell_name(number)
    linecache.cache[name] = (len(source), None, source.splitlines(True), name)
    exec(compile(source, name, "exec"), namespace)
    plt.close("all")


def killer(error: Exception, sources: dict[str, Cell], mutant: Mutant) -> Killer:
    """Return the exception, and the last statement of a cell on the way to it, unmutated."""
    frames = traceback.extract_tb(error.__traceback__)
    frame = [frame for frame in frames if frame.filename in sources][-1]
    cell = sources[frame.filename]
    check = code_at(cell.source, frame.lineno)
    right = check.replace(one_line(mutant.by), one_line(mutant.replace))
    stated = (cell.heading, right) in code_of(mutant.chapter)
    return {
        "exception": type(error).__name__,
        "section": cell.heading,
        "check": right if stated else check,
    }


def rest_of_chapter(
    mutant: Mutant, first: int, rest: list[Cell], namespace: dict[str, Any]
) -> Outcome:
    """Run a chapter from its mutated cell on."""
    sources = {cell_name(i): cell for i, cell in enumerate(rest, first)}
    for number, cell in enumerate(rest, first):
        try:
            execute(number, cell.source, namespace)
        except NO_MUTATION:
            return {"error": traceback.format_exc(limit=1)}
        except Exception as error:
            return {"killer": killer(error, sources, mutant)}
    return {"killer": None}


def run_chapter(mutants: list[Mutant], jobs: int, seconds: int, clean: bool) -> dict:
    """Run a chapter, and from each mutated cell on a copy of this process that has the mutation.

    Unless clean, the chapter is left after its last mutated cell.
    """
    os.chdir(ROOT / "chapters")
    chapter = cells(mutants[0].chapter)
    module = sys.modules["__main__"] = types.ModuleType("__main__")
    pool, waiting = Pool(jobs, seconds), list(mutants)
    for number, cell in enumerate(chapter):
        for mutant in [mutant for mutant in waiting if mutant.replace in cell.source]:
            mutated = cell._replace(source=mutant.applied())
            rest = [mutated, *chapter[number + 1 :]]
            work = partial(rest_of_chapter, mutant, number, rest, vars(module))
            pool.start(mutant.key, work)
            waiting.remove(mutant)
        if waiting or clean:
            execute(number, cell.source, vars(module))
    return pool.finish()


class Replacing(SourceFileLoader):
    """Load a module from the mutated text of its file."""

    def __init__(self, name: str, mutant: Mutant) -> None:
        super().__init__(name, str(ROOT / mutant.file))
        self.text = mutant.applied()

    def get_code(self, _: str) -> types.CodeType:
        """Compile the mutated text, whatever is cached."""
        return compile(self.text, self.path, "exec")

    def find_spec(self, name: str, *_: Any) -> ModuleSpec | None:
        """Find the one module, as an import hook."""
        if name != self.name:
            return None
        return spec_from_file_location(name, self.path, loader=self)


def module_name(file: str) -> str:
    """Return the name by which a file of the package is imported."""
    return ".".join(Path(file).with_suffix("").parts).removesuffix(".__init__")


class Watch:
    """A plugin of pytest that remembers the first failure."""

    def __init__(self) -> None:
        self.failure: tuple[BaseException, str] | None = None

    def pytest_exception_interact(self, node: Any, call: Any) -> None:
        """Remember the exception and the test."""
        self.failure = self.failure or (call.excinfo.value, node.nodeid)


def run_tests(tests: str, mutant: Mutant | None = None) -> Outcome:
    """Run tests against the package, with one module mutated."""
    import pytest

    os.chdir(ROOT)
    if mutant:
        sys.meta_path.insert(0, Replacing(module_name(mutant.file), mutant))
    watch = Watch()
    options = ["-q", "-x", "-p", "no:cacheprovider"]
    status = pytest.main([*options, *shlex.split(tests)], plugins=[watch])
    if status == pytest.ExitCode.OK:
        return {"killer": None}
    if watch.failure is None:
        return {"error": f"pytest ended with {status!r}"}
    error, test = watch.failure
    if isinstance(error, NO_MUTATION) or "ImportError" in type(error).__name__:
        return {"error": f"{type(error).__name__}: {error}"}
    return {"killer": {"exception": type(error).__name__, "check": test}}


def warm() -> None:
    """Import once what the copies of this process need, but for the package, which they mutate."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ |= {"MPLBACKEND": "Agg", "MATPLOTLIBRC": os.devnull}
    # Others' plugins take longer to load than most tests to run.
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    sys.path.insert(0, str(ROOT))
    for name in ("matplotlib.pyplot", "myst_nb", "pytest", "scipy.stats", "torch"):
        import_module(name)


def run(
    mutants: list[Mutant], jobs: int, seconds: int, clean: bool
) -> dict[tuple[str, str], Outcome]:
    """Run mutations, and if clean the unmutated code too; return by table and key what came of each."""
    warm()
    chapters: dict[tuple[str, str], list[Mutant]] = {}
    for mutant in mutants:
        if not mutant.file:
            chapters.setdefault((mutant.table, mutant.chapter), []).append(mutant)
    outcomes: dict[tuple[str, str], Outcome] = {}
    for (table, _), those in chapters.items():
        pool = Pool(1, 60 * 60)
        pool.start(table, partial(run_chapter, those, jobs, seconds, clean))
        found = pool.finish()[table]
        if "error" in found:
            last = found["error"].strip().splitlines()[-1]
            failed = {"error": f"the chapter fails without a mutation: {last}"}
            found = {mutant.key: failed for mutant in those}
        outcomes |= {(table, key): outcome for key, outcome in found.items()}
    of_package = [mutant for mutant in mutants if mutant.file]
    return outcomes | run_package(of_package, jobs, seconds, clean)


def run_package(mutants: list[Mutant], jobs: int, seconds: int, clean: bool) -> dict:
    """Run each distinct set of tests without a mutation, if clean, and then those of each mutation."""
    pool = Pool(jobs, seconds)
    for tests in dict.fromkeys(mutant.tests for mutant in mutants if clean):
        pool.start(tests, partial(run_tests, tests))
    unmutated = pool.finish()
    pool = Pool(jobs, seconds)
    for mutant in mutants:
        found = unmutated.get(mutant.tests, {"killer": None})
        if "error" in found or found["killer"]:
            failed = f"fails without a mutation: {mutant.tests}: {found}"
            pool.outcomes[mutant.table, mutant.key] = {"error": failed}
        else:
            work = partial(run_tests, mutant.tests, mutant)
            pool.start((mutant.table, mutant.key), work)
    return pool.finish()
