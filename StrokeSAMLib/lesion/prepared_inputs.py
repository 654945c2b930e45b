"""Inputs as every method presumes them: finite, with axes at right angles; and results on the input's own grid."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

import SimpleITK as sitk

from StrokeSAMLib.imaging.background import (
    background_note,
    background_value,
    count_without_value,
    with_background,
)
from StrokeSAMLib.imaging.geometry import mask_like, resample_like
from StrokeSAMLib.imaging.right_angles import at_right_angles, is_sheared, shear_degrees
from StrokeSAMLib.io.image_checks import as_scalar_volume
from StrokeSAMLib.lesion.result import LesionResult


class PreparedInputs:
    """The inputs of a method, prepared alike whether they come from files, from nodes or from Python.

    Attributes:
        images: by key: 3-D, scalar, finite, with axes at right angles.
        notes: lines for the user about what was changed.
    """

    def __init__(self, inputs: Mapping[str, sitk.Image], labels: Collection[str] = ()):
        """Prepare `inputs`; the keys in `labels` are of images that must not be interpolated.

        Raises:
            InputError: an image is not 3-D, not scalar, without any value, or sheared too far.
        """
        self.notes: list[str] = []
        self._given = {key: as_scalar_volume(image, key) for key, image in inputs.items()}
        self.images = {key: self._prepared(key, image, key in labels) for key, image in self._given.items()}

    def on_grid_of(self, key: str, result: LesionResult) -> LesionResult:
        """`result` on the grid of the input `key` as it was given."""
        grid = self._given[key]
        if not is_sheared(grid):
            return result
        return replace(
            result,
            mask=mask_like(result.mask, grid),
            brain=mask_like(result.brain, grid),
            score=resample_like(result.score, grid),
            images={name: resample_like(image, grid) for name, image in result.images.items()},
            possible=result.possible and mask_like(result.possible, grid),
        )

    def _prepared(self, key: str, image: sitk.Image, is_labels: bool) -> sitk.Image:
        count = count_without_value(image, key)
        if count:
            self.notes.append(f"{key}: {background_note(count)}")
            image = with_background(image)
        if not is_sheared(image):
            return image
        self.notes.append(
            f"{key}: its axes are {shear_degrees(image):.1f}° off a right angle: resampled for the computation, and the"
            " result brought back"
        )
        interpolator = sitk.sitkNearestNeighbor if is_labels else sitk.sitkLinear
        return at_right_angles(image, key, background_value(image), interpolator)
