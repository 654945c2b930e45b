"""The contact sheet: axial slices with the lesion's outline.

Radiological convention: the patient's right is on the left of the picture, anterior is up. Drawn with Pillow, which
Slicer includes.
"""

from __future__ import annotations

import unicodedata
from pathlib import Path

import numpy as np
import scipy.ndimage as ndi
import SimpleITK as sitk
from PIL import Image, ImageDraw, ImageFont

from StrokeSAMLib.core.files import atomic_write
from StrokeSAMLib.core.plain_text import PLAIN_SIGNS
from StrokeSAMLib.imaging.morphology import CONNECTIVITY_26, bounding_box
from StrokeSAMLib.lesion.result import LesionResult
from StrokeSAMLib.report.axial_view import AxialView, axial_view, choose_slices, small_components
from StrokeSAMLib.report.measurements import measure, summary

COLUMNS, ROWS = 5, 4
_TILE = 250
_MARGIN_MM = 12.0
# The stroke window: level 40, width 80 HU (Lev et al. 1999, Radiology 213:150).
_CT_WINDOW = (0.0, 80.0)
_MR_PERCENTILES = (0.5, 99.5)
# Amber (Okabe and Ito's palette), which the colour-blind too can tell from grey.
OUTLINE = (255, 176, 0)
_TEXT, _DIM = (235, 235, 235), (150, 150, 150)
_HEADER, _FOOTER, _LINE = 46, 34, 18
# The outline is drawn on a grid finer than the tile by this factor.
_SUPERSAMPLING = 4
# A component with a smaller area on the picture (pixels) gets a ring of this radius, since an outline would hide it.
_TINY_PIXELS, _RING_PIXELS = 30, 6.0
# Pixels of a dash, and of the gap after it, in the outline of what may be a lesion.
_DASH_PIXELS = 4
_TO_PLAIN_SIGNS = str.maketrans(PLAIN_SIGNS)


