"""Evaluation of a prediction against its reference, or of two folders of them."""

from __future__ import annotations

import dataclasses
import math
import statistics
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from StrokeSAMLib.core.errors import InputError
from StrokeSAMLib.core.files import is_folder
from StrokeSAMLib.core.monitor import Monitor
from StrokeSAMLib.evaluation.metrics import CaseMetrics, case_metrics
from StrokeSAMLib.imaging.geometry import array_spacing, same_grid
from StrokeSAMLib.imaging.right_angles import at_right_angles
from StrokeSAMLib.io.folders import image_name, images_in
from StrokeSAMLib.io.reading import read_image

# A mask may have a label for each lesion; a scan has hundreds of values.
_MOST_LABELS = 50


def evaluate(
    reference: Path, prediction: Path, tolerance_mm: float = 2.0, monitor: Monitor | None = None
) -> list[CaseMetrics]:
    """Measure one pair of mask files, or all pairs in two folders. Every voxel that is not 0 is lesion.

    Args:
        reference: the reference mask, or a folder of them.
        prediction: the predicted mask, or a folder of them with the same names; the suffixes may differ.
        tolerance_mm: tolerance of the normalised surface Dice.
        monitor: for progress and cancellation.

    Returns:
        The metrics of the cases, sorted by name.

    Raises:
        InputError: a file without its partner, masks on different grids, or an image that is not a mask.
    """
    monitor = monitor or Monitor()
    pairs = _pairs(Path(reference), Path(prediction))
    cases = []
    for count, (name, reference_file, predicted_file) in enumerate(pairs):
        monitor.step(count / len(pairs), f"measuring {name}")
        cases.append(_evaluate_pair(name, reference_file, predicted_file, tolerance_mm))
    return cases


def summarise(cases: list[CaseMetrics]) -> dict[str, dict[str, float]]:
    """Mean, sd, median and n of every metric, over the cases in which it has a value (see `CaseMetrics`)."""
    summary = {}
    for field in dataclasses.fields(CaseMetrics)[1:]:
        values = [value for case in cases if not math.isnan(value := getattr(case, field.name))]
        summary[field.name] = {
            "mean": statistics.fmean(values) if values else math.nan,
            "sd": statistics.stdev(values) if len(values) > 1 else math.nan,
            "median": statistics.median(values) if values else math.nan,
            "n": len(values),
        }
    return summary


def _pairs(reference: Path, prediction: Path) -> list[tuple[str, Path, Path]]:
    """The name, reference file and predicted file of each case."""
    if is_folder(reference) != is_folder(prediction):
        raise InputError(f"{reference} and {prediction}: give two files or two folders")
    if not is_folder(reference):
        return [(image_name(prediction), reference, prediction)]
    references, predictions = images_in(reference), images_in(prediction)
    for folder, missing in (
        (prediction, sorted(references.keys() - predictions.keys())),
        (reference, sorted(predictions.keys() - references.keys())),
    ):
        if missing:
            more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
            raise InputError(f"{folder}: no file for {', '.join(missing[:3])}{more}")
    return [(name, references[name], predictions[name]) for name in sorted(references)]


def _evaluate_pair(name: str, reference: Path, prediction: Path, tolerance_mm: float) -> CaseMetrics:
    first, second = _read(reference), _read(prediction)
    if not same_grid(first, second):
        raise InputError(f"{prediction}: its grid is not that of {reference} ({_grid_difference(first, second)})")
    masks = _mask(first, reference), _mask(second, prediction)
    return case_metrics(*masks, array_spacing(first), tolerance_mm, name)


def _read(path: Path) -> sitk.Image:
    """The image of a mask file. A sheared one is brought to right angles, where distances and volumes are measured."""
    return at_right_angles(read_image(path), str(path), 0, sitk.sitkNearestNeighbor)


def _grid_difference(first: sitk.Image, second: sitk.Image) -> str:
    for part in ("Size", "Spacing", "Origin", "Direction"):
        values = [getattr(image, f"Get{part}")() for image in (first, second)]
        if values[0] != values[1] and not (part != "Size" and np.allclose(*values, rtol=0, atol=1e-3)):
            texts = [" × ".join(f"{v:g}" for v in value) for value in values]
            return f"{part.lower()} {texts[1]} instead of {texts[0]}"
    return "geometry"


def _mask(image: sitk.Image, path: Path) -> np.ndarray:
    """The voxels that are not 0, bool (k, j, i); `path` is for the error about an image that is not a mask."""
    array = sitk.GetArrayFromImage(image)
    if array.dtype.kind == "f" and not np.array_equal(array, np.rint(array)):
        raise InputError(f"{path}: not a mask: it has values between whole numbers")
    mask = array != 0
    values = np.unique(array[mask])
    if len(values) > _MOST_LABELS:
        raise InputError(f"{path}: not a mask: it has {len(values) + int(not mask.all())} grey levels")
    if len(values) and values[0] < 0:
        raise InputError(f"{path}: not a mask: it has values below 0")
    return mask
