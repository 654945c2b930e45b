"""Compare the DICOM reader with dcm2niix: the same geometry within 0.01 mm, and the same values?

The cases are written with Testing/Python/support/dicom_files.py; the real series of STROKESAM_TEST_DATA follow.
dcm2niix must be on PATH (Debian has a package). docs/dicom.md tells who is right where they differ.

    python Testing/Benchmarks/dicom_peers.py
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import SimpleITK as sitk

sys.path.insert(0, str(Path(__file__).parents[1] / "Python" / "support"))
from dicom_files import COUNT, ORIGIN, enhanced, ids, image_dataset, item, place, save, scene, slice_tags, write_mr
from dicom_files import write_series as write
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    EnhancedCTImageStorage,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    RLELossless,
)

from StrokeSAMLib.core.errors import StrokeSAMError
from StrokeSAMLib.io.reading import read_scan

DATA = Path(os.environ.get("STROKESAM_TEST_DATA", Path(__file__).parents[3] / "shared" / "data")) / "patients"
VOLUME = np.stack([scene(k) for k in range(COUNT)])
HU = {"RescaleSlope": 1, "RescaleIntercept": -1024, "kind": np.int16}


def hu(k):
    return scene(k) + 1024


def two_b_values(folder):
    series = ids()
    for b in (0, 1000):
        write_mr(
            folder,
            prefix=f"{b}_",
            series=series,
            values=lambda k, b=b: scene(k) + b,
            DiffusionBValue=float(b),
            InstanceNumber=lambda k, b=b: k + 1 + COUNT * (b > 0),
            AcquisitionNumber=1 + (b > 0),
        )


def heights(*values):
    return lambda folder: write(
        folder,
        count=len(values),
        ImagePositionPatient=lambda k: [*ORIGIN[:2], values[k]],
        SliceThickness=lambda k: 2.5 if values[k] < 10 else 5.0,
        values=hu,
        **HU,
    )


def shuffled(folder):
    order = [3, 0, 7, 1, 6, 2, 5, 4]
    own = [
        {
            "PixelValueTransformationSequence": item(RescaleSlope=1.0 + k, RescaleIntercept=0.0, RescaleType="US"),
            "FrameContentSequence": item(StackID="1", InStackPositionNumber=k + 1, DimensionIndexValues=[1, k + 1]),
        }
        for k in order
    ]
    save(enhanced(VOLUME[order].astype(np.uint16), [place(k) for k in order], own), folder / "scan.dcm")


def enhanced_ct(folder):
    own = [
        {"FrameContentSequence": item(StackID="1", InStackPositionNumber=k + 1, DimensionIndexValues=[1, k + 1])}
        for k in range(COUNT)
    ]
    shared = {"PixelValueTransformationSequence": item(RescaleSlope=1.0, RescaleIntercept=-1024.0, RescaleType="HU")}
    data = enhanced(
        (VOLUME + 1024).astype(np.uint16),
        map(place, range(COUNT)),
        own,
        shared,
        sop=EnhancedCTImageStorage,
        modality="CT",
        ImageType=["ORIGINAL", "PRIMARY", "VOLUME", "NONE"],
    )
    save(data, folder / "scan.dcm")


def with_localizer(folder):
    series = ids()
    write(folder, series=series, values=hu, **HU)
    tags = slice_tags(90, orientation=(0, 1, 0, 0, 0, -1), **series)
    data = image_dataset(scene(0).astype(np.int16), ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"], **tags)
    save(data, folder / "scout.dcm")


def rle(folder):
    import pydicom

    for path in write(folder, values=hu, **HU).iterdir():
        data = pydicom.dcmread(path)
        data.compress(RLELossless)
        data.save_as(path)


def tilted(folder):
    t = np.deg2rad(12)
    write(
        folder,
        values=hu,
        ImageOrientationPatient=[1, 0, 0, 0, np.cos(t), np.sin(t)],
        ImagePositionPatient=place,
        GantryDetectorTilt=12,
        **HU,
    )


def oblique(folder):
    across, down = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))[0][:2]
    names = ("ImageOrientationPatient", "ImagePositionPatient")
    tags = {name: (lambda k, n=name: slice_tags(k, orientation=(*across, *down))[n]) for name in names}
    write_mr(folder, **tags)


CASES: dict[str, tuple[Callable[[Path], object], str]] = {
    "CT, HU": (lambda folder: write(folder, values=hu, **HU), "ncct"),
    "slope of each slice": (
        lambda folder: write_mr(folder, RescaleSlope=lambda k: 1 + k, RescaleIntercept=0),
        "",
    ),
    "oblique MR": (oblique, ""),
    "implicit": (lambda folder: write(folder, syntax=ImplicitVRLittleEndian, values=hu, **HU), ""),
    "big endian": (lambda folder: write(folder, syntax=ExplicitVRBigEndian, values=hu, **HU), ""),
    "deflated": (lambda folder: write(folder, syntax=DeflatedExplicitVRLittleEndian, values=hu, **HU), ""),
    "RLE": (rle, ""),
    "enhanced CT": (enhanced_ct, "ncct"),
    "enhanced MR, frames shuffled, a slope each": (shuffled, ""),
    "b = 0 and b = 1000": (two_b_values, "dwi"),
    "localizer in the series": (with_localizer, "ncct"),
    "tilted gantry": (tilted, "ncct"),
    "2.5 then 5 mm": (heights(0, 2.5, 5, 7.5, 10, 15, 20, 25), "ncct"),
    "9.068 and 8.932 mm in turn": (heights(*np.cumsum([0] + [9.068, 8.932] * 4).round(3).tolist()), "ncct"),
    "a slice missing": (heights(0, 2.5, 5, 10, 12.5, 15, 17.5), "ncct"),
    "circle of −2000": (
        lambda folder: write(
            folder, values=lambda k: np.where(scene(k) % 100 < 4, -2000, scene(k)), PixelPaddingValue=-2000
        ),
        "ncct",
    ),
}
REAL = {"dicom-uih": "b0", "dicom-xa30": "dwi", "aisd-0226308/DWI": "dwi", "aisd-0226308/CT": "ncct"}


def corners(image: sitk.Image) -> np.ndarray:
    size = image.GetSize()[:3]
    ends = [[n * (size[axis] - 1) for axis, n in enumerate(np.unravel_index(c, (2, 2, 2)))] for c in range(8)]
    return np.array([image.TransformIndexToPhysicalPoint([int(v) for v in end]) for end in ends])


def distance(first: sitk.Image, second: sitk.Image) -> float:
    """The greatest distance of a corner of one image from the nearest corner of the other, mm."""
    others = corners(second)
    return float(max(np.linalg.norm(others - corner, axis=1).min() for corner in corners(first)))


def compare(folder: Path, wanted: str) -> str:
    try:
        ours = read_scan(folder, wanted).image
    except StrokeSAMError as error:
        return f"refused: {str(error).rpartition(': ')[2][:80]}"
    with tempfile.TemporaryDirectory() as out:
        subprocess.run(["dcm2niix", "-o", out, "-f", "%s_%d_%t", str(folder)], capture_output=True, check=False)
        theirs = [
            image[..., n] if image.GetDimension() == 4 else image
            for image in map(sitk.ReadImage, map(str, sorted(Path(out).glob("*.nii"))))
            for n in range(image.GetSize()[3] if image.GetDimension() == 4 else 1)
        ]
    if not theirs:
        return "dcm2niix reads nothing"
    results = []
    for image in theirs:
        on_ours = sitk.Resample(
            sitk.Cast(image, sitk.sitkFloat64), ours, sitk.Transform(), sitk.sitkNearestNeighbor, 0.0
        )
        values = np.abs(sitk.GetArrayFromImage(on_ours) - sitk.GetArrayFromImage(ours))
        same = image.GetSize() == ours.GetSize()
        results.append((np.mean(values > 1e-3), distance(ours, image), values.max(), same))
    part, mm, most, same = min(results)
    return (
        f"corner {mm:.4f} mm, {part:.1%} of the values differ, by {most:.4g} at most{'' if same else ', another size'}"
    )


def main() -> None:
    for name, (make, wanted) in CASES.items():
        with tempfile.TemporaryDirectory() as folder:
            make(Path(folder))
            print(f"{name:45s} {compare(Path(folder), wanted)}", flush=True)
    for name, wanted in REAL.items():
        if (DATA / name).exists():
            print(f"{name:45s} {compare(DATA / name, wanted)}", flush=True)


if __name__ == "__main__":
    main()
