r"""Gumbel-Softmax and its relatives in torch: logits in, samples with a derivative out.

:func:`gumbel_softmax` takes the place of ``torch.nn.functional.gumbel_softmax``; :class:`GumbelSoftmax` is
the layer. :func:`straight_through`, :func:`reinmax`, :func:`gumbel_rao` and :func:`gapped_straight_through`
draw exact one-hot samples and differ in the derivative that they send back. All take ``logits``, ``tau`` and
``dim`` as torch names them, and their noise as an argument or from a generator.
"""

from gumbel_tutorial.checks import needing

with needing(__name__, "torch"):
    import torch  # noqa: F401


from gumbel_tutorial.nn.call import gumbel_softmax
from gumbel_tutorial.nn.hard import harden
from gumbel_tutorial.nn.layer import GumbelSoftmax
from gumbel_tutorial.nn.samplers import (
    gapped_straight_through,
    gumbel_rao,
    reinmax,
    straight_through,
)

__all__ = [
    "GumbelSoftmax",
    "gapped_straight_through",
    "gumbel_rao",
    "gumbel_softmax",
    "harden",
    "reinmax",
    "straight_through",
]
