"""Checkpoints: whole or not at all, sound or refused, and never run as code."""

import errno
import hashlib
import json
import os

import pytest
import torch
from safetensors.torch import save

from gumbel_tutorial.vae.training import checkpoint

STATE = {
    "step": torch.tensor(7),
    "generator": torch.Generator().get_state(),
    "model.weight": torch.randn(3, 4, generator=torch.Generator().manual_seed(0)),
    "estimators._extra_state": torch.tensor([torch.nan], dtype=torch.float64),
    "model.nothing": torch.zeros(0),
}
CONFIG = {"estimator": "rloo", "hidden": [3, 4], "options": {"num_samples": 2.0}}


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "checkpoint.safetensors"
    checkpoint.write(path, STATE, CONFIG)
    return path


def test_what_is_written_is_read(path):
    found = checkpoint.read(path)
    assert found.config == CONFIG
    assert set(found.state) == set(STATE)
    for name, value in STATE.items():
        torch.testing.assert_close(
            found.state[name], value, rtol=0, atol=0, equal_nan=True
        )
        assert found.state[name].dtype == value.dtype
    assert [p.name for p in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_a_file_cut_short_is_refused(path, share):
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(ValueError, match=f"{path} must be a checkpoint, got"):
        checkpoint.read(path)


def test_a_flipped_bit_is_refused_wherever_it_lies(path):
    content = path.read_bytes()
    for position in range(0, len(content), 41):
        damaged = bytearray(content)
        damaged[position] ^= 4
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=f"{path} must be"):
            checkpoint.read(path)


def test_another_file_is_refused(path):
    path.write_bytes(b"not a checkpoint")
    with pytest.raises(ValueError, match="must be a checkpoint"):
        checkpoint.read(path)


def test_code_in_a_checkpoint_is_not_run(path, tmp_path):
    class Bomb:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "exploded"),))

    torch.save({"model": Bomb()}, path)
    with pytest.raises(ValueError, match="must be a checkpoint"):
        checkpoint.read(path)
    assert not (tmp_path / "exploded").exists()


def test_a_missing_checkpoint_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="No such file.*checkpoint.safetensors"):
        checkpoint.read(tmp_path / "checkpoint.safetensors")


def test_a_full_disk_leaves_the_checkpoint_before(path, monkeypatch):
    before = path.read_bytes()

    def full(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left on device.*checkpoint"):
        checkpoint.write(path, {**STATE, "step": torch.tensor(8)}, CONFIG)
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_a_state_that_is_not_finite_is_not_written(path):
    before = path.read_bytes()
    bad = {**STATE, "model.weight": torch.tensor([1.0, torch.nan])}
    with pytest.raises(FloatingPointError, match="model.weight must be finite"):
        checkpoint.write(path, bad, CONFIG)
    assert path.read_bytes() == before


def test_what_else_is_known_is_kept_and_under_the_digest(path):
    assert checkpoint.read(path).about == {}
    checkpoint.write(path, STATE, CONFIG, {"device": "cuda", "threads": 2})
    assert checkpoint.read(path).about == {"device": "cuda", "threads": 2}
    path.write_bytes(path.read_bytes().replace(b"cuda", b"cudo"))
    with pytest.raises(checkpoint.Damaged, match="must be undamaged"):
        checkpoint.read(path)


def test_a_checkpoint_of_an_earlier_version_says_its_device(path):
    text = json.dumps(CONFIG)
    # The digest was of the tensors, the configuration and the device; here of a file of one byte.
    state = {"x": torch.tensor([7], dtype=torch.uint8)}
    content = f"{text}cudax torch.uint8 (1,)".encode() + bytes([7])
    digest = hashlib.sha256(content).hexdigest()
    said = {"config": text, "digest": digest, "device": "cuda"}
    path.write_bytes(save(state, said))
    assert checkpoint.read(path).about == {"device": "cuda"}


def test_the_checkpoint_before_is_kept_where_that_is_asked(path):
    first, before = path.read_bytes(), path.with_name("before.safetensors")
    later = {**STATE, "step": torch.tensor(8)}
    checkpoint.write(path, later, CONFIG, before=before)
    assert before.read_bytes() == first
    assert checkpoint.read(path).state["step"] == 8
    checkpoint.write(before.with_name("new.safetensors"), STATE, CONFIG, before=path)
    assert checkpoint.read(path).state["step"] == 8  # of a new one there is none
