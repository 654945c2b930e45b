"""NIfTI files with every geometry and scaling that the standard allows, and those that other programs leave behind."""

import importlib.resources
import warnings
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from nifti_files import write_nifti1

from StrokeSAMLib.core.errors import InputError
from StrokeSAMLib.imaging.geometry import affine_of
from StrokeSAMLib.io.reading import read_image, read_scan

VOXELS = np.random.default_rng(0).integers(-1000, 1000, (6, 8, 10)).astype(np.int16)
RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
# The axial scan that this qform describes, RAS.
QFORM = (0, 0, 1, 20, 30, 10)
SCANNER = np.array([[-1, 0, 0, 20], [0, -1, 0, 30], [0, 0, 3, 10], [0, 0, 0, 1.0]])
TURNED = np.array([[-0.9, 0.4, 0, 5], [-0.4, -0.9, 0, 12], [0, 0, 3, 14], [0, 0, 0, 1]])
TILTED = np.array([[-0.8, 0, 0, 20], [0, -0.85, 0, 27], [0, 0.3, 3, 5], [0, 0, 0, 1]])


@pytest.fixture
def path(tmp_path):
    return tmp_path / "scan.nii.gz"


def affine_ras(path):
    return RAS @ affine_of(read_image(path))


def test_a_sheared_sform_is_kept_beside_a_straight_qform(path):
    write_nifti1(path, VOXELS, sform=TILTED, qform=QFORM, sizes=(0.8, 0.85, 3))
    np.testing.assert_allclose(affine_ras(path), TILTED, atol=1e-5)
    assert any("the sform was used" in note for note in read_scan(path).notes)


def test_a_sheared_sform_alone_is_kept(path):
    write_nifti1(path, VOXELS, sform=TILTED, sizes=np.linalg.norm(TILTED[:3, :3], axis=0))
    np.testing.assert_allclose(affine_ras(path), TILTED, atol=1e-5)
    assert read_scan(path).notes == ()


@pytest.mark.parametrize("code", [1, 2, 3, 4])
def test_the_sform_decides_against_the_qform_with_a_note(path, code):
    write_nifti1(path, VOXELS, sform=TURNED, sform_code=code, qform=QFORM, sizes=(1, 1, 3))
    np.testing.assert_allclose(affine_ras(path), TURNED, atol=1e-5)
    corners = np.array([[i, j, k, 1] for i in (0, 9) for j in (0, 7) for k in (0, 5)])
    apart = np.linalg.norm(corners @ (TURNED - SCANNER).T, axis=1).max()
    assert read_scan(path).notes == (f"sform and qform lie up to {apart:.1f} mm apart: the sform was used",)


def test_equal_sform_and_qform_need_no_note(path):
    write_nifti1(path, VOXELS, sform=SCANNER, qform=QFORM, sizes=(1, 1, 3))
    assert read_scan(path).notes == ()


def test_the_qform_decides_where_the_sform_has_no_code(path):
    write_nifti1(path, VOXELS, sform=TURNED, sform_code=0, qform=QFORM, sizes=(1, 1, 3))
    np.testing.assert_allclose(affine_ras(path), SCANNER, atol=1e-5)


def test_voxel_sizes_that_differ_from_the_sform_give_a_note(path):
    write_nifti1(path, VOXELS, sform=SCANNER, sizes=(1, 1, 1))
    assert read_image(path).GetSpacing() == pytest.approx((1, 1, 3))
    assert read_scan(path).notes == ("pixdim says 1 × 1 × 1 mm, the sform 1 × 1 × 3 mm: the sform was used",)


@pytest.mark.parametrize("sform", [np.zeros((4, 4)), np.full((4, 4), np.nan), TURNED * [[1], [1], [0], [1]]])
def test_a_damaged_sform_gives_way_to_the_qform(path, sform):
    write_nifti1(path, VOXELS, sform=sform, qform=QFORM, sizes=(1, 1, 3))
    np.testing.assert_allclose(affine_ras(path), SCANNER, atol=1e-5)
    assert read_scan(path).notes == ("its sform is damaged: the qform was used",)


@pytest.mark.parametrize("forms", [{"sform": np.zeros((4, 4))}, {"qform": (2, 2, 2, 0, 0, 0)}])
def test_refuses_a_header_whose_only_geometry_is_damaged(path, forms):
    write_nifti1(path, VOXELS, **forms)
    with pytest.raises(InputError, match="form in its header is no grid"):
        read_image(path)


def test_a_header_without_either_form_is_read_as_nibabel_does_with_a_note(path):
    write_nifti1(path, VOXELS, sizes=(1, 2, 3))
    np.testing.assert_allclose(affine_ras(path), nib.load(path).affine)
    assert "neither sform nor qform" in read_scan(path).notes[0]


@pytest.mark.parametrize(("units", "factor"), [(0, 1), (1, 1000), (2, 1), (3, 0.001), (2 + 8, 1)])
def test_the_unit_of_the_header_counts(path, units, factor):
    write_nifti1(path, VOXELS, sform=SCANNER, qform=QFORM, sizes=(1, 1, 3), units=units)
    np.testing.assert_allclose(read_image(path).GetSpacing(), np.multiply((1, 1, 3), factor))
    assert len(read_scan(path).notes) == (factor != 1)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("name", ["scan.nii", "scan.nii.gz", "scan.hdr"])
def test_every_container_and_byte_order_has_the_same_voxels(tmp_path, name, order):
    path = write_nifti1(tmp_path / name, VOXELS, sform=SCANNER, sizes=(1, 1, 3), order=order)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(read_image(path)), VOXELS)
    np.testing.assert_allclose(affine_ras(path), SCANNER)


