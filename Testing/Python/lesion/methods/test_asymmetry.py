"""The method `asymmetry` on the phantom in many poses and grids, and on a real anatomy with an inserted infarct."""

import threading

import numpy as np
import pytest
import SimpleITK as sitk
from helpers import array, dice, oblique_grid, real_image, volume_ml

from StrokeSAMLib.core.errors import Cancelled, InputError, OptionError
from StrokeSAMLib.imaging.geometry import image_like
from StrokeSAMLib.lesion import segment
from StrokeSAMLib.phantom import Infarct, Pose, head_ct
from StrokeSAMLib.report import measure


@pytest.fixture(scope="module")
def phantom():
    return head_ct()


@pytest.fixture(scope="module")
def result(phantom):
    return segment({"ncct": phantom.ncct}, "asymmetry")


def test_finds_the_known_infarct(phantom, result):
    assert dice(result.mask, phantom.lesion) >= 0.80
    assert measure(result)["side"] == "left"
    assert volume_ml(result.mask) == pytest.approx(volume_ml(phantom.lesion), rel=0.3)


def test_finds_the_brain(phantom, result):
    assert dice(result.brain, phantom.brain) > 0.93


def test_score_is_higher_in_the_lesion(phantom, result):
    score, lesion, brain = array(result.score), array(phantom.lesion) > 0, array(result.brain) > 0
    assert score.min() >= 0
    assert score.max() <= 1
    assert score[lesion].mean() > 0.5
    assert score[brain & ~lesion].mean() < 0.1


def test_leaves_the_input_as_it_was(phantom):
    before = array(phantom.ncct)
    segment({"ncct": phantom.ncct}, "asymmetry", deformable=False)
    np.testing.assert_array_equal(array(phantom.ncct), before)


def test_options_and_geometry_are_recorded(phantom, result):
    assert result.options["seed"] == 4.0
    assert result.mask.GetSize() == phantom.ncct.GetSize()
    assert result.mask.GetOrigin() == phantom.ncct.GetOrigin()


@pytest.mark.parametrize(
    ("side", "yaw", "roll", "flips"),
    [("right", 20, -12, (1, 1, 1)), ("left", -15, 8, (-1, -1, 1)), ("right", 5, 5, (1, 1, -1))],
)
def test_any_pose_and_orientation(side, yaw, roll, flips):
    """The grids are oblique. Their flips make them left-handed or upside-down."""
    grid = oblique_grid(head_ct(infarct=None, noise_hu=0).ncct, 12, flips)
    head = head_ct(seed=5, infarct=Infarct(side), pose=Pose(yaw=yaw, roll=roll), grid=grid)
    result = segment({"ncct": head.ncct}, "asymmetry")
    assert measure(result)["side"] == side
    assert dice(result.mask, head.lesion) >= 0.7


def test_thin_sagittal_slices():
    grid = sitk.Image(80, 128, 128, sitk.sitkInt16)
    grid.SetSpacing((2.0, 1.6, 1.6))
    grid.SetOrigin((-79.0, -102.0, -100.0))
    grid = sitk.PermuteAxes(grid, (1, 2, 0))
    head = head_ct(seed=3, grid=grid)
    result = segment({"ncct": head.ncct}, "asymmetry")
    assert dice(result.mask, head.lesion) >= 0.75


def test_a_stripped_brain_gives_much_the_same(phantom, result):
    stripped = sitk.Mask(phantom.ncct, phantom.brain, 0)
    without_skull = segment({"ncct": stripped}, "asymmetry")
    assert dice(without_skull.mask, result.mask) > 0.85


def test_a_stored_offset_is_recognised(phantom, result):
    stored = sitk.Cast(sitk.Cast(phantom.ncct, sitk.sitkInt32) + 1024, sitk.sitkUInt16)
    with_offset = segment({"ncct": stored}, "asymmetry")
    assert "offset" in with_offset.warnings[0]
    assert dice(with_offset.mask, result.mask) > 0.98


