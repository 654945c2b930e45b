"""Tissue maps from a T1-weighted brain."""

import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from helpers import ball_anatomy, load_script

from StrokeSAMLib.io.writing import write_image
from StrokeSAMLib.training.synthesis import read_anatomies

SCRIPT = Path(__file__).parents[3] / "tissue_maps.py"


@pytest.fixture(scope="module")
def script():
    return load_script(SCRIPT)


@pytest.fixture(scope="module")
def labels():
    return sitk.GetArrayFromImage(ball_anatomy())


@pytest.fixture(scope="module")
def t1(labels):
    """The ball as a T1-weighted image with a noise of 1. Its ventricle is darker than the fluid outside."""
    values = np.array([0.0, 30.0, 57.0, 73.0])[labels]
    values[32:40, 36:44, 32:40] = 18
    values += np.random.default_rng(3).normal(0, 1, values.shape) * (labels > 0)
    image = sitk.GetImageFromArray(values.astype(np.float32))
    image.SetSpacing((2.0, 2.0, 2.0))
    return image


def test_voxels_of_one_tissue_get_that_tissue(script, t1, labels):
    maps = {tissue: sitk.GetArrayFromImage(image) for tissue, image in script.tissue_maps(t1).items()}
    for label, tissue in ((1, "csf"), (2, "grey"), (3, "white")):
        where = labels == label
        where[32:40, 36:44, 32:40] = False
        assert maps[tissue][where].mean() > 0.95
        assert maps[tissue][labels == 0].max() == 0


def test_a_ventricle_is_fluid_and_part_of_the_brain(script, t1):
    ventricle = sitk.GetArrayFromImage(script.tissue_maps(t1)["csf"])[32:40, 36:44, 32:40]
    assert ventricle.min() > 0.9


def test_a_voxel_between_two_means_is_a_mixture(script, t1):
    values = sitk.GetArrayFromImage(t1)
    _, grey, white = script.class_means(t1)
    values[20, 40, 36] = grey + (white - grey) / 4
    image = sitk.GetImageFromArray(values)
    image.CopyInformation(t1)
    maps = {tissue: sitk.GetArrayFromImage(part)[20, 40, 36] for tissue, part in script.tissue_maps(image).items()}
    assert maps == pytest.approx({"csf": 0, "grey": 0.75, "white": 0.25}, abs=0.01)


def test_the_files_are_an_anatomy(script, t1, tmp_path, monkeypatch):
    write_image(t1, tmp_path / "ball.nii.gz")
    monkeypatch.setattr(sys, "argv", ["tissue_maps.py", str(tmp_path / "ball.nii.gz"), str(tmp_path / "maps")])
    script.main()
    (anatomy,) = read_anatomies(tmp_path / "maps")
    assert anatomy.name == "ball"
    assert anatomy.tissue.sum(0).max() == pytest.approx(1, abs=1e-3)
