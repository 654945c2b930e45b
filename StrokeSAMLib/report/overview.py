"""The contact sheet: axial slices with the lesion's outline, as a radiologist reads them.

Radiological convention: the patient's right is on the left of the picture, anterior is up. Drawn with Pillow, which
Slicer has.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import scipy.ndimage as ndi
import SimpleITK as sitk
from PIL import Image, ImageDraw, ImageFont

from StrokeSAMLib.imaging.geometry import canonical, mask_like, resample_like, same_grid
from StrokeSAMLib.imaging.writing import replacing
from StrokeSAMLib.lesion.result import LesionResult
from StrokeSAMLib.report.measurements import measure

COLUMNS, ROWS = 5, 4
_TILE = 250
_MARGIN_MM = 12.0
# The stroke window: level 40, width 80 HU (Lev et al. 1999, Radiology 213:150).
_CT_WINDOW = (0.0, 80.0)
_MR_PERCENTILES = (0.5, 99.5)
# Amber (Okabe and Ito's palette), told from grey by the colour-blind too.
OUTLINE = (255, 176, 0)
_TEXT, _DIM = (235, 235, 235), (150, 150, 150)
_HEADER, _FOOTER = 46, 34


def overview(result: LesionResult, key: str | None = None) -> Image.Image:
    """The contact sheet of `result`, RGB.

    Args:
        result: of an automatic method.
        key: the image to show; the method's first by default.
    """
    key = next(iter(result.images)) if key is None else key
    image, mask, brain = _upright(result, key)
    low, high = _window(image, brain, key)
    box = _crop(brain, image)
    sheet = Image.new("RGB", (COLUMNS * _TILE, ROWS * _TILE + _HEADER + _FOOTER))
    array, lesion = sitk.GetArrayViewFromImage(image), sitk.GetArrayViewFromImage(mask)
    scale = _scale(box, image)
    for place, k in enumerate(_slices(brain, lesion)):
        grey = np.clip((array[k][box] - low) / (high - low), 0, 1) * 255
        tile = _tile(grey, lesion[k][box] > 0, image, scale)
        _annotate(tile, image.TransformIndexToPhysicalPoint((0, 0, int(k)))[2])
        sheet.paste(tile, (place % COLUMNS * _TILE, _HEADER + place // COLUMNS * _TILE))
    _frame(sheet, result, key, (low, high), scale)
    return sheet


def write_overview(result: LesionResult, path: Path) -> None:
    """Write the contact sheet as PNG to `path`, whole or not at all."""
    with replacing(path) as temporary:
        overview(result).save(temporary, format="PNG")


def _upright(result: LesionResult, key: str) -> tuple[sitk.Image, sitk.Image, np.ndarray]:
    """Image, lesion and brain on an axial grid along L, P, S; resampled only where the scan is not axial."""
    image = canonical(sitk.Cast(result.images[key], sitk.sitkFloat32))
    mask, brain = canonical(result.mask), canonical(result.brain)
    axial = np.allclose(image.GetDirection(), np.eye(3).ravel(), atol=1e-3) and image.GetSpacing()[2] >= 2
    if not axial:
        grid = _axial_grid(image)
        low = float(sitk.GetArrayViewFromImage(image).min())
        image = resample_like(image, grid, outside=low)
        mask, brain = mask_like(mask, grid), mask_like(brain, grid)
    elif not same_grid(image, mask):
        mask, brain = mask_like(mask, image), mask_like(brain, image)
    return image, mask, sitk.GetArrayFromImage(brain) > 0


def _axial_grid(image: sitk.Image) -> sitk.Image:
    """A grid of 1 × 1 × 3 mm along L, P, S around `image`."""
    ends = [(-0.5, n - 0.5) for n in image.GetSize()]
    corners = np.array(
        [image.TransformContinuousIndexToPhysicalPoint([ends[a][(c >> a) & 1] for a in range(3)]) for c in range(8)]
    )
    spacing = np.array([1.0, 1.0, 3.0])
    size = np.ceil(np.ptp(corners, axis=0) / spacing).astype(int)
    grid = sitk.Image(size.tolist(), sitk.sitkUInt8)
    grid.SetSpacing(spacing.tolist())
    grid.SetOrigin((corners.min(axis=0) + spacing / 2).tolist())
    return grid


def _window(image: sitk.Image, brain: np.ndarray, key: str) -> tuple[float, float]:
    if key == "ncct":
        return _CT_WINDOW
    inside = sitk.GetArrayViewFromImage(image)[brain]
    low, high = np.percentile(inside, _MR_PERCENTILES) if inside.size else (0.0, 1.0)
    return float(low), float(max(high, low + 1e-6))


def _crop(brain: np.ndarray, image: sitk.Image) -> tuple[slice, slice]:
    """Rows and columns around the brain, with a margin for the skull."""
    box = []
    for axis, step in ((1, image.GetSpacing()[1]), (2, image.GetSpacing()[0])):
        used = np.flatnonzero(brain.any(axis=tuple(a for a in range(3) if a != axis)))
        margin = int(_MARGIN_MM / step)
        first, last = (used[0], used[-1]) if used.size else (0, brain.shape[axis] - 1)
        box.append(slice(max(first - margin, 0), last + margin + 1))
    return box[0], box[1]


def _slices(brain: np.ndarray, lesion: np.ndarray) -> np.ndarray:
    """Up to a sheet's number of slices (from above the brain's lowest), the lesion's among them as many as can be."""
    count = COLUMNS * ROWS
    used = np.flatnonzero(brain.any(axis=(1, 2)))
    ill = np.flatnonzero(lesion.any(axis=(1, 2)))
    if used.size <= count:
        return used
    chosen = set(ill[np.unique(np.linspace(0, ill.size - 1, min(ill.size, count * 3 // 4)).round().astype(int))])
    for k in used[np.linspace(0, used.size - 1, count).round().astype(int)]:
        if len(chosen) < count:
            chosen.add(k)
    return np.array(sorted(chosen))


def _scale(box: tuple[slice, slice], image: sitk.Image) -> float:
    """Pixels of a tile to a millimetre."""
    rows, columns = (s.stop - s.start for s in box)
    return _TILE / max(rows * image.GetSpacing()[1], columns * image.GetSpacing()[0])


def _tile(grey: np.ndarray, lesion: np.ndarray, image: sitk.Image, scale: float) -> Image.Image:
    """One slice, its aspect true, with the lesion's outline."""
    size = tuple(round(n * step * scale) for n, step in zip(grey.shape[::-1], image.GetSpacing()[:2], strict=True))
    picture = Image.fromarray(grey.astype(np.uint8)).resize(size, Image.Resampling.BICUBIC).convert("RGB")
    if lesion.any():
        amber = Image.new("RGB", size, OUTLINE)
        picture.paste(amber, mask=Image.fromarray(_outline(lesion, size)))
    tile = Image.new("RGB", (_TILE, _TILE))
    tile.paste(picture, ((_TILE - size[0]) // 2, (_TILE - size[1]) // 2))
    return tile


def _outline(lesion: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The opacity (UInt8) of the outline, two pixels wide and antialiased.

    The mask is smoothed as it is enlarged, four times finer than the tile; a lesion of one voxel stays.
    """
    fine = Image.fromarray(lesion.astype(np.uint8) * 255).resize((size[0] * 4, size[1] * 4), Image.Resampling.BILINEAR)
    inside = np.asarray(fine) > 127
    edge = ndi.distance_transform_edt(inside) <= 4.0
    edge &= inside
    edge |= (ndi.distance_transform_edt(~inside) <= 3.0) & ~inside
    return np.asarray(Image.fromarray(edge.astype(np.uint8) * 255).resize(size, Image.Resampling.BOX))


def _annotate(tile: Image.Image, z_mm: float) -> None:
    draw = ImageDraw.Draw(tile)
    font = ImageFont.load_default(13)
    draw.text((6, _TILE // 2), "R", _DIM, font, anchor="lm")
    draw.text((_TILE - 6, _TILE // 2), "L", _DIM, font, anchor="rm")
    draw.text((6, _TILE - 6), f"{'S' if z_mm >= 0 else 'I'} {abs(z_mm):.0f} mm", _DIM, font, anchor="ls")


def _frame(sheet: Image.Image, result: LesionResult, key: str, window: tuple[float, float], scale: float) -> None:
    draw = ImageDraw.Draw(sheet)
    found = measure(result)
    title = "no lesion found"
    if found["voxels"]:
        count = len(found["components"])
        title = f"lesion {found['volume_ml']:.1f} ml, {found['side']}, {count} component{'s' if count > 1 else ''}"
    draw.text((12, _HEADER // 2), title, _TEXT, ImageFont.load_default(22), anchor="lm")
    about = f"{key}, method {result.method}, level {sum(window) / 2:.0f} width {window[1] - window[0]:.0f}"
    draw.text((sheet.width - 12, _HEADER // 2), about, _DIM, ImageFont.load_default(15), anchor="rm")
    foot = sheet.height - _FOOTER // 2
    bar = round(50 * scale)
    draw.line((12, foot, 12 + bar, foot), _TEXT, 3)
    draw.text((20 + bar, foot), "5 cm", _TEXT, ImageFont.load_default(13), anchor="lm")
    notes = "; ".join(result.warnings)
    draw.text((90 + bar, foot), notes[:120], OUTLINE, ImageFont.load_default(13), anchor="lm")
    notice = "Research use only, not a medical device"
    draw.text((sheet.width - 12, foot), notice, _DIM, ImageFont.load_default(13), anchor="rm")
