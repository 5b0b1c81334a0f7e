"""What the chapters read off the record of a CUDA device."""

import pytest

from gumbel_tutorial.book import gpu, records

SPEEDS = {
    "milliseconds": {"copy": 1.0, "sample": 0.25, "F, index": 5.0},
    "shares": {"sample": 0.5, "gumbel_max": 0.25, "soft": 0.75, "backward": 1.0},
}
RECORDS = {
    "gpu": {
        "device": {"multiprocessors": 100, "megahertz": 1000.0},
        "small": {"soft": 4.0, "F, soft": 3, "soft, graph": 2, "F, soft, graph": 1},
        "(9, 16384) torch.float32": SPEEDS,
        "(9, 16384) torch.bfloat16": {"milliseconds": {}, "shares": {}},
    },
    "instructions": {
        name: {"instructions": 12.0, "bytes": size}
        for name, size in (("cells", 4), ("gumbel-max", 4), ("soft", 8))
    }
    | {"backward": {"instructions": 12.0, "bytes": 12}},
}


@pytest.fixture
def given(monkeypatch):
    monkeypatch.setattr(records, "read", lambda name: {"results": RECORDS[name]})


@pytest.mark.usefixtures("given")
def test_a_chip_starts_an_instruction_per_lane_and_cycle():
    chip = gpu.chip()
    assert chip["instructions"] == 100 * 128 * 1e9
    # 16,384 rows of as many numbers, 8 bytes each, in a millisecond.
    assert chip["bandwidth"] == pytest.approx(8 * 16_384**2 / 1e-3)


@pytest.mark.usefixtures("given")
def test_a_kernel_has_its_instructions_per_four_bytes_and_its_share():
    found = gpu.kernels()
    assert found["tiles"] == (12, 0.5)
    assert found["soft"] == (6, 0.75)
    assert found["backward"] == (4, 1.0)


@pytest.mark.usefixtures("given")
def test_half_precision_is_no_width_and_microseconds_go_by_their_names():
    assert list(gpu.by_width()) == [16_384]
    assert list(gpu.small().values()) == [3, 4, 1, 2]


def test_the_comparison_is_that_of_the_record():
    rows, header = gpu.comparison()
    assert header[0] == "<i>K</i>"
    assert all(len(row) == len(header) for row in rows)
    by_width = gpu.by_width()
    speeds = by_width[1000]
    assert rows[0][1] == f"{100 * speeds['shares']['sample']:.0f}"
    gains = [
        each["milliseconds"]["F, soft"] / each["milliseconds"]["soft"]
        for each in by_width.values()
    ]
    assert rows[2][-1] == f"{min(gains):.1f}"
    # Cells have been cut otherwise since: what was measured is of another kernel.
    assert rows[0][header.index("50,257")] == "–"