def test_nifti_2(path):
    nib.save(nib.Nifti2Image(VOXELS.T, SCANNER), path)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(read_image(path)), VOXELS)
    np.testing.assert_allclose(affine_ras(path), SCANNER)


@pytest.mark.parametrize("slope", [0, float("nan"), 1])
def test_a_slope_of_zero_one_or_nan_leaves_the_voxels_alone(path, slope):
    write_nifti1(path, VOXELS, sform=SCANNER, sizes=(1, 1, 3), scale=(slope, 0))
    np.testing.assert_array_equal(sitk.GetArrayFromImage(read_image(path)), VOXELS)


def test_a_slope_of_zero_leaves_out_the_intercept_too(path):
    write_nifti1(path, VOXELS, sform=SCANNER, sizes=(1, 1, 3), scale=(0, -1024))
    np.testing.assert_array_equal(sitk.GetArrayFromImage(read_image(path)), VOXELS)


@pytest.mark.parametrize("kind", ["u1", "i2", "i4", "f4", "f8", "i8"])
def test_slope_and_intercept_apply_to_every_type(path, kind):
    write_nifti1(path, VOXELS.astype(kind), sform=SCANNER, sizes=(1, 1, 3), scale=(0.5, -1024))
    expected = VOXELS.astype(kind) * 0.5 - 1024
    np.testing.assert_allclose(sitk.GetArrayFromImage(read_image(path)), expected, rtol=1e-6)


@pytest.mark.parametrize("scale", [(1, float("nan")), (float("inf"), 0)])
def test_refuses_a_scale_that_is_not_finite(path, scale):
    write_nifti1(path, VOXELS, sform=SCANNER, sizes=(1, 1, 3), scale=scale)
    with pytest.raises(InputError, match="scales the voxels"):
        read_image(path)


@pytest.mark.parametrize("shape", [(10, 8, 6, 1), (10, 8, 6, 1, 1), (10, 8, 6, 1, 1, 1, 1)])
def test_axes_of_one_after_the_third_are_dropped(path, shape):
    write_nifti1(path, VOXELS, sform=SCANNER, sizes=(1, 1, 3), shape=shape, intent=1007)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(read_image(path)), VOXELS)


@pytest.mark.parametrize(
    ("shape", "reason"),
    [
        ((10, 8, 2, 3), "this image is 4-D \\(10 × 8 × 2 × 3\\)"),
        ((1, 10, 8, 6), "this image is 4-D"),
        ((10, 8, 2, 1, 3), "3 components a voxel"),
        ((80, 6), "2-D"),
        ((10, 0, 6), "its size is 10 × 0 × 6"),
    ],
)
def test_refuses_what_is_not_one_volume_by_its_size(path, shape, reason):
    write_nifti1(path, VOXELS, sform=SCANNER, sizes=(1, 1, 3), shape=shape)
    with pytest.raises(InputError, match=reason):
        read_image(path)


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (128, "in colour"),
        (2304, "in colour"),
        (32, "complex numbers"),
        (9999, "unknown voxel type 9999"),
        (0, "type 0"),
    ],
)
def test_refuses_voxels_that_are_no_numbers(path, code, reason):
    write_nifti1(path, VOXELS, sform=SCANNER, sizes=(1, 1, 3), code=code)
    with pytest.raises(InputError, match=reason):
        read_image(path)


@pytest.mark.parametrize("name", ["scan.nii", "scan.nii.gz"])
def test_a_header_that_claims_a_billion_voxels_is_refused_before_memory_is_reserved(tmp_path, name):
    path = write_nifti1(tmp_path / name, VOXELS, sform=SCANNER, sizes=(1, 1, 3), shape=(32767, 32767, 1000))
    with pytest.raises(InputError, match="truncated"):
        read_image(path)


def test_nan_stays_in_the_image(path):
    voxels = VOXELS.astype(np.float32)
    voxels[0, 0, 0] = np.nan
    write_nifti1(path, voxels, sform=SCANNER, sizes=(1, 1, 3))
    np.testing.assert_array_equal(sitk.GetArrayFromImage(read_image(path)), voxels)


def nibabel_data():
    folder = Path(str(importlib.resources.files("nibabel"))) / "tests" / "data"
    return sorted(path for path in folder.glob("*") if path.name.endswith((".nii", ".nii.gz", ".hdr")))


@pytest.mark.parametrize("path", nibabel_data(), ids=lambda path: path.name)
def test_the_files_of_nibabel_are_read_as_nibabel_reads_them(path):
    if path.name in REFUSED:
        with pytest.raises(InputError, match=REFUSED[path.name]):
            read_image(path)
        return
    image = read_image(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = nib.load(path)
    np.testing.assert_allclose(RAS @ affine_of(image), theirs.affine, atol=1e-5)
    values = np.asarray(theirs.dataobj).squeeze()
    np.testing.assert_allclose(sitk.GetArrayFromImage(image).T, values, rtol=1e-6)


# These are several volumes, a matrix, or headers alone.
REFUSED = {
    "analyze.hdr": "analyze.img, is missing",
    "example4d.nii.gz": "4-D",
    "example_nifti2.nii.gz": "4-D",
    "functional.nii": "4-D",
    "nifti1.hdr": "nifti1.img, is missing",
    "nifti2.hdr": "nifti2.img, is missing",
    "row_major.dconn.nii": "6-D",
}


def test_an_analyze_pair_is_read_as_nibabel_reads_it_with_a_note(tmp_path):
    path = tmp_path / "old.hdr"
    nib.save(nib.AnalyzeImage(VOXELS.T, np.diag([-2.0, 3, 4, 1])), path)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(read_image(path)), VOXELS)
    np.testing.assert_allclose(affine_ras(path), nib.load(path).affine, atol=1e-5)
    assert "no orientation" in read_scan(path).notes[0]
