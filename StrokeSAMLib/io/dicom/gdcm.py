"""Decoding a compressed frame with the GDCM that is in SimpleITK, where pydicom has no decoder for it."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate, get_frame
from pydicom.uid import SecondaryCaptureImageStorage, generate_uid

from StrokeSAMLib.core.files import TEMPORARY_PREFIX
from StrokeSAMLib.io.dicom.bytestream import DamagedError
from StrokeSAMLib.io.native_stderr import native_stderr_silenced


def decode_with_gdcm(dataset: Dataset, index: int) -> np.ndarray:
    """The stored values of frame `index` of a data set with compressed pixels, (rows, columns).

    GDCM gets a file of this frame alone, without rescaling, so that it returns the stored values.

    Raises:
        DamagedError: the frame is damaged, or its compression is unknown to GDCM as well.
    """
    try:
        single = _single_frame(dataset, index)
        with tempfile.TemporaryDirectory(prefix=TEMPORARY_PREFIX) as folder, native_stderr_silenced():
            path = Path(folder) / "frame.dcm"
            single.save_as(path, enforce_file_format=True)
            sitk.ProcessObject.SetGlobalWarningDisplay(False)
            image = sitk.ReadImage(str(path), imageIO="GDCMImageIO")
        values = sitk.GetArrayFromImage(image)
        return values.reshape(values.shape[-2:]) if image.GetNumberOfComponentsPerPixel() == 1 else values[0]
    except Exception:  # damaged bytes raise any exception in pydicom, and RuntimeError in SimpleITK
        name = dataset.file_meta.TransferSyntaxUID.name
        raise DamagedError(f"cannot be decompressed ({name}): it is damaged, or the decoder is not installed") from None


def _single_frame(dataset: Dataset, index: int) -> Dataset:
    single = Dataset()
    for element in dataset:
        if element.keyword not in _LEFT_OUT:
            single[element.tag] = element
    frame = get_frame(dataset.PixelData, index, number_of_frames=int(dataset.get("NumberOfFrames", 1) or 1))
    single.PixelData = encapsulate([frame])
    single["PixelData"].VR = "OB"
    single["PixelData"].is_undefined_length = True
    single.SOPClassUID, single.SOPInstanceUID = SecondaryCaptureImageStorage, generate_uid()
    single.file_meta = FileMetaDataset()
    single.file_meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    single.file_meta.MediaStorageSOPInstanceUID = single.SOPInstanceUID
    single.file_meta.TransferSyntaxUID = dataset.file_meta.TransferSyntaxUID
    if single.PhotometricInterpretation == "MONOCHROME1":
        single.PhotometricInterpretation = "MONOCHROME2"  # GDCM would invert the values
    return single


_LEFT_OUT = ("NumberOfFrames", "PixelData")
