"""The result of an automatic method."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import SimpleITK as sitk

    from StrokeSAMLib.anatomy.plane import Plane


@dataclass(frozen=True)
class LesionResult:
    """A segmented lesion on the grid of the method's reference input, which is its first one.

    Attributes:
        mask: the lesion, UInt8, 0 or 1.
        score: probability-like map, Float32, 0…1. The mask is not simply a threshold of it.
        brain: the brain mask that the method made, UInt8, 0 or 1. In MR of the prostate it is the prostate.
        midsagittal: the mid-sagittal plane of the patient (or of the organ). It divides left from right.
        method: id of the method.
        options: every option of the method, defaults included, and the provenance of the result, such as its weights.
        warnings: lines for the user.
        images: the images that the report measures, by name (such as "ncct" or "adc"), all on the grid of the mask.
        possible: what may be a lesion, outside of `mask`, UInt8, 0 or 1; None where the method does not tell.
    """

    mask: sitk.Image
    score: sitk.Image
    brain: sitk.Image
    midsagittal: Plane
    method: str
    options: dict[str, Any]
    images: dict[str, sitk.Image]
    warnings: tuple[str, ...] = field(default=())
    possible: sitk.Image | None = None

    def with_warnings(self, *lines: str) -> LesionResult:
        """The same result with more warnings, before the others."""
        return replace(self, warnings=(*lines, *self.warnings))


def no_lesion_warning(mask: sitk.Image) -> list[str]:
    """A warning where `mask` is empty; otherwise an empty list."""
    import SimpleITK as sitk

    return [] if sitk.GetArrayViewFromImage(mask).any() else ["no lesion found"]


def move_doubtful(mask: sitk.Image, possible: sitk.Image, doubtful: sitk.Image) -> tuple[sitk.Image, sitk.Image]:
    """Lesion and possible lesion after the voxels in `doubtful` have left the lesion (all UInt8, on one grid)."""
    moved = mask * doubtful
    return mask - moved, possible | moved


def possible_warning(possible: sitk.Image) -> list[str]:
    """A warning where there is what may be a lesion; otherwise an empty list."""
    from StrokeSAMLib.imaging.geometry import mask_volume_ml

    ml = mask_volume_ml(possible)
    return [f"{ml:.1f} ml of possible lesion, not counted as lesion: look at it"] if ml else []
