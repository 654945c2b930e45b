"""The synthetic head CT: its densities, its true masks, and its independence of the grid."""

import numpy as np
import pytest
import scipy.ndimage as ndi
import SimpleITK as sitk
from helpers import dice

from StrokeSAMLib.imaging.geometry import same_grid, voxel_volume_ml
from StrokeSAMLib.phantom import Infarct, Pose, head_ct

STRAIGHT = Pose(yaw=0, roll=0, pitch=0, shift=(0, 0, 0))
COARSE = {"size": (104, 120, 40), "spacing_mm": (2.0, 2.0, 4.0)}


def arrays(phantom):
    return (sitk.GetArrayFromImage(image) for image in (phantom.ncct, phantom.lesion, phantom.brain))


@pytest.fixture(scope="module")
def infarcted():
    return head_ct(infarct=Infarct("left"), pose=STRAIGHT, noise_hu=0, **COARSE)


@pytest.fixture(scope="module")
def healthy():
    return head_ct(infarct=None, pose=STRAIGHT, noise_hu=0, **COARSE)


def test_pixels_are_those_of_a_ct_and_its_masks(infarcted):
    assert infarcted.ncct.GetPixelID() == sitk.sitkInt16
    assert infarcted.lesion.GetPixelID() == infarcted.brain.GetPixelID() == sitk.sitkUInt8
    hu, lesion, brain = arrays(infarcted)
    assert hu.min() == -1000
    assert hu.max() > 900
    assert set(np.unique(lesion)) == set(np.unique(brain)) == {0, 1}


def test_volumes_are_an_adults(infarcted):
    _, lesion, brain = arrays(infarcted)
    assert 60 < lesion.sum() * voxel_volume_ml(infarcted.lesion) < 90
    assert 1200 < brain.sum() * voxel_volume_ml(infarcted.brain) < 1600


def test_brain_is_enclosed_by_bone(infarcted):
    hu, _, brain = arrays(infarcted)
    k = hu.shape[0] // 2
    bone = hu[k] > 300
    assert (brain[k] <= (ndi.binary_fill_holes(bone) & ~bone)).all()


def test_healthy_brain_has_the_densities_of_grey_white_and_csf(healthy):
    hu, lesion, brain = arrays(healthy)
    assert not lesion.any()
    x, y, z = points_of(healthy.ncct)
    assert hu[near(x, y, z, (11, 15, 6), 4)].mean() == pytest.approx(37, abs=1.5)
    assert hu[near(x, y, z, (28, -40, 24), 4)].mean() == pytest.approx(28.5, abs=2)
    assert hu[near(x, y, z, (11, 2, 19), 2.5)].mean() == pytest.approx(7, abs=5)
    assert 26 < np.median(hu[brain > 0]) < 36


def test_left_and_right_are_nearly_mirror_images(healthy):
    smooth = ndi.gaussian_filter(np.clip(sitk.GetArrayFromImage(healthy.ncct), 0, 60).astype(float), 2)
    inside = ndi.binary_erosion(sitk.GetArrayFromImage(healthy.brain) > 0, iterations=3)
    mirrored = smooth[:, :, ::-1]
    difference = np.abs(smooth - mirrored)[inside & inside[:, :, ::-1]]
    assert 0.1 < difference.mean() < 2.0


def test_infarct_is_darker_swollen_tissue_on_its_side(infarcted, healthy):
    hu, lesion, brain = arrays(infarcted)
    healthy_hu = sitk.GetArrayFromImage(healthy.ncct)
    x, _, _ = points_of(infarcted.ncct)
    inside = ndi.binary_erosion(lesion > 0)
    assert (x[lesion > 0] > 0).all()
    assert (brain[lesion > 0] == 1).all()
    tissue = inside & (healthy_hu > 27)
    assert (hu - healthy_hu)[tissue].mean() == pytest.approx(-7, abs=1.5)
    assert (hu - healthy_hu)[inside & (healthy_hu < 18)].mean() > 0  # effaced sulci
    assert (hu[lesion > 0] < 12).mean() < 0.002  # no CSF in the true lesion
    far = ~ndi.binary_dilation(lesion > 0, iterations=6)
    assert (hu == healthy_hu)[far].all()


