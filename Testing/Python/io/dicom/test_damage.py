"""Damaged DICOM: whatever bytes change, an image or a refusal of one line comes of it, soon."""

import time

import numpy as np
import pytest
from dicom_damage import damaged, dicom_seeds
from dicom_files import write_mr

from StrokeSAMLib.core.errors import InputError
from StrokeSAMLib.io.reading import read_image

FILES, SERIES = 300, 120


def outcome(path):
    """ "read" or the reason of the refusal."""
    start = time.perf_counter()
    try:
        read_image(path)
        reason = "read"
    except InputError as error:
        reason = str(error)
    assert "\n" not in reason
    assert time.perf_counter() - start < 30  # 5 s, on a machine with other work
    return reason


def test_damaged_files_are_read_or_refused(tmp_path, capfd):
    seeds = list(dicom_seeds(tmp_path).items())
    outcomes = []
    for number in range(FILES):
        name, content = seeds[number % len(seeds)]
        path = tmp_path / name
        path.write_bytes(damaged(content, np.random.default_rng((1, number))))
        outcomes.append(outcome(path))
    assert 0 < outcomes.count("read") < FILES
    assert capfd.readouterr().err == ""


def test_series_with_damaged_slices_are_read_or_refused(tmp_path, capfd):
    folder = write_mr(tmp_path / "scan", count=5, values=lambda k: np.full((8, 8), k), DiffusionBValue=0.0)
    whole = {path: path.read_bytes() for path in folder.iterdir()}
    outcomes = []
    for number in range(SERIES):
        random = np.random.default_rng((2, number))
        for path, content in whole.items():
            path.write_bytes(damaged(content, random) if random.random() < 0.4 else content)
        outcomes.append(outcome(folder))
    assert 0 < outcomes.count("read") < SERIES
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("tags", "reason"),
    [
        ({"Rows": 65535, "Columns": 65535}, "impossible matrix of 65535 × 65535"),
        ({"Rows": 0}, "impossible matrix of 0 ×"),
        ({"Rows": 4000, "Columns": 4000}, r"is truncated: \d+ bytes of pixels where its matrix needs 32000000"),
        ({"NumberOfFrames": 2**31 - 1}, "impossible number of frames"),
        ({"BitsAllocated": 24}, "24 bits a pixel"),
    ],
)
def test_a_header_that_asks_for_more_than_there_is_is_refused_before_memory_is_taken(tmp_path, tags, reason):
    folder = write_mr(tmp_path, **{name: (lambda k, v=value: v) for name, value in tags.items()})
    with pytest.raises(InputError, match=f"000.dcm (has an? )?(has )?{reason}"):
        read_image(folder)
