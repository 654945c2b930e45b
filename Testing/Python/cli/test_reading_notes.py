"""Notes of reading reach the user: in the report, and on stderr."""

import json

import numpy as np
import pytest
import SimpleITK as sitk

from StrokeSAMLib import cli
from StrokeSAMLib.cli import actions
from StrokeSAMLib.io.scan import Scan
from StrokeSAMLib.phantom import head_ct


@pytest.fixture
def file_read_as(monkeypatch, tmp_path):
    """A function that makes reading return `image` with the note "the table moved"; it returns the file's path."""

    def replace(image):
        monkeypatch.setattr(actions, "read_scan", lambda path, wanted="": Scan(image, ("the table moved",)))
        path = tmp_path / "scan.nii.gz"
        path.touch()
        return path

    return replace


def test_notes_of_reading_are_in_the_report_and_on_stderr(tmp_path, capfd, file_read_as):
    scan, report = file_read_as(head_ct(seed=6).ncct), tmp_path / "report.json"
    words = ("--method", "asymmetry", "--ncct", str(scan), "-o", str(tmp_path / "mask.nii.gz"), "--report", str(report))
    assert cli.run(["segment", *words]) == 0
    assert "note: ncct: the table moved" in capfd.readouterr().err
    assert "ncct: the table moved" in json.loads(report.read_text("utf-8"))["warnings"]


def test_notes_of_reading_are_on_stderr_of_an_interactive_session(tmp_path, capfd, file_read_as):
    image = sitk.GetImageFromArray(np.arange(8 * 30 * 30, dtype=np.int16).reshape(8, 30, 30))
    prompts = tmp_path / "prompts.json"
    entry = {"type": "point", "position": [10, 10, 4]}
    prompts.write_text(json.dumps({"space": "LPS", "prompts": [entry]}))
    words = ("prompt", file_read_as(image), "--prompts", prompts, "-o", tmp_path / "mask.nii.gz")
    assert cli.run([str(word) for word in words]) == 0
    assert "note: the table moved" in capfd.readouterr().err
