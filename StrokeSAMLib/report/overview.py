"""The contact sheet: axial slices with the lesion's outline, as a radiologist reads them.

Radiological convention: the patient's right is on the left of the picture, anterior is up. Drawn with Pillow, which
Slicer has.
"""

from __future__ import annotations

import unicodedata
from pathlib import Path

import numpy as np
import scipy.ndimage as ndi
import SimpleITK as sitk
from PIL import Image, ImageDraw, ImageFont

from StrokeSAMLib.files import replacing
from StrokeSAMLib.imaging.morphology import FULL
from StrokeSAMLib.lesion.result import LesionResult
from StrokeSAMLib.report.axial import Axial, axial, choose_slices, specks
from StrokeSAMLib.report.measurements import measure, summary

COLUMNS, ROWS = 5, 4
_TILE = 250
_MARGIN_MM = 12.0
# The stroke window: level 40, width 80 HU (Lev et al. 1999, Radiology 213:150).
_CT_WINDOW = (0.0, 80.0)
_MR_PERCENTILES = (0.5, 99.5)
# Amber (Okabe and Ito's palette), told from grey by the colour-blind too.
OUTLINE = (255, 176, 0)
_TEXT, _DIM = (235, 235, 235), (150, 150, 150)
_HEADER, _FOOTER, _LINE = 46, 34, 18
_FINER = 4
# A component smaller on the picture than this (pixels) gets a ring of this radius: an outline would hide it.
_TINY_PIXELS, _RING_PIXELS = 30, 6.0
# Pillow's own font has ASCII and little more.
_SIGNS = str.maketrans({"×": "x", "–": "-", "−": "-", "—": "-", "’": "'", "≥": ">=", "≤": "<=", "≈": "~", "µ": "u"})


