"""A folder has one command at a time."""

import pytest

from gumbel_tutorial.vae.runs.lock import held


def test_a_folder_is_held_until_its_holder_ends(tmp_path):
    message = f"record must be that of no other running command, got {tmp_path}"
    with (
        held(tmp_path, "record"),
        pytest.raises(ValueError, match=message),
        held(tmp_path, "record"),
    ):
        pass
    with held(tmp_path, "record"):
        pass


def test_an_error_gives_the_folder_back(tmp_path):
    with pytest.raises(KeyError), held(tmp_path, "output"):
        raise KeyError
    with held(tmp_path, "output"):
        pass


def test_a_folder_that_takes_no_file_is_named(tmp_path):
    (tmp_path / ".lock").mkdir()
    with pytest.raises(OSError, match=str(tmp_path)), held(tmp_path, "output"):
        pass
