"""A contact sheet of many patients: a row each, with the outlines of reference, lesion and possible lesion."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import scipy.ndimage as ndi
import SimpleITK as sitk
from PIL import Image, ImageDraw

from StrokeSAMLib.imaging.geometry import canonical
from StrokeSAMLib.imaging.morphology import bounding_box
from StrokeSAMLib.lesion.result import LesionResult

_COLUMNS, _TILE = 8, 200
_MARGIN_MM = 10.0
_REFERENCE, _LESION, _POSSIBLE = (0, 220, 0), (255, 60, 60), (255, 176, 0)
_CT_WINDOW = (0.0, 80.0)


@dataclass(frozen=True)
class Row:
    """A patient of the sheet."""

    name: str
    result: LesionResult
    reference: sitk.Image | None


def write_sheet(rows: list[Row], path: Path) -> None:
    """Write a PNG: reference green, lesion red, possible lesion amber. The patient's right is on the left."""
    sheet = Image.new("RGB", (_COLUMNS * _TILE, len(rows) * _TILE))
    for place, row in enumerate(rows):
        sheet.paste(_picture(row), (0, place * _TILE))
    sheet.save(path)


def _picture(row: Row) -> Image.Image:
    key, image = next(iter(row.result.images.items()))
    axial = canonical(sitk.Cast(image, sitk.sitkFloat32))
    array = sitk.GetArrayFromImage(axial)
    brain = sitk.GetArrayFromImage(canonical(row.result.brain)) > 0
    low, high = _CT_WINDOW if key == "ncct" else (0.0, float(np.percentile(array[brain], 99.5)))
    grey = (np.clip((array - low) / (high - low), 0, 1) * 255).astype(np.uint8)
    masks = ((row.reference, _REFERENCE), (row.result.possible, _POSSIBLE), (row.result.mask, _LESION))
    drawn = [(sitk.GetArrayFromImage(canonical(mask)) > 0, colour) for mask, colour in masks if mask is not None]
    slices, *box = bounding_box(brain)
    spacing = axial.GetSpacing()
    margins = [int(_MARGIN_MM / step) for step in (spacing[1], spacing[0])]
    inside = tuple(slice(max(span.start - more, 0), span.stop + more) for span, more in zip(box, margins, strict=True))
    picture = Image.new("RGB", (_COLUMNS * _TILE, _TILE))
    for place, k in enumerate(np.linspace(slices.start, slices.stop - 1, _COLUMNS).round().astype(int)):
        picture.paste(_tile(grey[k][inside], [(m[k][inside], c) for m, c in drawn], spacing), (place * _TILE, 0))
    ImageDraw.Draw(picture).text((4, 4), row.name, (255, 255, 0))
    return picture


def _tile(grey: np.ndarray, masks: list[tuple[np.ndarray, tuple[int, int, int]]], spacing: tuple) -> Image.Image:
    rows, columns = grey.shape
    scale = _TILE / max(rows * spacing[1], columns * spacing[0])
    size = max(1, round(columns * spacing[0] * scale)), max(1, round(rows * spacing[1] * scale))
    pixels = np.array(Image.fromarray(grey).resize(size).convert("RGB"))
    for mask, colour in masks:
        enlarged = np.asarray(Image.fromarray(mask.astype(np.uint8) * 255).resize(size)) > 127
        pixels[enlarged & ~ndi.binary_erosion(enlarged)] = colour
    return Image.fromarray(pixels)
