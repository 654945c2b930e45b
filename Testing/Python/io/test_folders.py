"""Folders of images."""

import pytest

from StrokeSAMLib.core.errors import InputError
from StrokeSAMLib.io.folders import image_name, images_in


def test_only_images_are_listed_by_name(tmp_path):
    for name in ("b.NII.GZ", "a.nrrd", ".a.nii", "notes.txt"):
        (tmp_path / name).touch()
    assert list(images_in(tmp_path).items()) == [("a", tmp_path / "a.nrrd"), ("b", tmp_path / "b.NII.GZ")]
    assert image_name(tmp_path / "x.1.nii.gz") == "x.1"


def test_equal_names_an_empty_folder_and_a_missing_folder_are_refused(tmp_path):
    with pytest.raises(InputError, match="no images in that folder"):
        images_in(tmp_path)
    for name in ("a.nrrd", "a.nii.gz"):
        (tmp_path / name).touch()
    with pytest.raises(InputError, match=r"a\.(nrrd and a\.nii\.gz|nii\.gz and a\.nrrd) have the same name a"):
        images_in(tmp_path)
    with pytest.raises(InputError, match="no such folder"):
        images_in(tmp_path / "none")
