"""Anatomies: tissue maps with the parts of CSF, grey and white matter in each voxel."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from StrokeSAMLib.anatomy.brain_ct import PLAUSIBLE_ML
from StrokeSAMLib.core.errors import InputError
from StrokeSAMLib.imaging.geometry import Spacing, array_spacing, canonical, same_grid, shrink
from StrokeSAMLib.imaging.morphology import bounding_box, dilate, erode, largest_component
from StrokeSAMLib.io.folders import images_in
from StrokeSAMLib.io.reading import read_image

TISSUES = ("csf", "grey", "white")
# Finer maps are averaged to this spacing. A working grid of 3 mm cannot show more.
_LEAST_MM = (2.0, 2.0, 2.0)
_MARGIN = 2
_BEYOND = 0.1
_NERVE_MM = 4.0


@dataclass(frozen=True)
class Anatomy:
    """The tissue maps of one brain.

    Attributes:
        name: name of the files that the maps come from.
        tissue: float32 (tissue, k, j, i), the parts of CSF, grey and white matter, 0…1; the axes run to S, P and L.
        spacing: (k, j, i), mm.
    """

    name: str
    tissue: np.ndarray
    spacing: Spacing

    @property
    def half_extent(self) -> np.ndarray:
        """Half the size (k, j, i) of the brain's bounding box, mm. The array is that box with a small margin."""
        return (np.asarray(self.tissue.shape[1:]) - 1 - 2 * _MARGIN) / 2 * np.asarray(self.spacing)

    @property
    def fingerprint(self) -> str:
        """The name and a hash of the maps: the same for the same brain."""
        return f"{self.name} {hashlib.sha256(self.tissue.tobytes()).hexdigest()[:12]}"


def read_anatomies(folder: Path) -> list[Anatomy]:
    """Read every anatomy in a folder.

    An anatomy is three probability maps, ``NAMEcsf``, ``NAMEgrey`` and ``NAMEwhite``, or one label map of any other
    name (1 CSF, 2 grey matter, 3 white matter; further labels are not brain).

    Raises:
        InputError: a map is missing, unreadable or not a tissue map; or the folder has no map, or two of one name.
    """
    folder = Path(folder)
    files = images_in(folder)
    tissues = {stem: next((name for name in TISSUES if stem.endswith(name)), "") for stem in files}
    labelled = [
        _cropped(str(files[stem]), stem, _from_labels(files[stem])) for stem, tissue in tissues.items() if not tissue
    ]
    names = sorted({stem.removesuffix(tissue) for stem, tissue in tissues.items() if tissue})
    return labelled + [_cropped(f"{folder}: {name}", name, _from_maps(files, name, folder)) for name in names]


def _from_maps(files: dict[str, Path], name: str, folder: Path) -> list[sitk.Image]:
    missing = [tissue for tissue in TISSUES if name + tissue not in files]
    if missing:
        raise InputError(f"{folder}: {name} lacks the map of {' and '.join(missing)}")
    images = [_probability(files[name + tissue]) for tissue in TISSUES]
    if not all(same_grid(image, images[0]) for image in images):
        raise InputError(f"{folder}: the maps of {name} have different grids")
    return images


def _probability(path: Path) -> sitk.Image:
    image = sitk.Cast(read_image(path), sitk.sitkFloat32)
    array = sitk.GetArrayViewFromImage(image)
    # Interpolation leaves maps a little beyond their range. NaN fails the comparison.
    if not (array.min() > -_BEYOND and array.max() < 1 + _BEYOND):
        raise InputError(f"{path}: no map of probabilities: values from {array.min():g} to {array.max():g}")
    return image


def _from_labels(path: Path) -> list[sitk.Image]:
    labels = read_image(path)
    values = np.unique(sitk.GetArrayViewFromImage(labels))
    if not {1, 2, 3} <= set(values.tolist()) or len(values) > 100:
        raise InputError(f"{path}: no label map with 1 CSF, 2 grey and 3 white matter")
    return [sitk.Cast(labels == label, sitk.sitkFloat32) for label in (1, 2, 3)]


def _cropped(source: str, name: str, images: list[sitk.Image]) -> Anatomy:
    """The anatomy on canonical axes and a coarse grid, cut to the brain; `source` names the maps in errors."""
    coarse = [shrink(canonical(image), _LEAST_MM) for image in images]
    tissue = np.stack([sitk.GetArrayFromImage(image) for image in coarse]).clip(0, 1)
    spacing = array_spacing(coarse[0])
    brain = _without_eyes(tissue.sum(0) > 0.5, spacing)
    tissue *= brain
    if not brain.any():
        raise InputError(f"{source}: the tissue maps are empty")
    cut = tissue[(slice(None), *bounding_box(brain))]
    volume = brain.sum() * np.prod(spacing) / 1000
    if min(cut.shape[1:]) < 2 or not PLAUSIBLE_ML[0] <= volume <= PLAUSIBLE_ML[1]:
        raise InputError(f"{source}: no brain of an adult: {volume:.0f} ml in {cut.shape[1]} slices")
    around = [(0, 0), *[(_MARGIN, _MARGIN)] * 3]
    return Anatomy(name, np.pad(cut, around).astype(np.float32), spacing)


def _without_eyes(brain: np.ndarray, spacing: Spacing) -> np.ndarray:
    """The largest part that is thicker than an optic nerve. Tissue maps often include fluid of the eyes."""
    core = largest_component(erode(brain, _NERVE_MM, spacing))
    return brain & dilate(core, 2 * _NERVE_MM, spacing)
