"""Records: read by name, from a file or a folder, wherever the reader stands."""

import json

import pytest

from gumbel_tutorial.book import records


@pytest.fixture
def recorded(tmp_path, monkeypatch):
    monkeypatch.setattr(records, "RECORDED", tmp_path)
    (tmp_path / "times.json").write_text(json.dumps({"results": [1, 2]}))
    (tmp_path / "runs").mkdir()
    for number in (2, 10):
        (tmp_path / "runs" / f"run{number}.json").write_text(str(number))
    (tmp_path / "runs" / "run2.lock").touch()


@pytest.mark.usefixtures("recorded")
def test_a_file_is_read_by_its_name():
    assert records.read("times") == {"results": [1, 2]}


@pytest.mark.usefixtures("recorded")
def test_a_folder_is_read_as_its_files_by_name():
    assert records.read("runs") == {"run10": 10, "run2": 2}


@pytest.mark.usefixtures("recorded")
@pytest.mark.parametrize("name", ["nothing", "times.json", "../times", ""])
def test_a_name_without_a_record_is_refused_with_those_there_are(name):
    with pytest.raises(ValueError, match="name must be one of runs, times, got"):
        records.read(name)


def test_records_are_read_from_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert set(records.read("sampling")) == {"machine", "results"}
