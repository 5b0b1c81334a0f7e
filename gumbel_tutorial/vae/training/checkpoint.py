"""Checkpoints: tensors and a configuration in one safetensors file, written whole or not at all.

Reading one runs no code. A digest of the content tells a damaged file from a sound one.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save


class Checkpoint(NamedTuple):
    """The state of a run, its configuration, and the type of its device; "" where the file does not say."""

    state: dict[str, torch.Tensor]
    config: dict[str, Any]
    device: str


def write(
    path: Path,
    state: Mapping[str, torch.Tensor],
    config: Mapping[str, Any],
    device: str = "",
) -> None:
    """Write a checkpoint beside its place, then move it there: the one before stays until that moment.

    Raises:
        FloatingPointError: a tensor of the state is not finite; nothing is written.
        OSError: the folder or the disk does not take it; nothing of it is left behind.
    """
    tensors = {name: value.detach().cpu().contiguous() for name, value in state.items()}
    _check_finite(tensors)
    text = json.dumps(config)
    metadata = {"config": text, "digest": _digest(tensors, text + device)}
    if device:
        metadata["device"] = device
    write_whole(path, save(tensors, metadata))


def read(path: Path) -> Checkpoint:
    """Read a checkpoint, onto the CPU.

    Raises:
        FileNotFoundError: there is none.
        ValueError: it is damaged, or no checkpoint.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing; it holds the state of a run")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        text, digest = metadata["config"], metadata["digest"]
        device = metadata.get("device", "")
        config = json.loads(text)
    except (SafetensorError, KeyError, ValueError) as error:
        raise ValueError(f"{path} must be a checkpoint, got {error}") from error
    if digest != _digest(tensors, text + device):
        raise ValueError(f"{path} must be undamaged, got content of another digest")
    return Checkpoint(tensors, config, device)


def write_whole(path: Path, content: bytes) -> None:
    """Put bytes on disk under a name of their own, and then under ``path``."""
    part = path.with_name(f"{path.name}.part")
    try:
        with part.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        # A full disk says so without saying where.
        error.filename = error.filename or str(part)
        part.unlink(missing_ok=True)
        raise


def _check_finite(tensors: Mapping[str, torch.Tensor]) -> None:
    for name, value in tensors.items():
        own = name.startswith(("model.", "optimizer."))
        if own and value.is_floating_point() and not value.isfinite().all():
            raise FloatingPointError(f"{name} must be finite, got an entry that is not")


def _digest(tensors: Mapping[str, torch.Tensor], text: str) -> str:
    digest = hashlib.sha256(text.encode())
    for name in sorted(tensors):
        value = tensors[name]
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        digest.update(value.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
