"""`strokesam dicom list`, and "#N" in other commands."""

import json

import numpy as np
import SimpleITK as sitk
from dicom_files import ids, scene, write_mr, write_series

from StrokeSAMLib import cli


def run(*words):
    return cli.run([str(word) for word in words])


def test_the_list_has_a_line_for_every_volume_and_names_no_patient(tmp_path, capfd):
    series = ids()
    for b in (0, 1000):
        write_mr(
            tmp_path / "Doe^John", series=series, prefix=b, DiffusionBValue=float(b), SeriesDescription="ep2d [diff]"
        )
    write_series(tmp_path / "ct" / "head", PatientName="Doe^John", SeriesDescription="Head")
    assert run("dicom", "list", tmp_path) == 0
    out = capfd.readouterr().out
    lines = [line.split() for line in out.splitlines()]
    assert lines[0][:4] == ["number", "modality", "description", "b"]
    assert sorted(line[1] for line in lines[1:]) == ["CT", "MR", "MR"]
    assert sorted(line[4] for line in lines[1:] if line[1] == "MR") == ["0", "1000"]
    assert "ep2d [diff]" in out
    assert "32 × 24 × 8" in out
    assert "0.75 × 0.5 × 3" in out
    assert "Doe" not in out


def test_the_list_of_a_missing_folder_or_of_one_without_images_is_refused(tmp_path, capfd):
    for folder, reason in ((tmp_path / "none", "no such file or folder"), (tmp_path, "no DICOM images there")):
        assert run("dicom", "list", folder) == 2
        assert reason in capfd.readouterr().err


def test_damaged_files_are_told_below_the_list(tmp_path, capfd):
    path = write_mr(tmp_path / "scan") / "003.dcm"
    path.write_bytes(path.read_bytes()[:-100])
    assert run("dicom", "list", tmp_path) == 0
    assert "note: 003.dcm is truncated" in capfd.readouterr().err


def test_a_volume_is_chosen_by_its_number(tmp_path, capfd):
    series = ids()
    for echo in (1, 2):
        write_mr(
            tmp_path / "scan",
            series=series,
            prefix=echo,
            values=lambda k: scene(k, 64, 64),
            EchoNumbers=echo,
            PixelSpacing=[1, 1],
        )
    prompts = tmp_path / "prompts.json"
    entry = {"type": "point", "position": [10, 10, 10]}
    prompts.write_text(json.dumps({"space": "LPS", "prompts": [entry]}))
    words = ("--prompts", prompts, "-o", tmp_path / "mask.nii.gz")
    assert run("prompt", tmp_path / "scan", *words) == 2
    assert "2 volumes fit equally" in capfd.readouterr().err
    assert run("prompt", f"{tmp_path / 'scan'}#2", *words) == 0
    assert "note: volume 2 of 2" in capfd.readouterr().err
    assert np.array(sitk.ReadImage(str(tmp_path / "mask.nii.gz")).GetSize()).tolist() == [64, 64, 8]


def test_an_output_in_the_folder_of_a_numbered_series_is_refused(tmp_path, capfd):
    write_mr(tmp_path / "scan", values=lambda k: scene(k, 64, 64))
    prompts = tmp_path / "prompts.json"
    prompts.write_text(json.dumps({"space": "LPS", "prompts": [{"type": "point", "position": [0, 0, 10]}]}))
    words = ("--prompts", prompts, "-o", tmp_path / "scan" / "mask.nii.gz")
    assert run("prompt", f"{tmp_path / 'scan'}#1", *words) == 2
    assert "lies in the folder of an input series" in capfd.readouterr().err
