"""The device that a command names, and that of a model."""

import torch
from torch import nn

from gumbel_tutorial.vae.data.images import Images


def find_device(name: str) -> torch.device:
    """Return the named device. It must exist on this machine and support ``torch.Generator``.

    On CUDA convolutions are told to repeat exactly, and in full precision, as matrix products do.

    Raises:
        ValueError: torch does not know the name, or the machine has no such device.

    Examples:
        >>> find_device("cpu")
        device(type='cpu')
    """
    try:
        device = torch.device(name)
    except RuntimeError:
        raise ValueError(
            f"device must be a name such as cpu or cuda, got {name!r}"
        ) from None
    try:
        torch.Generator(device)
        torch.empty(1, device=device)
    # A torch without CUDA says so by an assertion.
    except (RuntimeError, AssertionError, NotImplementedError):
        raise ValueError(f"device must be one of this machine, got {name!r}") from None
    if device.type == "cuda":
        torch.backends.cudnn.deterministic = True
        torch.backends.cudnn.allow_tf32 = False
    return device


def on_device(images: Images, model: nn.Module) -> Images:
    """Return images where the weights of a model are, and of their dtype."""
    weights = next(model.parameters(), None)
    if weights is None:
        return images
    moved = images.to(weights.device)
    return moved._replace(pixels=moved.pixels.to(weights.dtype))


def device_of(model: nn.Module) -> torch.device:
    """Return the device of the weights of a model; the CPU where it has none.

    Examples:
        >>> device_of(nn.Linear(2, 3))
        device(type='cpu')
    """
    weights = next(model.parameters(), None)
    return torch.device("cpu") if weights is None else weights.device