def overview(result: LesionResult, key: str | None = None) -> Image.Image:
    """Draw the contact sheet of `result`: up to 20 slices with the outlines, and the warnings below them.

    The outline of the lesion is drawn through, and that of what may be a lesion is dashed.

    Args:
        result: the result of an automatic method.
        key: the image of the result to show, such as "ncct" or "adc"; None for its first. "ncct" is shown at level
            40, width 80 HU; any other from the 0.5th to the 99.5th percentile of the whole brain.

    Returns:
        An RGB picture.

    Raises:
        KeyError: the result has no such image.
    """
    key = next(iter(result.images)) if key is None else key
    view = axial_view(result, key)
    low, high = _window(view, key)
    box = _crop(view)
    scale = _scale(box, view.image)
    notes = _wrapped(result.warnings, COLUMNS * _TILE - 24)
    sheet = Image.new("RGB", (COLUMNS * _TILE, ROWS * _TILE + _HEADER + _FOOTER + _LINE * len(notes)))
    array = sitk.GetArrayViewFromImage(view.image)
    tiny = small_components(view.lesion, _TINY_PIXELS / float(scale**2 * np.prod(view.image.GetSpacing()[:2])))
    shown = view.lesion if view.lesion.any() else view.possible
    for place, k in enumerate(choose_slices(shown, view.brain, COLUMNS * ROWS)):
        grey = np.clip((array[k][box] - low) / (high - low), 0, 1) * 255
        marks = view.lesion[k][box], view.possible[k][box], tiny[k][box]
        tile = _tile(grey, marks, view.image, scale)
        _annotate(tile, view.image.TransformIndexToPhysicalPoint((0, 0, k))[2])
        sheet.paste(tile, (place % COLUMNS * _TILE, _HEADER + place // COLUMNS * _TILE))
    _draw_header(sheet, result, key, (low, high))
    _draw_footer(sheet, notes, scale)
    return sheet


def write_overview(result: LesionResult, path: Path) -> None:
    """Write the contact sheet as PNG to `path` atomically.

    Raises:
        InputError: the folder cannot be written to.
    """
    with atomic_write(path) as temporary:
        overview(result).save(temporary, format="PNG")


def _window(view: AxialView, key: str) -> tuple[float, float]:
    """The values shown as black and as white."""
    if key == "ncct":
        return _CT_WINDOW
    array = sitk.GetArrayViewFromImage(view.image)
    inside = array[view.brain] if view.brain.any() else array.ravel()
    low, high = np.percentile(inside, _MR_PERCENTILES)
    return float(low), float(max(high, low + 1e-6))


def _crop(view: AxialView) -> tuple[slice, slice]:
    """Rows and columns around brain and lesion, with a margin for the skull; all of them without a brain and lesion."""
    foreground = view.brain | view.lesion | view.possible
    rows, columns = foreground.shape[1:]
    if not foreground.any():
        return slice(0, rows), slice(0, columns)
    _, row_span, column_span = bounding_box(foreground)
    column_mm, row_mm, _ = view.image.GetSpacing()
    row_margin, column_margin = int(_MARGIN_MM / row_mm), int(_MARGIN_MM / column_mm)
    return _widened(row_span, row_margin, rows), _widened(column_span, column_margin, columns)


def _widened(span: slice, margin: int, length: int) -> slice:
    return slice(max(span.start - margin, 0), min(span.stop + margin, length))


def _scale(box: tuple[slice, slice], image: sitk.Image) -> float:
    """Pixels of a tile per millimetre."""
    rows, columns = (span.stop - span.start for span in box)
    return _TILE / max(rows * image.GetSpacing()[1], columns * image.GetSpacing()[0])


def _tile(
    grey: np.ndarray, marks: tuple[np.ndarray, np.ndarray, np.ndarray], image: sitk.Image, scale: float
) -> Image.Image:
    """One slice in its true aspect, with the outlines of `marks`: see `_outlines`."""
    rows, columns = grey.shape
    column_mm, row_mm, _ = image.GetSpacing()
    size = max(1, round(columns * column_mm * scale)), max(1, round(rows * row_mm * scale))
    picture = Image.fromarray(grey.astype(np.uint8)).resize(size, Image.Resampling.BICUBIC).convert("RGB")
    if marks[0].any() or marks[1].any():
        amber = Image.new("RGB", size, OUTLINE)
        picture.paste(amber, mask=Image.fromarray(_outlines(*marks, size)))
    tile = Image.new("RGB", (_TILE, _TILE))
    tile.paste(picture, ((_TILE - size[0]) // 2, (_TILE - size[1]) // 2))
    return tile


def _outlines(lesion: np.ndarray, possible: np.ndarray, tiny: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The opacity (UInt8) of the outlines, two pixels wide and antialiased.

    That of the possible lesion is dashed. A lesion of one voxel stays, and `tiny` components have a ring around them.
    """
    v, u = np.ogrid[: size[1] * _SUPERSAMPLING, : size[0] * _SUPERSAMPLING]
    edge = _edge(lesion, size)
    if possible.any():
        edge |= _edge(possible, size) & ((u + v) // (_DASH_PIXELS * _SUPERSAMPLING) % 2 == 0)
    for middle in _middles(tiny, size):
        radius = np.hypot(v - middle[0] * _SUPERSAMPLING, u - middle[1] * _SUPERSAMPLING) / _SUPERSAMPLING
        edge |= np.abs(radius - _RING_PIXELS) < 0.6
    return np.asarray(Image.fromarray(edge.astype(np.uint8) * 255).resize(size, Image.Resampling.BOX))


def _edge(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The outline of a mask on the fine grid, bool. The mask is smoothed as it is enlarged."""
    fine_size = (size[0] * _SUPERSAMPLING, size[1] * _SUPERSAMPLING)
    enlarged = Image.fromarray(mask.astype(np.uint8) * 255).resize(fine_size, Image.Resampling.BILINEAR)
    inside = np.asarray(enlarged) > 127
    if not inside.any():
        return inside
    edge = inside & (ndi.distance_transform_edt(inside) <= _SUPERSAMPLING)
    return edge | (~inside & (ndi.distance_transform_edt(~inside) <= _SUPERSAMPLING - 1))


def _middles(tiny: np.ndarray, size: tuple[int, int]) -> list[np.ndarray]:
    """The middle (row, column; pixels of the tile) of each component of `tiny`."""
    labels, count = ndi.label(tiny, structure=CONNECTIVITY_26[0])
    step = np.array(size[::-1]) / tiny.shape
    return [(np.argwhere(labels == n).mean(axis=0) + 0.5) * step for n in range(1, count + 1)]


def _annotate(tile: Image.Image, z_mm: float) -> None:
    """Write R, L and the slice's height."""
    draw = ImageDraw.Draw(tile)
    font = ImageFont.load_default(13)
    draw.text((6, _TILE // 2), "R", _DIM, font, anchor="lm")
    draw.text((_TILE - 6, _TILE // 2), "L", _DIM, font, anchor="rm")
    draw.text((6, _TILE - 6), f"{'S' if z_mm >= 0 else 'I'} {abs(z_mm):.0f} mm", _DIM, font, anchor="ls")


def _draw_header(sheet: Image.Image, result: LesionResult, key: str, window: tuple[float, float]) -> None:
    draw = ImageDraw.Draw(sheet)
    draw.text((12, _HEADER // 2), summary(measure(result)), _TEXT, ImageFont.load_default(22), anchor="lm")
    details = f"{key}, method {result.method}, level {sum(window) / 2:.3g} width {window[1] - window[0]:.3g}"
    draw.text((sheet.width - 12, _HEADER // 2), _to_ascii(details), _DIM, ImageFont.load_default(15), anchor="rm")


def _draw_footer(sheet: Image.Image, notes: list[str], scale: float) -> None:
    """Draw a scale bar, the notice, and the notes below them."""
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(13)
    middle = _HEADER + ROWS * _TILE + _FOOTER // 2
    bar = round(50 * scale)
    draw.line((12, middle, 12 + bar, middle), _TEXT, 3)
    draw.text((20 + bar, middle), "5 cm", _TEXT, font, anchor="lm")
    draw.text((sheet.width - 12, middle), "Research use only - not a medical device", _DIM, font, anchor="rm")
    for line, note in enumerate(notes):
        draw.text((12, middle + _FOOTER // 2 + line * _LINE), note, OUTLINE, font, anchor="lm")


def _wrapped(warnings: tuple[str, ...], width: int) -> list[str]:
    """The warnings as lines of at most `width` pixels; a longer word has its own line."""
    font = ImageFont.load_default(13)
    lines: list[str] = []
    for warning in warnings:
        line = ""
        for word in _to_ascii(warning).split():
            longer = f"{line} {word}".strip()
            if line and font.getlength(longer) > width:
                lines.append(line)
                longer = word
            line = longer
        lines.append(line)
    return lines


def _to_ascii(text: str) -> str:
    """`text` in ASCII, which is all that Pillow's own font has: plain signs, no accents, "?" for the rest."""
    decomposed = unicodedata.normalize("NFKD", text.translate(_TO_PLAIN_SIGNS))
    return "".join(c for c in decomposed if not unicodedata.combining(c)).encode("ascii", "replace").decode()
