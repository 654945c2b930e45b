"""DICOM series written with pydicom: upright and tilted, complete, with a missing or damaged slice."""

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import (
    BasicTextSRStorage,
    CTImageStorage,
    ExplicitVRLittleEndian,
    MediaStorageDirectoryStorage,
    generate_uid,
)

from StrokeSAMLib.core.errors import InputError
from StrokeSAMLib.io.reading import read_image

COUNT, ROWS, COLUMNS = 8, 40, 32
SPACING = (0.8, 0.8, 4.0)


def write_series(folder, tilt_degrees=0.0, skip=(), stored=None):
    """Write a CT series whose gantry is tilted about x: the slices lean, the table moves along z."""
    series, study, frame = generate_uid(), generate_uid(), generate_uid()
    angle = np.deg2rad(tilt_degrees)
    column = np.array([0.0, np.cos(angle), np.sin(angle)])
    for k in range(COUNT):
        if k in skip:
            continue
        meta = FileMetaDataset()
        meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = CTImageStorage, generate_uid()
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        data = FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128)
        data.SOPClassUID, data.SOPInstanceUID = CTImageStorage, meta.MediaStorageSOPInstanceUID
        data.SeriesInstanceUID, data.StudyInstanceUID, data.FrameOfReferenceUID = series, study, frame
        data.Modality, data.PatientID, data.InstanceNumber = "CT", "phantom", k + 1
        data.Rows, data.Columns = ROWS, COLUMNS
        data.PixelSpacing, data.SliceThickness = [SPACING[1], SPACING[0]], SPACING[2]
        data.ImageOrientationPatient = [1, 0, 0, *column]
        data.ImagePositionPatient = [-10, -16, 4.0 * k / (np.cos(angle) if tilt_degrees else 1)]
        data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
        data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 16, 16, 15, 0
        data.RescaleIntercept, data.RescaleSlope = -1024, 1
        pixels = np.full((ROWS, COLUMNS), 1024, np.uint16) if stored is None else stored(k, column)
        data.PixelData = pixels.tobytes()
        data.save_as(folder / f"{k:03}.dcm", enforce_file_format=True)
    return folder


def test_reads_hounsfield_units_and_geometry(tmp_path):
    image = read_image(write_series(tmp_path, stored=lambda k, _: np.full((ROWS, COLUMNS), 1024 + k, np.uint16)))
    assert image.GetSize() == (COLUMNS, ROWS, COUNT)
    assert image.GetSpacing() == pytest.approx(SPACING)
    assert image.GetOrigin() == pytest.approx((-10, -16, 0))
    np.testing.assert_array_equal(sitk.GetArrayViewFromImage(image)[:, 5, 5], np.arange(COUNT))


def test_a_series_with_a_tilted_gantry_becomes_upright(tmp_path):
    """A line of bright voxels along the table's axis (z) must stay on that line in patient space."""
    tilt = 20.0
    step = SPACING[2] / np.cos(np.deg2rad(tilt))

    def stored(k, column):
        # The slice's point at y = 0 lies 16 mm, over its cosine, down the column.
        rows = np.arange(ROWS) * SPACING[1] * column[1] - 16
        bright = np.abs(rows) < 1.0
        return np.where(bright[:, None], 1324, 1024).astype(np.uint16) * np.ones((1, COLUMNS), np.uint16)

    image = read_image(write_series(tmp_path, tilt, stored=stored))
    values = []
    for k in range(1, COUNT - 1):
        z = k * step + 16 * np.tan(np.deg2rad(tilt))
        index = image.TransformPhysicalPointToContinuousIndex((0.0, 0.0, z))
        values.append(sitk.GetArrayViewFromImage(image)[round(index[2]), round(index[1]), round(index[0])])
    assert image.GetSize()[1] > ROWS
    assert min(values) > 100


