"""Folders of images, by name."""

import pytest

from StrokeSAMLib.errors import InputError
from StrokeSAMLib.imaging.folders import image_name, images_in


def test_images_by_their_names_and_nothing_else(tmp_path):
    for name in ("b.NII.GZ", "a.nrrd", ".a.nii", "notes.txt"):
        (tmp_path / name).touch()
    assert list(images_in(tmp_path).items()) == [("a", tmp_path / "a.nrrd"), ("b", tmp_path / "b.NII.GZ")]
    assert image_name(tmp_path / "x.1.nii.gz") == "x.1"


def test_two_of_one_name_none_and_no_folder_are_refused(tmp_path):
    with pytest.raises(InputError, match="no images in that folder"):
        images_in(tmp_path)
    for name in ("a.nrrd", "a.nii.gz"):
        (tmp_path / name).touch()
    with pytest.raises(InputError, match=r"a\.nrrd and a\.nii\.gz are both called a|a\.nii\.gz and a\.nrrd are both"):
        images_in(tmp_path)
    with pytest.raises(InputError, match="no such folder"):
        images_in(tmp_path / "none")
