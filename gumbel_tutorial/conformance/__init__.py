r"""Does a sampler draw what it says? Checks for samplers of any library, language or server.

A sampler under test is a function, and what it draws is its kind:

* ``"categorical"``: ``sample(logits, num_draws, seed)`` returns integers ``(num_draws, *rows)`` of float32
  logits ``(K,)`` or ``(rows, K)``, which may hold -inf;
* ``"without_replacement"``: ``sample(logits, count, num_draws, seed)`` returns ``(num_draws, count)``, the
  categories in the order in which they were drawn;
* ``"relaxed"``: ``sample(logits, num_draws, seed, temperature)`` returns floats of shape
  ``(num_draws, *logits.shape)``;
* ``"speculative"``: ``sample(draft_logits, target_logits, num_draws, seed)`` returns the drafted and the
  emitted categories, ``(num_draws,)`` each.

Further keywords that the signature names are checked too. Of a categorical sampler these are ``temperature``,
``top_k``, ``top_p``, ``min_p``, ``mask``, an array of the shape of the logits that is true where a category
is open, and ``dtype``, which is ``"float16"`` or ``"bfloat16"`` for logits that this can hold exactly. Of a
relaxed one they are ``hard``, with which it returns one-hot rows, and ``dtype``. What the signature does not
name is not checked, and the report says so. A sampler that raises NotImplementedError leaves out the check in
which it does. One that gives a row the same draws in every batch says so by an attribute,
``sample.batch_invariant = True``, and is held to it.

:func:`check` returns a report and :func:`assert_samples` raises an error, for tests. ``python -m
gumbel_tutorial.conformance check MODULE:FUNCTION`` prints the report, and ``list`` all checks with the errors
that they catch. :mod:`gumbel_tutorial.conformance.adapters` has the samplers of libraries by name;
:class:`Program` asks one that is written in another language.

A sound sampler has the law, and gives independent results in the rows and draws of a call and for other
seeds. It fails a report with a probability of at most 1e-6, by a bound that is exact
(:class:`gumbel_tutorial.conformance.evidence.Evidence`). Each check names an error that it catches, and with
which probability.
"""

from gumbel_tutorial.checks import needing

with needing(__name__, "conformance"):
    import scipy  # noqa: F401

from gumbel_tutorial.conformance.outside import Program
from gumbel_tutorial.conformance.questions import Check
from gumbel_tutorial.conformance.records import Finding
from gumbel_tutorial.conformance.report import Line, Report
from gumbel_tutorial.conformance.running import FALSE_ALARM, assert_samples, check

__all__ = [
    "FALSE_ALARM",
    "Check",
    "Finding",
    "Line",
    "Program",
    "Report",
    "assert_samples",
    "check",
]
