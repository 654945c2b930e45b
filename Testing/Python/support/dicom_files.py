"""DICOM files of tests: slices, series, enhanced multi-frame files and mosaics, written with pydicom."""

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    CTImageStorage,
    EnhancedMRImageStorage,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    MRImageStorage,
    generate_uid,
)

ROWS, COLUMNS, COUNT = 24, 32, 8
SPACING = (0.75, 0.5, 3.0)
ORIGIN = (-10.0, -16.0, 4.0)
AXIAL = (1, 0, 0, 0, 1, 0)


def scene(k, rows=ROWS, columns=COLUMNS):
    """Values of slice k, all different: 100 k + a ramp."""
    j, i = np.indices((rows, columns))
    return 100 * k + j + i


def ids():
    """A new study, series and frame of reference."""
    return {
        "StudyInstanceUID": generate_uid(),
        "SeriesInstanceUID": generate_uid(),
        "FrameOfReferenceUID": generate_uid(),
    }


def image_dataset(stored, syntax=ExplicitVRLittleEndian, sop=CTImageStorage, modality="CT", **tags):
    """A data set with `stored`, (rows, columns) or (frames, rows, columns), as pixels. A tag of None is left out."""
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = syntax
    data.preamble = b"\0" * 128
    data.SOPClassUID = data.file_meta.MediaStorageSOPClassUID = sop
    data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    data.Modality, data.PatientID = modality, "phantom"
    data.Rows, data.Columns = stored.shape[-2:]
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    bits = stored.dtype.itemsize * 8
    data.BitsAllocated, data.BitsStored, data.HighBit = bits, bits, bits - 1
    data.PixelRepresentation = int(stored.dtype.kind == "i")
    for name, value in tags.items():
        if value is not None:
            setattr(data, name, value)
    big = syntax == ExplicitVRBigEndian
    data.PixelData = stored.astype(stored.dtype.newbyteorder(">" if big else "<")).tobytes()
    data["PixelData"].VR = "OB" if bits == 8 else "OW"
    return data


def slice_tags(k, spacing=SPACING, origin=ORIGIN, orientation=AXIAL, position=None, **tags):
    """The elements of geometry of slice k of a regular stack."""
    normal = np.cross(orientation[:3], orientation[3:])
    place = np.asarray(origin) + k * spacing[2] * normal if position is None else position
    return {
        "InstanceNumber": k + 1,
        "PixelSpacing": [spacing[1], spacing[0]],
        "SliceThickness": spacing[2],
        "ImageOrientationPatient": [float(f"{v:.10g}") for v in orientation],
        "ImagePositionPatient": [float(f"{v:.10g}") for v in place],
        **tags,
    }


def save(data, path):
    data.save_as(path, enforce_file_format=True)
    return path


def write_series(folder, count=COUNT, values=scene, kind=np.int16, prefix="", suffix=".dcm", series=None, **tags):
    """Write a CT series of `count` slices with whole values, intercept 0; a tag may be a function of the slice."""
    folder.mkdir(exist_ok=True, parents=True)
    series = series or ids()
    for k in range(count):
        own = {name: value(k) if callable(value) else value for name, value in tags.items()}
        stored = np.asarray(values(k)).astype(kind)
        save(image_dataset(stored, **{**slice_tags(k), **series, **own}), folder / f"{prefix}{k:03}{suffix}")
    return folder


def write_mr(folder, **tags):
    """As `write_series`, of MR."""
    return write_series(folder, **{"modality": "MR", "sop": MRImageStorage, "kind": np.uint16, **tags})


def change(path, **tags):
    """Change elements of a file; None deletes one."""
    data = pydicom.dcmread(path)
    for name, value in tags.items():
        if value is None:
            delattr(data, name)
        else:
            setattr(data, name, value)
    data.save_as(path)
    return path


def item(**tags):
    """A sequence of one item."""
    entry = Dataset()
    for name, value in tags.items():
        setattr(entry, name, value)
    return Sequence([entry])


def enhanced(stored, positions, own=None, shared=None, orientation=AXIAL, spacing=SPACING, **tags):
    """An enhanced multi-frame data set: each frame's position and its `own[n]` groups; `shared` groups."""
    tags = {"sop": EnhancedMRImageStorage, "modality": "MR", "InstanceNumber": 1, **ids(), **tags}
    data = image_dataset(stored, NumberOfFrames=len(stored), **tags)
    common = Dataset()
    common.PixelMeasuresSequence = item(PixelSpacing=[spacing[1], spacing[0]], SliceThickness=spacing[2])
    common.PlaneOrientationSequence = item(ImageOrientationPatient=list(map(float, orientation)))
    for name, value in (shared or {}).items():
        setattr(common, name, value)
    data.SharedFunctionalGroupsSequence = Sequence([common])
    frames = []
    for number, position in enumerate(positions):
        frame = Dataset()
        frame.PlanePositionSequence = item(ImagePositionPatient=[float(v) for v in position])
        for name, value in (own[number] if own else {}).items():
            setattr(frame, name, value)
        frames.append(frame)
    data.PerFrameFunctionalGroupsSequence = Sequence(frames)
    return data


def place(k, spacing=SPACING, origin=ORIGIN):
    return [origin[0], origin[1], origin[2] + k * spacing[2]]


def mosaic(volume):
    """The slices of (k, j, i) as tiles of a square."""
    across = int(np.ceil(np.sqrt(len(volume))))
    rows, columns = volume.shape[1:]
    tiles = np.zeros((across * rows, across * columns), volume.dtype)
    for k, values in enumerate(volume):
        row, column = k // across * rows, k % across * columns
        tiles[row : row + rows, column : column + columns] = values
    return tiles