def test_refuses_a_series_with_a_missing_slice(tmp_path):
    with pytest.raises(InputError, match=r"slice is missing at \(−10\.0, −16\.0, 12\.0\) mm"):
        read_image(write_series(tmp_path, skip=(3,)))


def test_refuses_a_folder_without_or_with_two_series(tmp_path):
    with pytest.raises(InputError, match="no DICOM images"):
        read_image(tmp_path)
    write_series(tmp_path)
    (tmp_path / "other").mkdir()
    for path in write_series(tmp_path / "other").iterdir():
        path.rename(tmp_path / f"other-{path.name}")
    with pytest.raises(InputError, match="2 volumes fit equally"):
        read_image(tmp_path)


def test_refuses_damaged_pixels(tmp_path):
    write_series(tmp_path)
    victim = tmp_path / "004.dcm"
    data = pydicom.dcmread(victim)
    data.PixelData = data.PixelData[:100]
    data.save_as(victim)
    with pytest.raises(InputError):
        read_image(tmp_path)


class TestFilesThatGdcmSkips:
    @pytest.mark.parametrize("victim", ["000.dcm", "004.dcm", "007.dcm"])
    @pytest.mark.parametrize("kept", [10, 140, 600, 2500, -100])
    def test_a_truncated_slice_is_refused_by_name(self, tmp_path, capfd, victim, kept):
        path = write_series(tmp_path) / victim
        path.write_bytes(path.read_bytes()[:kept])
        with pytest.raises(InputError, match=rf"{victim} is truncated"):
            read_image(tmp_path)
        assert capfd.readouterr().err == ""

    def test_a_truncated_slice_without_a_suffix(self, tmp_path):
        for path in write_series(tmp_path).iterdir():
            path.rename(path.with_suffix(""))
        path = tmp_path / "007"
        path.write_bytes(path.read_bytes()[:2500])
        with pytest.raises(InputError, match="007 is truncated"):
            read_image(tmp_path)
        path.write_bytes(b"")
        with pytest.raises(InputError, match="007 is empty"):
            read_image(tmp_path)

    def test_an_empty_first_slice(self, tmp_path):
        (write_series(tmp_path) / "000.dcm").write_bytes(b"")
        with pytest.raises(InputError, match=r"000\.dcm is empty"):
            read_image(tmp_path)

    def test_a_slice_that_cannot_be_opened(self, tmp_path):
        path = write_series(tmp_path) / "007.dcm"
        path.unlink()
        path.symlink_to(tmp_path / "gone")
        with pytest.raises(InputError, match=r"007\.dcm cannot be read: No such file"):
            read_image(tmp_path)

    def test_a_folder_with_only_a_damaged_slice(self, tmp_path):
        (tmp_path / "000.dcm").write_text("text")
        with pytest.raises(InputError, match=r"000\.dcm is truncated or damaged"):
            read_image(tmp_path)

    def test_files_that_are_not_slices_are_ignored(self, tmp_path):
        """A DICOMDIR, a report, notes, a resource fork of macOS, a folder."""
        write_series(tmp_path)
        self.write_other(tmp_path / "DICOMDIR", MediaStorageDirectoryStorage)
        self.write_other(tmp_path / "report.dcm", BasicTextSRStorage, generate_uid())
        (tmp_path / "notes.txt").write_text("notes " * 100)
        (tmp_path / "empty.txt").touch()
        (tmp_path / "._000.dcm").write_bytes(b"\0\5\x16\7" * 40)
        (tmp_path / "folder.dcm").mkdir()
        assert read_image(tmp_path).GetSize() == (COLUMNS, ROWS, COUNT)

    def write_other(self, path, sop_class, series=None):
        meta = FileMetaDataset()
        meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = sop_class, generate_uid()
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        data = FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128)
        data.SOPClassUID, data.SOPInstanceUID = sop_class, meta.MediaStorageSOPInstanceUID
        if series is not None:
            data.SeriesInstanceUID, data.Modality = series, "SR"
        data.save_as(path, enforce_file_format=True)
