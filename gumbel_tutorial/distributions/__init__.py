r"""The laws of the Gumbel trick as ``torch.distributions`` objects.

Each is a ``torch.distributions.Distribution`` over the functions of this package, with torch's names
and order of arguments where torch has the law. Beyond torch's contract, ``sample`` and ``rsample`` take a
``generator``, and a tensor ``temperature`` enlarges the batch. As in torch, ``validate_args`` says whether
parameters and values are read and refused; in compiled code they never are, and the first ``torch.compile``
in a process also turns off validation where ``validate_args`` is None.

They are sites of a Pyro model as they stand: the first law that is made after Pyro was imported makes all
known to it.

Examples:
    >>> import torch
    >>> law = RelaxedOneHotCategorical(0.5, logits=torch.tensor([[0.5, -1.0, 0.2]]))
    >>> draws = law.rsample((100,), generator=torch.Generator().manual_seed(0))
    >>> draws.shape, law.log_prob(draws).shape
    (torch.Size([100, 1, 3]), torch.Size([100, 1]))
"""

from gumbel_tutorial.checks import needing

with needing(__name__, "torch"):
    import torch  # noqa: F401


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
