"""What an automatic method returns."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import SimpleITK as sitk

    from StrokeSAMLib.imaging.plane import Plane


@dataclass(frozen=True)
class LesionResult:
    """A segmented lesion on the grid of the method's reference input (its first one).

    Attributes:
        mask: the lesion, UInt8, 0 or 1.
        score: probability-like map, Float32 in [0, 1]; the mask is not simply a threshold of it.
        brain: the brain mask that the method made, UInt8, 0 or 1; in MR of the prostate, the prostate.
        midsagittal: the patient's mid-sagittal plane (or the organ's), from which the side is told.
        method: id of the method.
        options: every option of the method, defaults included, and what else made the result, such as its weights.
        warnings: what the user should know, one line each.
        images: the images measured in the report, by name (such as "ncct" or "adc"), all on the mask's grid.
    """

    mask: sitk.Image
    score: sitk.Image
    brain: sitk.Image
    midsagittal: Plane
    method: str
    options: dict[str, Any]
    images: dict[str, sitk.Image]
    warnings: tuple[str, ...] = field(default=())

    def noting(self, line: str) -> LesionResult:
        """The same with one more warning, before the others."""
        return replace(self, warnings=(line, *self.warnings))


def no_lesion(mask: sitk.Image) -> list[str]:
    """A line where the mask is empty."""
    import SimpleITK as sitk

    return [] if sitk.GetArrayViewFromImage(mask).any() else ["no lesion found"]
