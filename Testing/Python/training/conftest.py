"""Fixtures of the tests of training."""

import pytest
import SimpleITK as sitk
from helpers import ball_anatomy


@pytest.fixture
def anatomy_folder(tmp_path):
    """A folder with one anatomy, a ball."""
    (tmp_path / "anatomy").mkdir()
    sitk.WriteImage(ball_anatomy(), str(tmp_path / "anatomy" / "ball.nii.gz"))
    return tmp_path / "anatomy"


@pytest.fixture
def small_patients(monkeypatch):
    """Trainings learn from `cube_patient`."""
    pytest.importorskip("torch")
    from cube_patients import cube_patient

    from StrokeSAMLib.training import step

    monkeypatch.setattr(step, "make_patient", cube_patient)
