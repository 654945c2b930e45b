"""Grids of images: affines, canonical axes, coarser grids, and resampling onto the grid of another image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

Spacing = tuple[float, float, float]


def canonical(image: sitk.Image) -> sitk.Image:
    """`image` with its axes permuted and flipped so that i, j and k run nearest to L, P and S.

    No voxel is interpolated. An oblique image stays oblique.
    """
    return sitk.DICOMOrient(image, "LPS")


def array_spacing(image: sitk.Image) -> Spacing:
    """The voxel spacing in the order of the array's axes (k, j, i), mm."""
    return tuple(reversed(image.GetSpacing()))


def voxel_axes(image: sitk.Image) -> np.ndarray:
    """The steps from a voxel to the next one along i, j and k: the columns of a 3 × 3 matrix, LPS, mm."""
    return np.asarray(image.GetDirection()).reshape(3, 3) * np.asarray(image.GetSpacing())


def affine_of(image: sitk.Image) -> np.ndarray:
    """The 4 × 4 matrix from the indices (i, j, k) to LPS, mm."""
    affine = np.eye(4)
    affine[:3, :3] = voxel_axes(image)
    affine[:3, 3] = image.GetOrigin()
    return affine


def set_affine(image: sitk.Image, affine: np.ndarray) -> sitk.Image:
    """Give `image` the geometry of a 4 × 4 matrix from (i, j, k) to LPS, mm; return it. Its axes may be sheared."""
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    image.SetSpacing(spacing.tolist())
    image.SetDirection((affine[:3, :3] / spacing).ravel().tolist())
    image.SetOrigin(affine[:3, 3].tolist())
    return image


def voxel_volume_ml(image: sitk.Image) -> float:
    """The volume of one voxel, ml, also of a sheared one."""
    return float(abs(np.linalg.det(voxel_axes(image)))) / 1000


def mask_volume_ml(mask: sitk.Image) -> float:
    """The volume of the voxels of a mask that are not 0, ml."""
    return int(np.count_nonzero(sitk.GetArrayViewFromImage(mask))) * voxel_volume_ml(mask)


def image_like(array: np.ndarray, image: sitk.Image) -> sitk.Image:
    """An image of `array` (k, j, i) on the grid of `image`. A bool array becomes UInt8."""
    result = sitk.GetImageFromArray(array.astype(np.uint8) if array.dtype == bool else array)
    result.CopyInformation(image)
    return result


def shrink(image: sitk.Image, least_mm: Spacing) -> sitk.Image:
    """Average `image` over whole blocks of voxels, so that its spacing is near `least_mm` and not above it.

    An axis with a coarser spacing stays as it is. The average lowers the noise as a thicker slice would.

    Args:
        image: any scalar type.
        least_mm: spacing (x, y, z), mm.
    """
    factors = [max(1, int(least / spacing + 1e-3)) for least, spacing in zip(least_mm, image.GetSpacing(), strict=True)]
    factors = [min(factor, size) for factor, size in zip(factors, image.GetSize(), strict=True)]
    return sitk.BinShrink(image, factors) if max(factors) > 1 else image


def cubic_grid(image: sitk.Image, spacing_mm: float, multiple: int = 1) -> sitk.Image:
    """An empty image (UInt8) of cubic voxels that covers `image` and has its axes and its middle.

    Args:
        image: gives the extent; its voxels are not read.
        spacing_mm: side of a voxel, mm.
        multiple: the number of voxels of each side is a multiple of this.
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
    """`image` on the grid of `reference`, with its own pixel type. Voxels beyond `image` have the value `outside`."""
    return sitk.Resample(image, reference, sitk.Transform(), interpolator, outside, image.GetPixelID())


@dataclass(frozen=True)
class Patch:
    """The bounding box of a mask, cut out of the mask.

    Attributes:
        image: UInt8, with its own origin; one voxel where the mask is empty.
        start: index (i, j, k) of its first voxel in the mask.
        size: size (i, j, k) of the mask.
    """

    image: sitk.Image
    start: tuple[int, int, int]
    size: tuple[int, int, int]


def patch_of(mask: sitk.Image) -> Patch:
    """Cut out the smallest box that holds all voxels of `mask` that are not 0."""
    voxels = sitk.GetArrayViewFromImage(mask)
    box = [slice(0, 1)] * 3
    for axis in range(3):
        # Each axis narrows the part of the array that the next one searches.
        filled = np.flatnonzero(voxels[tuple(box[:axis])].any(axis=tuple(n for n in range(3) if n != axis)))
        if len(filled) == 0:
            break
        box[axis] = slice(int(filled[0]), int(filled[-1]) + 1)
    cut = mask[box[2], box[1], box[0]]
    start = box[2].start, box[1].start, box[0].start
    return Patch(sitk.Cast(cut, sitk.sitkUInt8), start, mask.GetSize())


def mask_like(mask: sitk.Image, reference: sitk.Image) -> sitk.Image:
    """`mask` (0 or 1) on the grid of `reference`, UInt8. Its outline is interpolated linearly."""
    if same_grid(mask, reference):
        return sitk.Cast(mask, sitk.sitkUInt8)
    # 200 steps fit into a byte. A float type would take four times the memory on a scan of 700 slices.
    steps = sitk.Cast(mask, sitk.sitkUInt8) * 200
    return sitk.BinaryThreshold(resample_like(steps, reference), 100, 255)


def same_grid(first: sitk.Image, second: sitk.Image, tolerance: float = 1e-3) -> bool:
    """True where both images have the same size and, within `tolerance` (mm, or cosine), the same geometry."""
    return first.GetSize() == second.GetSize() and all(
        np.allclose(a, b, rtol=0, atol=tolerance)
        for a, b in (
            (first.GetSpacing(), second.GetSpacing()),
            (first.GetOrigin(), second.GetOrigin()),
            (first.GetDirection(), second.GetDirection()),
        )
    )


def coverage(image: sitk.Image, reference: sitk.Image, inside: np.ndarray) -> float:
    """The part of a mask that lies within the extent of `image`, 0…1; 0 for an empty mask.

    Args:
        image: its voxels are not read.
        reference: the image that has the grid of the mask.
        inside: the mask, bool (k, j, i).
    """
    extent = sitk.Image(image.GetSize(), sitk.sitkUInt8) + 1
    extent.CopyInformation(image)
    covered = sitk.GetArrayFromImage(resample_like(extent, reference, sitk.sitkNearestNeighbor))
    count = np.count_nonzero(inside)
    return float(np.count_nonzero(covered[inside]) / count) if count else 0.0
