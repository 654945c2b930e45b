"""Real series: enhanced multi-frame of Siemens XA30, a mosaic of UIH, a CT with a tilted gantry and a DWI of old."""

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from helpers import REAL_DATA, array

from StrokeSAMLib.io.dicom.study import describe, open_study
from StrokeSAMLib.io.reading import read_image, read_scan

PATIENTS = REAL_DATA / "patients"


@pytest.fixture
def real():
    """A function that gives a path among the real patients; the test is skipped where it is missing."""

    def path(name):
        if not (PATIENTS / name).exists():
            pytest.skip(f"no real series {name}: set STROKESAM_TEST_DATA")
        return PATIENTS / name

    return path


def axes(image):
    return np.asarray(image.GetDirection()).reshape(3, 3)


@pytest.mark.parametrize(("wanted", "file"), [("dwi", "dwi.nii.gz"), ("adc", "adc.nii.gz")])
def test_enhanced_multi_frame_of_xa30(real, wanted, file):
    ours, theirs = read_image_for(real("dicom-xa30"), wanted), sitk.ReadImage(str(real("healthy-xa30") / file))
    on_ours = sitk.Resample(theirs, ours, sitk.Transform(), sitk.sitkNearestNeighbor, -1)
    np.testing.assert_array_equal(array(on_ours), array(ours))


@pytest.mark.parametrize(("wanted", "file"), [("dwi", "dwi.nii.gz"), ("b0", "b0.nii.gz")])
def test_mosaic_of_uih(real, wanted, file):
    """The NIfTI has lost its origin; values, orientation and spacing are there."""
    ours, theirs = read_image_for(real("dicom-uih"), wanted), sitk.ReadImage(str(real("healthy-uih") / file))
    np.testing.assert_allclose(array(ours), array(theirs), atol=1e-3)
    np.testing.assert_allclose(axes(ours), axes(theirs), atol=1e-6)
    assert ours.GetSpacing() == pytest.approx(theirs.GetSpacing(), abs=1e-5)
    assert ours.GetOrigin() == pytest.approx((-154.6475, -58.5787, -9.2186), abs=1e-3)


def test_the_b_value_and_the_number_of_directions_are_told(real):
    assert "mean of the 16 directions at b = 929.75" in read_scan(real("dicom-uih"), "dwi").notes[0]
    assert read_scan(real("dicom-xa30"), "dwi").notes[0] == "b = 2500 s/mm² (trace)"


def test_old_dwi_of_ge(real):
    ours = read_image_for(real("aisd-0226308"), "dwi")
    theirs = sitk.ReadImage(str(real("aisd-0226308") / "dwi_b1000.nii.gz"))
    on_ours = sitk.Resample(theirs, ours, sitk.Transform(), sitk.sitkNearestNeighbor, -1)
    np.testing.assert_array_equal(array(on_ours), array(ours))


def test_ct_with_a_tilted_gantry_and_uneven_first_distance(real):
    scan = read_scan(real("aisd-0226308"), "ncct")
    assert any("tilted by 7.0°" in note for note in scan.notes)
    image = scan.image
    # Every pixel lies where its slice's header says, to a tenth of the distance by which the table's steps differ.
    for path in sorted((real("aisd-0226308") / "CT").iterdir()):
        header = pydicom.dcmread(path)
        hu = header.pixel_array.astype(float) - 1024
        across, down = np.reshape(np.asarray(header.ImageOrientationPatient, float), (2, 3))
        step = float(header.PixelSpacing[0])
        for row, column in ((200, 200), (256, 300), (330, 240)):
            point = np.asarray(header.ImagePositionPatient, float) + step * (row * down + column * across)
            index = image.TransformPhysicalPointToContinuousIndex(point.tolist())
            k, j, i = round(index[2]), index[1], round(index[0])
            assert abs(index[2] - k) * image.GetSpacing()[2] < 0.1
            expected = np.interp(row, [row - 1, row, row + 1], hu[row - 1 : row + 2, column])
            low = int(np.floor(j))
            found = array(image)[k, low : low + 2, i] @ [1 - (j - low), j - low]
            assert abs(found - expected) <= np.ptp(hu[row - 2 : row + 3, column]) + 1


def test_a_folder_of_two_studies_is_listed(real):
    with open_study(real("aisd-0226308")) as study:
        lines = [describe(stack) for stack in study.stacks]
    assert lines[0].startswith("CT 'CerebrumSeq")
    assert lines[1] == "MR 'DWI', axial, 256 × 256 × 18, 0.937 × 0.937 × 6.5 mm"


def read_image_for(path, wanted):
    return read_scan(path, wanted).image


def test_a_series_file_by_file_is_one_slice(real):
    assert read_image(real("aisd-0226308") / "DWI" / "000001.dcm").GetSize() == (256, 256, 1)
