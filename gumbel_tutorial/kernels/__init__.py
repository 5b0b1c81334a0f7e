r"""Fused kernels for CUDA tensors: a category or a relaxed sample in one pass over the logits.

``nn.gumbel_softmax`` and ``categorical.sample`` use them by themselves where they can; they can be called
here too. Logits are float32, bfloat16 or float16, of any leading shape; arithmetic and noise are float32,
and the noise has 64 random bits where an exponential is small, so that a Gumbel reaches 45
(``device.gumbel_noise``). A number depends on the generator's state and on its row and place, never on how
the work is divided (``device.random_bits``).

Bytes per category read and written, in float32, with what eager operations of torch move:

==========================================  =====  =====
call                                        bytes  eager
==========================================  =====  =====
:func:`sample`, :func:`gumbel_max`              4     84
:func:`gumbel_softmax`, soft, forward           8     48
the same, backward                             12     20
:func:`straight_through_index`, forward         4     80
the same, backward                             12     20
==========================================  =====  =====

Rows of more than 16,384 categories (8,192, if four do not divide them) do not fit one program: the soft
forward pass then takes 12 bytes, and a backward pass 20. Logits whose categories do not lie side by side are
copied first, at 8 bytes.

The seed of a call is drawn on the device: a CUDA graph that is replayed draws anew. A generator of one's own
has to be registered with the graph, as for torch's own functions. Nothing here waits for the device but the
reading of values, which :class:`gumbel_tutorial.checks.check_values` turns off. With ``TRITON_INTERPRET=1``
set before triton is imported, NumPy runs the kernels on the CPU, slowly.
"""

from gumbel_tutorial.checks import needing

with needing(__name__, "triton"):
    import triton  # noqa: F401

from gumbel_tutorial.kernels.calls import (
    can_run,
    embed,
    gumbel_like,
    gumbel_max,
    gumbel_softmax,
    sample,
    straight_through_index,
)

__all__ = [
    "can_run",
    "embed",
    "gumbel_like",
    "gumbel_max",
    "gumbel_softmax",
    "sample",
    "straight_through_index",
]
