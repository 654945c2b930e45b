"""Grids: bringing images to a common orientation, a coarser grid, or another image's grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

Spacing = tuple[float, float, float]


def canonical(image: sitk.Image) -> sitk.Image:
    """`image` with its axes permuted and flipped so that i, j, k run as nearly as they can to L, P and S.

    No voxel is interpolated; an oblique image stays oblique.
    """
    return sitk.DICOMOrient(image, "LPS")


def array_spacing(image: sitk.Image) -> Spacing:
    """Voxel spacing in the order of the array's axes (k, j, i), mm."""
    return tuple(reversed(image.GetSpacing()))


def voxel_volume_ml(image: sitk.Image) -> float:
    """Volume of one voxel, millilitres."""
    return float(np.prod(image.GetSpacing())) / 1000


def like(array: np.ndarray, image: sitk.Image) -> sitk.Image:
    """An image of `array` (k, j, i) on the grid of `image`; booleans become UInt8."""
    made = sitk.GetImageFromArray(array.astype(np.uint8) if array.dtype == bool else array)
    made.CopyInformation(image)
    return made


def shrink(image: sitk.Image, least_mm: Spacing) -> sitk.Image:
    """`image` averaged over whole blocks of voxels until its spacing (x, y, z) is near, but not above, `least_mm`.

    An axis already coarser stays as it is. Averaging, not picking, lowers the noise as a thicker slice would.
    """
    factors = [max(1, int(least / spacing + 1e-3)) for least, spacing in zip(least_mm, image.GetSpacing(), strict=True)]
    factors = [min(factor, size) for factor, size in zip(factors, image.GetSize(), strict=True)]
    return sitk.BinShrink(image, factors) if max(factors) > 1 else image


def cubic_grid(image: sitk.Image, spacing_mm: float, multiple: int = 1) -> sitk.Image:
    """An empty image, UInt8, of cubic voxels with the axes and the middle of `image`, which it covers.

    Args:
        multiple: every side is a multiple of so many voxels.
    """
    extent = np.asarray(image.GetSize()) * np.asarray(image.GetSpacing())
    size = np.maximum(np.ceil(extent / (spacing_mm * multiple)), 1).astype(int) * multiple
    grid = sitk.Image(size.tolist(), sitk.sitkUInt8)
    grid.SetSpacing([spacing_mm] * 3)
    grid.SetDirection(image.GetDirection())
    middle = image.TransformContinuousIndexToPhysicalPoint([(n - 1) / 2 for n in image.GetSize()])
    axes = np.asarray(image.GetDirection()).reshape(3, 3)
    grid.SetOrigin((np.asarray(middle) - axes @ ((size - 1) / 2 * spacing_mm)).tolist())
    return grid


def resample_like(
    image: sitk.Image, reference: sitk.Image, interpolator: int = sitk.sitkLinear, outside: float = 0.0
) -> sitk.Image:
    """`image` on the grid of `reference`; voxels beyond `image` hold `outside`."""
    return sitk.Resample(image, reference, sitk.Transform(), interpolator, outside, image.GetPixelID())


@dataclass(frozen=True)
class Patch:
    """The part of a mask that holds something.

    Attributes:
        image: UInt8, in its place; one voxel where the mask is empty.
        start: index (i, j, k) of its first voxel in the mask.
        size: of the whole mask.
    """

    image: sitk.Image
    start: tuple[int, int, int]
    size: tuple[int, int, int]


def patch_of(mask: sitk.Image) -> Patch:
    """The smallest box of voxels around what is not 0."""
    voxels = sitk.GetArrayViewFromImage(mask)
    box = [slice(0, 1)] * 3
    for axis in range(3):
        # Each axis narrows what the next has to be searched in.
        found = np.flatnonzero(voxels[tuple(box[:axis])].any(axis=tuple(n for n in range(3) if n != axis)))
        if len(found) == 0:
            break
        box[axis] = slice(int(found[0]), int(found[-1]) + 1)
    cut = mask[box[2], box[1], box[0]]
    return Patch(sitk.Cast(cut, sitk.sitkUInt8), tuple(part.start for part in reversed(box)), mask.GetSize())


def mask_like(mask: sitk.Image, reference: sitk.Image) -> sitk.Image:
    """`mask` (0 or 1) on the grid of `reference`, UInt8, its outline interpolated rather than stepped."""
    if same_grid(mask, reference):
        return sitk.Cast(mask, sitk.sitkUInt8)
    # In 200 steps of a byte: a finer type would cost four times the memory on a scan of 700 slices.
    steps = sitk.Cast(mask, sitk.sitkUInt8) * 200
    return sitk.BinaryThreshold(resample_like(steps, reference), 100, 255)


def same_grid(first: sitk.Image, second: sitk.Image, tolerance: float = 1e-3) -> bool:
    """Whether both images have the same size and, to `tolerance` (mm, or cosine), the same geometry."""
    return first.GetSize() == second.GetSize() and all(
        np.allclose(a, b, rtol=0, atol=tolerance)
        for a, b in (
            (first.GetSpacing(), second.GetSpacing()),
            (first.GetOrigin(), second.GetOrigin()),
            (first.GetDirection(), second.GetDirection()),
        )
    )


def overlap(image: sitk.Image, reference: sitk.Image, inside: np.ndarray) -> float:
    """The part of the voxels `inside` (k, j, i) of `reference` that lie within the extent of `image`, 0…1."""
    covered = sitk.Image(image.GetSize(), sitk.sitkUInt8) + 1
    covered.CopyInformation(image)
    there = sitk.GetArrayFromImage(resample_like(covered, reference, sitk.sitkNearestNeighbor))
    count = np.count_nonzero(inside)
    return float(np.count_nonzero(there[inside]) / count) if count else 0.0
