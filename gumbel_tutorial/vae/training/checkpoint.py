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


class Damaged(ValueError):
    """A file that is no sound checkpoint."""


class Checkpoint(NamedTuple):
    """The state of a run, its configuration, and what else is known of it, by name.

    The configuration is as the file has it, whatever that is.
    """

    state: dict[str, torch.Tensor]
    config: Any
    about: dict[str, Any]


def write(
    path: Path,
    state: Mapping[str, torch.Tensor],
    config: Mapping[str, Any],
    about: Mapping[str, Any] | None = None,
    *,
    before: Path | None = None,
) -> None:
    """Write a checkpoint beside its place, then move it there: the one before stays until that moment.

    Args:
        path: its place.
        state: tensors by name.
        config: the configuration of the run.
        about: what else is to be known of the run, in JSON's types.
        before: where the previous checkpoint is moved; None drops it.

    Raises:
        FloatingPointError: a tensor of the state is not finite; nothing is written.
        OSError: the folder or the disk does not take it; nothing of it is left behind.
    """
    tensors = {name: value.detach().cpu().contiguous() for name, value in state.items()}
    _check_finite(tensors)
    text, more = json.dumps(config), json.dumps(about) if about else ""
    metadata = {"config": text, "digest": _digest(tensors, text + more)}
    if more:
        metadata["about"] = more
    write_whole(path, save(tensors, metadata), before)


def read(path: Path) -> Checkpoint:
    """Read a checkpoint, onto the CPU.

    Raises:
        FileNotFoundError: there is none.
        OSError: it cannot be read.
        Damaged: it is no sound checkpoint.
    """
    path.open(
        "rb"
    ).close()  # says why where it cannot be read, which safetensors does not
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        text, digest = metadata["config"], metadata["digest"]
        config, more = json.loads(text), metadata.get("about", "")
        about = json.loads(more) if more else {}
        # Before there was more to say, the type of the device stood alone.
        if "device" in metadata:
            more = metadata["device"]
            about = {"device": more}
    except (SafetensorError, KeyError, ValueError) as error:
        raise Damaged(f"{path} must be a checkpoint, got {error}") from error
    if digest != _digest(tensors, text + more):
        raise Damaged(f"{path} must be undamaged, got content of another digest")
    return Checkpoint(tensors, config, about)


def write_whole(path: Path, content: bytes, before: Path | None = None) -> None:
    """Put bytes on disk under a name of their own, then under ``path``, whose file goes ``before``."""
    part = path.with_name(f"{path.name}.part")
    try:
        with part.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if before is not None and path.exists():
            path.replace(before)
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
