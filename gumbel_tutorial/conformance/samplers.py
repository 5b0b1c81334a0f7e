"""A sampler under test: what it announces, how it is asked, how its answers are looked through."""

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np

from gumbel_tutorial.conformance.records import Kind, Unsupported, Violation


@dataclass(frozen=True)
class Request:
    """One call of a sampler: ``function(*arguments, num_draws, seed, **options)``.

    Attributes:
        arguments: what stands before the number of draws: ``(logits,)``, ``(logits, count)`` or
            ``(draft_logits, target_logits)``.
        num_draws: how many draws are asked for.
        seed: of the draws.
        options: keywords that the sampler announces.
    """

    arguments: tuple[Any, ...]
    num_draws: int
    seed: int
    options: Mapping[str, Any] = field(default_factory=dict)


@runtime_checkable
class AnswersMany(Protocol):
    """A sampler to which one call is dear, so that it takes several requests at a time."""

    @property
    def announces(self) -> tuple[str, ...]:
        """Keywords that it takes."""

    def answer(self, requests: Iterable[Request]) -> Iterator[Any]:
        """Yield the draws of each request."""


class Sampler:
    """A sampler under test, which counts its draws and looks through every answer.

    Args:
        function: ``function(*arguments, num_draws, seed, **options)``, or what answers many requests.
        kind: what it draws; see :mod:`gumbel_tutorial.conformance`.
        name: for the report; by default that of the function.

    Raises:
        TypeError: ``function`` can not be called.
    """

    def __init__(
        self, function: Callable[..., Any] | AnswersMany, kind: Kind, name: str = ""
    ) -> None:
        if not (callable(function) or isinstance(function, AnswersMany)):
            raise TypeError(
                f"sampler must be a function, got {type(function).__name__}"
            )
        self.kind, self.draws = kind, 0
        self.name = name or getattr(function, "__qualname__", type(function).__name__)
        self._function = function
        self._announced = _announced(function)

    def announces(self, option: str) -> bool:
        """Tell whether the sampler takes a keyword."""
        return option in self._announced

    def promises(self, property_name: str) -> bool:
        """Tell whether the sampler has an attribute of a name, and it is true."""
        return getattr(self._function, property_name, False) is True

    def draw(self, *arguments: Any, num_draws: int, seed: int, **options: Any) -> Any:
        """Return the draws of one call."""
        return next(self.each([Request(arguments, num_draws, seed, options)]))

    def each(self, requests: Iterable[Request]) -> Iterator[Any]:
        """Yield the draws of each request, as they come.

        Raises:
            Violation: the sampler raised an error, or what it returned is no draw of its kind.
            Unsupported: the sampler raised NotImplementedError.
        """
        asked: list[Request] = []

        def remembered() -> Iterator[Request]:
            for request in requests:
                asked.append(request)
                yield request

        answers = self._answers(remembered())
        for position in range(1 << 62):
            try:
                answer = next(answers)
                draws = _LOOKED_THROUGH[self.kind](answer, asked[position])
            except StopIteration:
                return
            except Violation:
                raise
            except NotImplementedError as error:
                raise Unsupported(str(error) or "it says so") from error
            except Exception as error:
                message = f"it raised {type(error).__name__}: {error}"
                raise Violation(message) from error
            self.draws += asked[position].num_draws
            # What is answered is not needed again, and may be large.
            asked[position] = _DONE
            yield draws

    def _answers(self, requests: Iterator[Request]) -> Iterator[Any]:
        if isinstance(self._function, AnswersMany):
            yield from self._function.answer(requests)
            return
        for request in requests:
            yield _called(self._function, request)


def _called(function: Callable[..., Any], request: Request) -> Any:
    """Return the answer of a function, which must leave its arguments as they are."""
    before = [np.copy(each) for each in request.arguments]
    # Its draws are judged, not what NumPy says on the way to them.
    with np.errstate(all="ignore"):
        answer = function(
            *request.arguments, request.num_draws, request.seed, **request.options
        )
    for given, kept in zip(request.arguments, before, strict=True):
        if not np.array_equal(given, kept):
            raise Violation("it changed the logits that it was given")
    return answer


_DONE = Request((), 0, 0)


def _announced(function: Any) -> frozenset[str]:
    """Return the keywords that a signature names, or those that the sampler says it takes."""
    said = getattr(function, "announces", None)
    if said is not None:
        return frozenset(said)
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # of a builtin
        return frozenset()
    named = (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return frozenset(each.name for each in parameters if each.kind in named)


def _categories(answer: Any, request: Request) -> np.ndarray:
    """Return draws of categories, ``(num_draws, *rows)``, of which each is one."""
    logits = request.arguments[0]
    return whole_numbers(
        answer, (request.num_draws, *logits.shape[:-1]), logits.shape[-1]
    )


def whole_numbers(
    answer: Any, shape: tuple[int, ...], num_categories: int
) -> np.ndarray:
    """Return an answer as an array of categories.

    Raises:
        Violation: another shape, numbers that are no integers, or outside 0 ... K-1.
    """
    found = np.asarray(answer)
    if found.dtype.kind not in "iu":
        raise Violation(f"its draws must be integers, got {found.dtype}")
    if found.shape != shape:
        raise Violation(f"its draws must have shape {shape}, got {found.shape}")
    outside = (found < 0) | (found >= num_categories)
    if outside.any():
        value = found[outside][0]
        raise Violation(f"it drew {value}, of categories 0 to {num_categories - 1}")
    return found


def _orders(answer: Any, request: Request) -> np.ndarray:
    """Return ordered samples, ``(num_draws, count)``, in which no category comes twice."""
    logits, count = request.arguments
    found = whole_numbers(answer, (request.num_draws, count), logits.shape[-1])
    ordered = np.sort(found, -1)
    twice = (ordered[:, 1:] == ordered[:, :-1]).any(-1)
    if twice.any():
        raise Violation(f"it drew a category twice: {found[twice][0].tolist()}")
    return found


def _rows_of_floats(answer: Any, request: Request) -> np.ndarray:
    """Return relaxed draws, ``(num_draws, *logits.shape)``."""
    shape = (request.num_draws, *request.arguments[0].shape)
    found = np.asarray(answer)
    if found.dtype.kind != "f":
        raise Violation(f"its draws must be floats, got {found.dtype}")
    if found.shape != shape:
        raise Violation(f"its draws must have shape {shape}, got {found.shape}")
    return found


def _pairs(answer: Any, request: Request) -> np.ndarray:
    """Return drafted and emitted categories, ``(num_draws, 2)``."""
    if not isinstance(answer, (tuple, list)) or len(answer) != 2:
        raise Violation("it must return the drafted and the emitted categories")
    num_categories = request.arguments[0].shape[-1]
    parts = [whole_numbers(x, (request.num_draws,), num_categories) for x in answer]
    return np.stack(parts, -1)


# What looks through the answers of each kind.
_LOOKED_THROUGH: dict[str, Callable[[Any, Request], Any]] = {
    "categorical": _categories,
    "without_replacement": _orders,
    "relaxed": _rows_of_floats,
    "speculative": _pairs,
}
