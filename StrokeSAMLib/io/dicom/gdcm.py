"""Decoding compressed frames with the GDCM that is in SimpleITK, where pydicom has no decoder for them."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate, get_frame
from pydicom.uid import SecondaryCaptureImageStorage, generate_uid

from StrokeSAMLib.core.files import TEMPORARY_PREFIX
from StrokeSAMLib.io.dicom import gdcm_child
from StrokeSAMLib.io.dicom.attributes import printable
from StrokeSAMLib.io.dicom.bytestream import DamagedError

_SECONDS, _SECONDS_A_FRAME = 60, 2
_LEFT_OUT = ("NumberOfFrames", "PixelData")


def decode_with_gdcm(frames: Sequence[tuple[Dataset, int]]) -> Iterator[np.ndarray]:
    """The stored values of frames, (rows, columns), each given by its data set and its number in it.

    GDCM gets a file for every frame, without rescaling, so that it returns the stored values. It runs in a process of
    its own, which damaged pixels may bring down.

    Raises:
        DamagedError: a frame is damaged, or its compression is unknown to GDCM as well.
    """
    with tempfile.TemporaryDirectory(prefix=TEMPORARY_PREFIX) as name:
        folder = Path(name)
        for number, (dataset, index) in enumerate(frames):
            try:
                _write_frame(dataset, index, folder / f"{number:06}.dcm")
            except Exception:  # damaged bytes raise any exception in pydicom
                raise undecodable(dataset) from None
        _run(folder, len(frames))
        for number, (dataset, _) in enumerate(frames):
            path = folder / f"{number:06}.npy"
            if not path.exists():
                raise undecodable(dataset)
            yield np.load(path)


def undecodable(dataset: Dataset) -> DamagedError:
    """The error for a data set with pixels that no decoder reads."""
    name = printable(dataset.file_meta.TransferSyntaxUID.name)
    return DamagedError(f"cannot be decompressed ({name}): it is damaged, or the decoder is not installed")


def _run(folder: Path, count: int) -> None:
    command = [sys.executable, gdcm_child.__file__, str(folder)]
    limit = _SECONDS + count * _SECONDS_A_FRAME
    flags = getattr(subprocess, "CREATE_NO_WINDOW", 0)  # of Windows
    try:
        subprocess.run(command, capture_output=True, timeout=limit, check=False, creationflags=flags)
    except (OSError, subprocess.TimeoutExpired):
        return  # the frames that are missing are refused


def _write_frame(dataset: Dataset, index: int, path: Path) -> None:
    single = Dataset()
    for element in dataset:
        if element.keyword not in _LEFT_OUT:
            single[element.tag] = element
    if single.PhotometricInterpretation == "MONOCHROME1":
        single.PhotometricInterpretation = "MONOCHROME2"  # GDCM would invert the values
    frame = get_frame(dataset.PixelData, index, number_of_frames=int(dataset.get("NumberOfFrames", 1) or 1))
    single.PixelData = encapsulate([frame])
    single["PixelData"].VR = "OB"
    single["PixelData"].is_undefined_length = True
    single.SOPClassUID, single.SOPInstanceUID = SecondaryCaptureImageStorage, generate_uid()
    single.file_meta = FileMetaDataset()
    single.file_meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    single.file_meta.MediaStorageSOPInstanceUID = single.SOPInstanceUID
    single.file_meta.TransferSyntaxUID = dataset.file_meta.TransferSyntaxUID
    single.save_as(path, enforce_file_format=True)