def test_a_healthy_head_gives_little():
    result = segment({"ncct": head_ct(seed=8, infarct=None).ncct}, "asymmetry")
    assert volume_ml(result.mask) < 15


def test_the_midsagittal_plane_is_that_of_the_posed_head():
    pose = Pose(yaw=14, roll=-9, pitch=6, shift=(7.0, 3.0, -10.0))
    head = head_ct(seed=2, pose=pose)
    plane = segment({"ncct": head.ncct}, "asymmetry", deformable=False).midsagittal
    turn = sitk.Euler3DTransform()
    turn.SetRotation(*(np.deg2rad(angle) for angle in (pose.pitch, pose.roll, pose.yaw)))
    normal = np.asarray(turn.GetMatrix()).reshape(3, 3)[:, 0]
    assert np.rad2deg(np.arccos(normal @ plane.normal)) < 2.0
    assert plane.offset == pytest.approx(normal @ pose.shift, abs=2.0)


def test_finds_an_infarct_inserted_into_a_real_anatomy():
    """The mean CT of 35 adults, with skull: real densities and shapes, and a lesion of known shape."""
    template = real_image("ct/template_with_skull_2mm.nii.gz")
    hu = array(template).astype(np.float32)
    brain = array(real_image("ct/template_2mm.nii.gz")) > 20
    k, j, i = np.indices(hu.shape)
    ball = np.sqrt((k - 68) ** 2 + ((j - 62) / 1.3) ** 2 + (i - 88) ** 2) * 2
    lesion = brain & (ball < 26)
    hu = np.where(np.abs(hu) < 1e-3, -1000, hu) - 6.0 * lesion
    hu += 3.0 * np.random.default_rng(0).standard_normal(hu.shape)
    result = segment({"ncct": image_like(hu.astype(np.float32), template)}, "asymmetry")
    assert dice(result.mask, image_like(lesion, template)) >= 0.75
    assert measure(result)["side"] == "left"


class TestRefusals:
    def check_refused(self, image, reason):
        with pytest.raises(InputError, match=f"ncct: .*{reason}"):
            segment({"ncct": image}, "asymmetry")

    def test_refuses_magnetic_resonance(self):
        self.check_refused(real_image("dwi/subject01_b0.nii.gz"), "does not look like a CT")
        self.check_refused(real_image("dwi/subject01_dwi.nii.gz"), "does not look like a CT")
        self.check_refused(real_image("anatomy/spm152.nii.gz"), "does not look like a CT")

    def test_refuses_a_part_of_a_head(self, phantom):
        self.check_refused(phantom.ncct[100:140, 100:140, 10:20], "")

    def test_refuses_a_missing_or_unknown_input(self, phantom):
        with pytest.raises(InputError, match="needs ncct"):
            segment({}, "asymmetry")
        with pytest.raises(InputError, match="takes no input 'dwi'"):
            segment({"ncct": phantom.ncct, "dwi": phantom.ncct}, "asymmetry")

    @pytest.mark.parametrize(
        ("options", "reason"),
        [({"sead": 3}, "has no option 'sead'"), ({"seed": "deep"}, "a number"), ({"seed": float("nan")}, "must be")],
    )
    def test_refuses_bad_options(self, phantom, options, reason):
        with pytest.raises(OptionError, match=reason):
            segment({"ncct": phantom.ncct}, "asymmetry", **options)


def test_can_be_cancelled(phantom):
    cancel, fractions = threading.Event(), []

    def progress(fraction, text):
        fractions.append(fraction)
        if fraction > 0.2:
            cancel.set()

    with pytest.raises(Cancelled):
        segment({"ncct": phantom.ncct}, "asymmetry", progress=progress, cancel=cancel)
    assert fractions == sorted(fractions)
    assert fractions[-1] < 0.9
