"""Writing images, and the checks of their paths."""

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from small_images import image_from

from StrokeSAMLib.core.errors import InputError
from StrokeSAMLib.imaging.geometry import image_like
from StrokeSAMLib.io.writing import check_image_output, check_output, write_image


def test_writes_an_image_and_leaves_no_other_file(tmp_path):
    path = tmp_path / "mask.nii.gz"
    write_image(image_like(np.eye(3, dtype=bool)[None], sitk.Image(3, 3, 1, sitk.sitkUInt8)), path)
    assert sitk.GetArrayFromImage(sitk.ReadImage(str(path))).sum() == 3
    assert list(tmp_path.iterdir()) == [path]


def test_refuses_a_path_that_cannot_be_written(tmp_path):
    scan = tmp_path / "scan.nii.gz"
    scan.write_text("scan")
    series = tmp_path / "series"
    series.mkdir()
    refused = [
        (scan, "one of the inputs"),
        (tmp_path / "absent" / "x.nii.gz", "cannot write there"),
        (tmp_path, "is a folder"),
        (series / "x.nii.gz", "folder of an input series"),
    ]
    for path, reason in refused:
        with pytest.raises(InputError, match=reason):
            check_output(path, [scan, series])
    assert sorted(tmp_path.iterdir()) == [scan, series]
    assert scan.read_text("utf-8") == "scan"


def test_refuses_a_read_only_file():
    """The check runs as an ordinary user: no file is read-only to root."""
    code = """if True:
        import os, sys
        from pathlib import Path
        from StrokeSAMLib.core.errors import InputError
        from StrokeSAMLib.io.writing import check_output
        if os.geteuid() == 0:
            os.setuid(65534)
        try:
            check_output(Path(sys.argv[1]), [])
        except InputError as error:
            print(error)
    """
    # Other users cannot enter pytest's own folders.
    with tempfile.TemporaryDirectory() as name:
        folder, path = Path(name), Path(name, "lesion.nii.gz")
        folder.chmod(0o777)
        path.write_text("old")
        path.chmod(0o666)
        assert output_of(code, path) == ""
        path.chmod(0o444)
        assert output_of(code, path) == f"{path}: the file exists and is read-only\n"
        assert path.read_text("utf-8") == "old" and list(folder.iterdir()) == [path]


def output_of(code, path):
    command = [sys.executable, "-c", code, str(path)]
    return subprocess.run(command, stdout=subprocess.PIPE, encoding="utf-8", check=True).stdout


# Formats of two files, of one slice, or without geometry; an unknown format; no format at all.
@pytest.mark.parametrize(
    "name", ["o.hdr", "o.img", "o.mhd", "o.nhdr", "o.png", "o.tif", "o.vtk", "o.gipl", "o.docx", "o", ".nrrd"]
)
def test_refuses_a_name_under_which_a_mask_is_lost(tmp_path, name):
    with pytest.raises(InputError, match=r"under this name; use \.nii\.gz, \.nii, \.nrrd or \.mha"):
        check_image_output(tmp_path / name, [])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["o.nii.gz", "o.nii", "o.nrrd", "o.mha", "case.1.nii.gz"])
def test_a_permitted_format_keeps_voxels_and_geometry(tmp_path, name):
    path = tmp_path / name
    check_image_output(path, [])
    mask = image_like(np.eye(3, dtype=bool)[None], image_from(np.zeros((1, 3, 3), np.uint8), (0.5, 0.7, 5.0)))
    mask.SetOrigin((-10.0, 20.0, 30.0))
    write_image(mask, path)
    written = sitk.ReadImage(str(path))
    np.testing.assert_array_equal(sitk.GetArrayViewFromImage(written), sitk.GetArrayViewFromImage(mask))
    assert written.GetSpacing() == pytest.approx(mask.GetSpacing())
    assert written.GetOrigin() == pytest.approx(mask.GetOrigin())
    assert list(tmp_path.iterdir()) == [path]
