r"""The laws of the Gumbel trick as ``torch.distributions`` objects.

Each is a ``torch.distributions.Distribution`` over the functions of this package, with torch's names
and order of arguments where torch has the law. Beyond torch's contract, ``sample`` and ``rsample`` take a
``generator``, and a tensor ``temperature`` enlarges the batch. As in torch, ``validate_args`` says whether
parameters and values are read and refused; in compiled code they never are, and the first ``torch.compile``
of a process turns off what None stands for.

They are sites of a Pyro model as they stand, if Pyro is imported before they are made.
"""

from gumbel_tutorial.distributions.gumbel import Gumbel
from gumbel_tutorial.distributions.gumbel_max import GumbelMax
from gumbel_tutorial.distributions.plackett_luce import PlackettLuce
from gumbel_tutorial.distributions.relaxed_bernoulli import (
    LogitRelaxedBernoulli,
    RelaxedBernoulli,
)
from gumbel_tutorial.distributions.relaxed_categorical import (
    ExpRelaxedCategorical,
    RelaxedOneHotCategorical,
)
from gumbel_tutorial.distributions.straight_through import OneHotStraightThrough
from gumbel_tutorial.distributions.truncated_gumbel import TruncatedGumbel

__all__ = [
    "ExpRelaxedCategorical",
    "Gumbel",
    "GumbelMax",
    "LogitRelaxedBernoulli",
    "OneHotStraightThrough",
    "PlackettLuce",
    "RelaxedBernoulli",
    "RelaxedOneHotCategorical",
    "TruncatedGumbel",
]