def test_right_infarct_lies_on_the_right():
    right = head_ct(infarct=Infarct("right"), pose=STRAIGHT, noise_hu=0, **COARSE)
    x, _, _ = points_of(right.ncct)
    lesion = sitk.GetArrayFromImage(right.lesion) > 0
    assert lesion.any()
    assert (x[lesion] < 0).all()


def test_side_is_left_or_right():
    with pytest.raises(ValueError, match="middle"):
        Infarct("middle")


def test_same_seed_same_voxels_other_seed_other_noise():
    small = {"size": (60, 60, 4), "spacing_mm": (2.5, 2.5, 5.0)}
    one, again, other = (sitk.GetArrayFromImage(head_ct(seed, **small).ncct) for seed in (1, 1, 2))
    assert (one == again).all()
    assert (one != other).mean() > 0.3


def test_noise_has_its_level_and_a_grain():
    small = {"size": (80, 80, 4), "spacing_mm": (0.8, 0.8, 5.0), "seed": 3}
    noisy, clean = (sitk.GetArrayFromImage(head_ct(noise_hu=level, **small).ncct).astype(float) for level in (4.0, 0))
    noise = noisy - clean
    assert noise.std() == pytest.approx(4.0, rel=0.05)
    assert np.corrcoef(noise[:, :, 1:].ravel(), noise[:, :, :-1].ravel())[0, 1] > 0.4
    assert abs(np.corrcoef(noise[1:].ravel(), noise[:-1].ravel())[0, 1]) < 0.1


def test_an_oblique_flipped_cropped_grid_shows_the_same_head(infarcted):
    turn = sitk.Euler3DTransform()
    turn.SetRotation(0.3, -0.2, 0.5)
    axes = np.asarray(turn.GetMatrix()).reshape(3, 3) @ np.diag([-1.0, 1.0, 1.0])
    grid = sitk.Image(60, 70, 30, sitk.sitkUInt8)
    grid.SetSpacing((2.0, 2.0, 3.0))
    grid.SetDirection(axes.ravel().tolist())
    grid.SetOrigin((np.array([25.0, 5.0, 10.0]) - axes @ np.array([59.0, 69.0, 43.5])).tolist())
    oblique = head_ct(pose=STRAIGHT, noise_hu=0, grid=grid)
    assert same_grid(oblique.ncct, grid)
    expected = sitk.Resample(infarcted.lesion, oblique.lesion, sitk.Transform(), sitk.sitkNearestNeighbor)
    assert dice(oblique.lesion, expected) > 0.85
    scan = sitk.Resample(infarcted.ncct, oblique.ncct, sitk.Transform(), sitk.sitkLinear, -1000)
    assert np.corrcoef(sitk.GetArrayFromImage(scan).ravel(), sitk.GetArrayFromImage(oblique.ncct).ravel())[0, 1] > 0.9


def test_pose_turns_the_head_in_the_scanner(infarcted):
    pose = Pose(yaw=12, roll=-8, pitch=10, shift=(9, -6, 4))
    posed = head_ct(pose=pose, noise_hu=0, **COARSE)
    turn = sitk.Euler3DTransform()
    turn.SetRotation(*np.deg2rad([pose.pitch, pose.roll, pose.yaw]).tolist())
    turn.SetTranslation(pose.shift)
    back = sitk.Resample(posed.lesion, infarcted.lesion, turn, sitk.sitkNearestNeighbor)
    assert dice(back, infarcted.lesion) > 0.85


def points_of(image):
    """The coordinates x, y, z of the voxels of an image without rotation, arrays (k, j, i)."""
    k, j, i = np.indices(image.GetSize()[::-1])
    return [o + s * n for o, s, n in zip(image.GetOrigin(), image.GetSpacing(), (i, j, k), strict=True)]


def near(x, y, z, centre, radius):
    return (x - centre[0]) ** 2 + (y - centre[1]) ** 2 + (z - centre[2]) ** 2 < radius**2
