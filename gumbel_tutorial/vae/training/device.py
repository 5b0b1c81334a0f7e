"""The device that a command names."""

import torch


def find_device(name: str) -> torch.device:
    """Return the device of a name, which must be there and able to draw.

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
