r"""Problems small enough to enumerate, on which estimators are compared.

Each is a function f of one-hot or relaxed samples and the logits at which its gradient is asked for.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from gumbel_tutorial.estimators.protocol import Losses


@dataclass(frozen=True)
class Problem:
    """A loss f and the logits, shape ``(..., K)``, at which its expected gradient is estimated."""

    f: Losses
    logits: torch.Tensor


def squared_distance(target: float, prob: float = 0.5) -> Problem:
    r"""Return $f(z) = (z_2 - t)^2$ for a bit with $\Pr(z_2 = 1) = p$: the toy of Tucker et al. (2017).

    The gradient in $\ell_2 - \ell_1$ is $p(1-p)(1-2t)$, small beside f as t nears one half.
    """
    logits = torch.tensor([1 - prob, prob], dtype=torch.float64).log()
    return Problem(lambda z: (z[..., 1] - target) ** 2, logits)


def network(variables: int, num_categories: int, *, seed: int) -> Problem:
    """Return a small random tanh network of several categorical variables, for its loss and its logits.

    The size of its inputs is that of three variables, however many there are.

    Args:
        variables: how many, N.
        num_categories: the number of categories, K.
        seed: of the weights and the logits.
    """
    generator, width = torch.Generator().manual_seed(seed), 8

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, dtype=torch.float64, generator=generator)

    size = variables * num_categories
    first, second = normal(size, width), normal(width) / width**0.5
    first = first * (3 / variables) ** 0.5
    return Problem(
        lambda z: (torch.tanh(z.flatten(-2) @ first.to(z)) @ second.to(z) - 1) ** 2,
        normal(variables, num_categories) / 2,
    )


def _one_variable(f: Losses) -> Problem:
    return Problem(f, torch.tensor([1.0, 0.3, -0.3, -1.0], dtype=torch.float64))


# Recovered, to three digits, from recorded biases and variances of nine estimators of a linear loss.
_LINE = (0.1, 0.75, -0.34, 1.0)


def _along_the_line(z: torch.Tensor) -> torch.Tensor:
    return z @ z.new_tensor(_LINE)


PROBLEMS: Mapping[str, Problem] = {
    "toy 0.45": squared_distance(0.45),
    "toy 0.49": squared_distance(0.49),
    "toy 0.499": squared_distance(0.499),
    "linear": _one_variable(_along_the_line),
    "quadratic": _one_variable(lambda z: (_along_the_line(z) + 2 * z[..., 0] - 1) ** 2),
    "cubic": _one_variable(lambda z: (_along_the_line(z) + z[..., 0]) ** 3),
    "exp+tanh": _one_variable(
        lambda z: _along_the_line(z).exp() + torch.tanh(4 * z[..., 1] - 3 * z[..., 3])
    ),
    "network": network(variables=3, num_categories=4, seed=5),
}

# The settings that the laboratory compares: a label, the estimator's name, its options.
CONTESTANTS: Mapping[str, tuple[str, Mapping[str, float]]] = {
    "REINFORCE": ("reinforce", {}),
    "RLOO, 2 samples": ("rloo", {"num_samples": 2}),
    "RLOO, 4 samples": ("rloo", {"num_samples": 4}),
    "RLOO, 16 samples": ("rloo", {"num_samples": 16}),
    "unordered set, 2": ("unordered_set", {"num_samples": 2}),
    "MuProp": ("muprop", {}),
    "REBAR, 0.5": ("rebar", {"temperature": 0.5}),
    "straight-through": ("straight_through", {}),
    "DARN": ("darn", {}),
    "ReinMax, ZGR": ("reinmax", {}),
    "Gumbel-Softmax, 1": ("gumbel_softmax", {"temperature": 1.0}),
    "Gumbel-Softmax, 0.5": ("gumbel_softmax", {"temperature": 0.5}),
    "Gumbel-Softmax, 0.1": ("gumbel_softmax", {"temperature": 0.1}),
    "ST Gumbel-S., 1": ("straight_through_gumbel_softmax", {"temperature": 1.0}),
    "ST Gumbel-S., 0.5": ("straight_through_gumbel_softmax", {"temperature": 0.5}),
    "ST Gumbel-S., 0.1": ("straight_through_gumbel_softmax", {"temperature": 0.1}),
    "decoupled, 0.3 and 1": ("decoupled_straight_through", {}),
    "Gumbel-Rao, 0.5": ("gumbel_rao", {"temperature": 0.5}),
    "Gumbel-Rao, 0.1": ("gumbel_rao", {"temperature": 0.1}),
    "gapped ST, 0.5": ("gapped_straight_through", {"temperature": 0.5}),
}
