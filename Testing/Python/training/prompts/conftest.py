"""Fixtures of the tests of `prompt-unet`'s training."""

import numpy as np
import pytest
import SimpleITK as sitk
from helpers import ball_anatomy


@pytest.fixture(scope="session")
def heads(tmp_path_factory):
    """Heads of one anatomy, a ball."""
    pytest.importorskip("torch")
    from StrokeSAMLib.training.prompts.backgrounds import Heads
    from StrokeSAMLib.training.synthesis import read_anatomies

    folder = tmp_path_factory.mktemp("anatomy")
    sitk.WriteImage(ball_anatomy(), str(folder / "ball.nii.gz"))
    return Heads(read_anatomies(folder))


@pytest.fixture(scope="session")
def shape_folder(tmp_path_factory):
    """Two masks: a beam with a small part beside it, and one that is too small to be a shape."""
    folder = tmp_path_factory.mktemp("shapes")
    mask = np.zeros((20, 30, 40), np.uint8)
    mask[5:15, 10:16, 8:32] = 1
    mask[2:4, 25:28, 2:4] = 1
    sitk.WriteImage(sitk.GetImageFromArray(mask), str(folder / "beam.nii.gz"))
    dot = np.zeros((9, 9, 9), np.uint8)
    dot[4, 4, 4] = 1
    sitk.WriteImage(sitk.GetImageFromArray(dot), str(folder / "dot.nii.gz"))
    return folder