def overview(result: LesionResult, key: str | None = None) -> Image.Image:
    """The contact sheet of `result`, RGB: up to 20 slices with the outline, and below them the warnings.

    Args:
        result: of an automatic method.
        key: the image of the result to show, such as "ncct" or "adc"; its first by default. "ncct" is shown at level
            40, width 80 HU; any other from the 0.5th to the 99.5th percentile of the whole brain.

    Raises:
        KeyError: the result has no such image.
    """
    key = next(iter(result.images)) if key is None else key
    shown = axial(result, key)
    low, high = _window(shown, key)
    box = _crop(shown)
    scale = _scale(box, shown.image)
    notes = _wrapped(result.warnings, COLUMNS * _TILE - 24)
    sheet = Image.new("RGB", (COLUMNS * _TILE, ROWS * _TILE + _HEADER + _FOOTER + _LINE * len(notes)))
    array = sitk.GetArrayViewFromImage(shown.image)
    tiny = specks(shown.lesion, _TINY_PIXELS / (scale**2 * np.prod(shown.image.GetSpacing()[:2])))
    for place, k in enumerate(choose_slices(shown.lesion, shown.brain, COLUMNS * ROWS)):
        grey = np.clip((array[k][box] - low) / (high - low), 0, 1) * 255
        tile = _tile(grey, shown.lesion[k][box], tiny[k][box], shown.image, scale)
        _annotate(tile, shown.image.TransformIndexToPhysicalPoint((0, 0, k))[2])
        sheet.paste(tile, (place % COLUMNS * _TILE, _HEADER + place // COLUMNS * _TILE))
    _head(sheet, result, key, (low, high))
    _foot(sheet, notes, scale)
    return sheet


def write_overview(result: LesionResult, path: Path) -> None:
    """Write the contact sheet as PNG to `path`, whole or not at all.

    Raises:
        InputError: the folder cannot be written to.
    """
    with replacing(path) as temporary:
        overview(result).save(temporary, format="PNG")


def _window(shown: Axial, key: str) -> tuple[float, float]:
    if key == "ncct":
        return _CT_WINDOW
    array = sitk.GetArrayViewFromImage(shown.image)
    inside = array[shown.brain] if shown.brain.any() else array.ravel()
    low, high = np.percentile(inside, _MR_PERCENTILES)
    return float(low), float(max(high, low + 1e-6))


def _crop(shown: Axial) -> tuple[slice, slice]:
    """Rows and columns around brain and lesion, with a margin for the skull."""
    box = []
    there = (shown.brain | shown.lesion).any(axis=0)
    for axis, step in ((0, shown.image.GetSpacing()[1]), (1, shown.image.GetSpacing()[0])):
        used = np.flatnonzero(there.any(axis=1 - axis))
        margin = int(_MARGIN_MM / step)
        first, last = (used[0], used[-1]) if used.size else (0, there.shape[axis] - 1)
        box.append(slice(max(first - margin, 0), min(last + margin + 1, there.shape[axis])))
    return box[0], box[1]


def _scale(box: tuple[slice, slice], image: sitk.Image) -> float:
    """Pixels of a tile to a millimetre."""
    rows, columns = (s.stop - s.start for s in box)
    return _TILE / max(rows * image.GetSpacing()[1], columns * image.GetSpacing()[0])


def _tile(grey: np.ndarray, lesion: np.ndarray, tiny: np.ndarray, image: sitk.Image, scale: float) -> Image.Image:
    """One slice, its aspect true, with the lesion's outline, and rings around what is `tiny`."""
    steps = image.GetSpacing()[:2]
    size = tuple(max(1, round(n * step * scale)) for n, step in zip(grey.shape[::-1], steps, strict=True))
    picture = Image.fromarray(grey.astype(np.uint8)).resize(size, Image.Resampling.BICUBIC).convert("RGB")
    if lesion.any():
        amber = Image.new("RGB", size, OUTLINE)
        picture.paste(amber, mask=Image.fromarray(_outline(lesion, tiny, size)))
    tile = Image.new("RGB", (_TILE, _TILE))
    tile.paste(picture, ((_TILE - size[0]) // 2, (_TILE - size[1]) // 2))
    return tile


def _outline(lesion: np.ndarray, tiny: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The opacity (UInt8) of the outline, two pixels wide and antialiased.

    The mask is smoothed as it is enlarged; a lesion of one voxel stays, and what is `tiny` has a ring around it.
    """
    fine_size = (size[0] * _FINER, size[1] * _FINER)
    enlarged = Image.fromarray(lesion.astype(np.uint8) * 255).resize(fine_size, Image.Resampling.BILINEAR)
    inside = np.asarray(enlarged) > 127
    edge = inside & (ndi.distance_transform_edt(inside) <= _FINER)
    edge |= ~inside & (ndi.distance_transform_edt(~inside) <= _FINER - 1)
    for middle in _middles(tiny, size):
        v, u = np.ogrid[: fine_size[1], : fine_size[0]]
        radius = np.hypot(v - middle[0] * _FINER, u - middle[1] * _FINER) / _FINER
        edge |= np.abs(radius - _RING_PIXELS) < 0.6
    return np.asarray(Image.fromarray(edge.astype(np.uint8) * 255).resize(size, Image.Resampling.BOX))


def _middles(tiny: np.ndarray, size: tuple[int, int]) -> list[np.ndarray]:
    """Middles (row, column; pixels of the tile) of the parts of `tiny`."""
    labels, count = ndi.label(tiny, structure=FULL[0])
    step = np.array(size[::-1]) / tiny.shape
    return [(np.argwhere(labels == n).mean(axis=0) + 0.5) * step for n in range(1, count + 1)]


def _annotate(tile: Image.Image, z_mm: float) -> None:
    draw = ImageDraw.Draw(tile)
    font = ImageFont.load_default(13)
    draw.text((6, _TILE // 2), "R", _DIM, font, anchor="lm")
    draw.text((_TILE - 6, _TILE // 2), "L", _DIM, font, anchor="rm")
    draw.text((6, _TILE - 6), f"{'S' if z_mm >= 0 else 'I'} {abs(z_mm):.0f} mm", _DIM, font, anchor="ls")


def _head(sheet: Image.Image, result: LesionResult, key: str, window: tuple[float, float]) -> None:
    draw = ImageDraw.Draw(sheet)
    draw.text((12, _HEADER // 2), summary(measure(result)), _TEXT, ImageFont.load_default(22), anchor="lm")
    about = f"{key}, method {result.method}, level {sum(window) / 2:.3g} width {window[1] - window[0]:.3g}"
    draw.text((sheet.width - 12, _HEADER // 2), _plain(about), _DIM, ImageFont.load_default(15), anchor="rm")


def _foot(sheet: Image.Image, notes: list[str], scale: float) -> None:
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(13)
    foot = _HEADER + ROWS * _TILE + _FOOTER // 2
    bar = round(50 * scale)
    draw.line((12, foot, 12 + bar, foot), _TEXT, 3)
    draw.text((20 + bar, foot), "5 cm", _TEXT, font, anchor="lm")
    draw.text((sheet.width - 12, foot), "Research use only - not a medical device", _DIM, font, anchor="rm")
    for line, note in enumerate(notes):
        draw.text((12, foot + _FOOTER // 2 + line * _LINE), note, OUTLINE, font, anchor="lm")


def _wrapped(warnings: tuple[str, ...], width: int) -> list[str]:
    """The warnings as lines of at most `width` pixels; no word is lost."""
    font = ImageFont.load_default(13)
    lines: list[str] = []
    for warning in warnings:
        line = ""
        for word in _plain(warning).split():
            longer = f"{line} {word}".strip()
            if line and font.getlength(longer) > width:
                lines.append(line)
                longer = word
            line = longer
        lines.append(line)
    return lines


def _plain(text: str) -> str:
    """`text` in the signs that Pillow's font has: accents dropped, dashes and × in ASCII, the rest as "?"."""
    base = unicodedata.normalize("NFKD", text.translate(_SIGNS))
    return "".join(c for c in base if not unicodedata.combining(c)).encode("ascii", "replace").decode()
