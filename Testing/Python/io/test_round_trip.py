"""Every geometry that is accepted comes back: voxels, place, and the header as other programs read it."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nifti_files import write_nifti1
from scipy.spatial.transform import Rotation
from small_images import image_from

from StrokeSAMLib.core.errors import InputError
from StrokeSAMLib.imaging.geometry import affine_of, set_affine
from StrokeSAMLib.imaging.right_angles import is_sheared
from StrokeSAMLib.io.reading import read_image
from StrokeSAMLib.io.writing import check_grid, write_image

RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
NAMES = ("scan.nii.gz", "scan.nii", "scan.nrrd", "scan.mha")
_quick = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@st.composite
def affines(draw, sheared):
    """LPS affines: any rotation, each axis flipped or not, 0.05 to 12 mm, sheared by up to 30° or not at all."""
    rotation = Rotation.from_rotvec([draw(st.floats(-3, 3)) for _ in range(3)]).as_matrix()
    flips = np.array([draw(st.sampled_from([-1, 1])) for _ in range(3)])
    sizes = np.exp([draw(st.floats(np.log(0.05), np.log(12))) for _ in range(3)])
    shear = np.eye(3)
    if sheared:
        shear[0, 2], shear[1, 2] = (
            np.tan(np.deg2rad(draw(st.floats(2, 30)))) * draw(st.sampled_from([-1, 1])) for _ in "xy"
        )
    affine = np.eye(4)
    affine[:3, :3] = rotation @ shear * flips * sizes
    affine[:3, 3] = [draw(st.floats(-500, 500)) for _ in range(3)]
    return affine


def image_with(affine):
    return set_affine(image_from(np.arange(4 * 5 * 6, dtype=np.int16).reshape(4, 5, 6)), affine)


def write_scan(path, affine):
    """Write a scan without the writer under test."""
    image = image_with(affine)
    if "nii" in path.suffixes[0]:
        sizes = np.linalg.norm(affine[:3, :3], axis=0)
        write_nifti1(path, sitk.GetArrayFromImage(image), sform=RAS @ affine, sizes=sizes)
    else:
        sitk.WriteImage(image, str(path))
    return path


def mask_of(image):
    mask = np.random.default_rng(0).integers(0, 2, image.GetSize()[::-1]).astype(np.uint8)
    return set_affine(image_from(mask), affine_of(image)), mask


def assert_same_place(first, second, size=(6, 5, 4)):
    """The corner voxels of two affines are within a ten-thousandth of a voxel, and the rounding of 32 bits, alike."""
    corners = np.array([[i, j, k, 1] for i in (0, size[0]) for j in (0, size[1]) for k in (0, size[2])])
    tolerance = 1e-4 + 1e-4 * np.linalg.norm(second[:3, :3], axis=0).min()
    assert np.linalg.norm(corners @ (first - second).T, axis=1).max() < tolerance


@pytest.mark.parametrize("source", NAMES)
@_quick
@given(affine=affines(sheared=False))
def test_a_mask_of_any_scan_at_right_angles_comes_back_in_every_format(tmp_path, source, affine):
    scan = write_scan(tmp_path / source, affine)
    image = read_image(scan)
    assert_same_place(affine_of(image), affine)
    mask, voxels = mask_of(image)
    for name in NAMES:
        path = tmp_path / f"mask_{name}"
        write_image(mask, path, scan)
        for read in (read_image(path), sitk.ReadImage(str(path))):
            np.testing.assert_array_equal(sitk.GetArrayFromImage(read), voxels)
            assert_same_place(affine_of(read), affine)
        if "nii" in name:
            assert_same_place(RAS @ nib.load(path).affine, affine)


@pytest.mark.parametrize("source", NAMES)
@_quick
@given(affine=affines(sheared=True))
def test_a_mask_of_any_sheared_scan_comes_back_or_is_refused_before_the_work(tmp_path, source, affine):
    scan = write_scan(tmp_path / source, affine)
    image = read_image(scan)
    assert is_sheared(image)
    assert_same_place(affine_of(image), affine)
    mask, voxels = mask_of(image)
    for name in NAMES:
        path = tmp_path / f"mask_{name}"
        if "nii" in name and "nii" not in source:
            with pytest.raises(InputError, match="off a right angle"):
                check_grid(image, path, scan)
            continue
        write_image(mask, path, scan)
        np.testing.assert_array_equal(sitk.GetArrayFromImage(read_image(path)), voxels)
        assert_same_place(affine_of(read_image(path)), affine)
        if "nii" in name:
            assert_same_place(RAS @ nib.load(path).affine, affine)
        else:
            assert_same_place(affine_of(sitk.ReadImage(str(path))), affine)


@pytest.mark.parametrize("source", ["scan.nii.gz", "scan.hdr"])
@_quick
@given(
    sform=affines(sheared=True),
    sform_code=st.integers(0, 4),
    qform=st.none() | st.tuples(*[st.floats(-0.57, 0.57)] * 3, *[st.floats(-300, 300)] * 3),
    units=st.sampled_from([0, 2, 3]),
)
def test_a_mask_beside_a_nifti_has_its_header_to_the_bit(tmp_path, source, sform, sform_code, qform, units):
    """Whichever of the two geometries a program reads, the mask lies on the scan."""
    voxels = np.arange(120, dtype=np.int16).reshape(4, 5, 6)
    scan = write_nifti1(
        tmp_path / source, voxels, sform=sform, sform_code=sform_code, qform=qform, sizes=(0.5, 0.6, 7), units=units
    )
    mask, _ = mask_of(read_image(scan))
    write_image(mask, tmp_path / "mask.nii.gz", scan)
    theirs, ours = nib.load(scan).header, nib.load(tmp_path / "mask.nii.gz").header
    fields = ["qform_code", "sform_code", "xyzt_units", *(f"srow_{axis}" for axis in "xyz")]
    fields += [f"quatern_{n}" for n in "bcd"] + [f"qoffset_{axis}" for axis in "xyz"]
    for field in fields:
        np.testing.assert_array_equal(ours[field], theirs[field])
    np.testing.assert_array_equal(ours["pixdim"][:4], theirs["pixdim"][:4])


def test_a_nifti_is_written_by_its_own_affine_where_the_other_file_has_another_size(tmp_path):
    scan = write_scan(tmp_path / "scan.nii.gz", np.diag([1.0, 2, 3, 1]))
    smaller = read_image(scan)[1:, :, :]
    write_image(smaller, tmp_path / "part.nii.gz", scan)
    assert_same_place(affine_of(read_image(tmp_path / "part.nii.gz")), affine_of(smaller))


def test_a_sheared_image_is_not_written_to_a_nifti_of_its_own(tmp_path):
    affine = np.eye(4)
    affine[1, 2] = 0.3
    with pytest.raises(InputError, match=r"16\.7° off a right angle.*write \.nrrd or \.mha"):
        write_image(image_with(affine), Path(tmp_path) / "mask.nii.gz")
    assert list(tmp_path.iterdir()) == []


def test_the_scale_of_a_written_nifti_changes_nothing(tmp_path):
    write_image(image_with(np.eye(4)), tmp_path / "mask.nii.gz")
    header = nib.load(tmp_path / "mask.nii.gz", mmap=False).dataobj
    assert (header.slope, header.inter) == (1, 0)
