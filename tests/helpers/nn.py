"""What the short and the general way to a sample may differ by."""

import torch


def rounding(logits, gumbels, tau):
    """Return how far rounding may move an entry of a relaxed sample, as a share of it.

    A scaled logit of size s is rounded by a few eps s, its exponential moves by as much, and so does the sum.
    """
    perturbed = (logits - logits.amax(-1, keepdim=True) + gumbels).detach()
    largest = (perturbed[perturbed > -torch.inf].abs().max() / tau).item()
    return 8 * (1 + largest) * torch.finfo(logits.dtype).eps
