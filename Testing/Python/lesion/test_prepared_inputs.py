"""What happens to the inputs of every method, and to its result: the same from a file, a node and Python."""

import numpy as np
import pytest
import SimpleITK as sitk

from StrokeSAMLib.core.errors import InputError
from StrokeSAMLib.imaging.geometry import affine_of, resample_like, same_grid, set_affine, voxel_volume_ml
from StrokeSAMLib.lesion import segment
from StrokeSAMLib.lesion.prepared_inputs import PreparedInputs
from StrokeSAMLib.phantom import head_ct
from StrokeSAMLib.report import measure


@pytest.fixture(scope="module")
def phantom():
    return head_ct()


def dice(first, second):
    a, b = (sitk.GetArrayFromImage(image) > 0 for image in (first, second))
    return 2 * np.count_nonzero(a & b) / (np.count_nonzero(a) + np.count_nonzero(b))


def sheared_like(image):
    """An empty image on a grid that covers `image`, and whose slices lean by 15°."""
    affine = affine_of(image)
    affine[1, 2] = 0.27 * affine[2, 2]
    affine[1, 3] -= 0.27 * affine[2, 2] * image.GetSize()[2] / 2
    return set_affine(sitk.Image(image.GetSize(), image.GetPixelID()), affine)


def test_the_lesion_of_a_sheared_ct_is_found_and_brought_back_to_its_grid(phantom):
    grid = sheared_like(phantom.ncct)
    scan = resample_like(phantom.ncct, grid, outside=-1000)
    truth = resample_like(phantom.lesion, grid, sitk.sitkNearestNeighbor)
    result = segment({"ncct": scan}, method="asymmetry", deformable=False)
    assert all(same_grid(image, scan) for image in (result.mask, result.score, result.brain, *result.images.values()))
    assert dice(result.mask, truth) > 0.7
    assert any("off a right angle: resampled" in line for line in result.warnings)
    voxels = np.count_nonzero(sitk.GetArrayFromImage(result.mask))
    assert measure(result)["volume_ml"] == pytest.approx(voxels * voxel_volume_ml(scan))


def test_nan_around_the_head_changes_no_voxel_of_the_lesion(phantom):
    array = sitk.GetArrayFromImage(phantom.ncct).astype(np.float32)
    whole = segment({"ncct": sitk.Cast(phantom.ncct, sitk.sitkFloat32)}, method="asymmetry", deformable=False)
    array[:, :4] = np.nan
    array[:, -4:] = np.inf
    image = sitk.GetImageFromArray(array)
    image.CopyInformation(phantom.ncct)
    result = segment({"ncct": image}, method="asymmetry", deformable=False)
    assert dice(result.mask, whole.mask) > 0.99
    count = np.count_nonzero(~np.isfinite(array))
    assert f"ncct: {count} voxels are NaN or infinite: taken as background" in result.warnings


def test_a_channel_axis_of_one_is_dropped(phantom):
    vectors = sitk.Compose(phantom.ncct)
    series = sitk.JoinSeries([phantom.ncct])
    for image in (vectors, series):
        prepared = PreparedInputs({"ncct": image}).images["ncct"]
        assert prepared.GetPixelID() == phantom.ncct.GetPixelID() and same_grid(prepared, phantom.ncct)


def test_an_image_that_needs_nothing_stays_the_same_object(phantom):
    prepared = PreparedInputs({"ncct": phantom.ncct})
    assert prepared.images["ncct"] is phantom.ncct and prepared.notes == []


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        (sitk.Image([5, 5, 5], sitk.sitkVectorUInt8, 3), "3 components"),
        (sitk.Image([5, 5, 5], sitk.sitkComplexFloat32), "complex"),
        (sitk.Image([5, 5], sitk.sitkUInt8), "2-D"),
        (sitk.JoinSeries([sitk.Image([5, 5, 5], sitk.sitkUInt8)] * 2), "4-D"),
        (sitk.Image([5, 5, 5], sitk.sitkFloat32) + float("nan"), "every voxel is NaN"),
    ],
)
def test_refuses_what_is_not_one_scalar_volume(image, reason):
    with pytest.raises(InputError, match=f"ncct: .*{reason}"):
        PreparedInputs({"ncct": image})
