"""The mask prompt that keeps the object of a session out of the other segments."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from StrokeSAMLib.core.errors import InputError

if TYPE_CHECKING:
    import SimpleITK as sitk

    from StrokeSAMLib.interactive import Session


def replaceAvoidedMask(session: Session, image: sitk.Image | None) -> None:
    """Keep the object out of `image`, and no longer out of the mask of an earlier call.

    The newest negative mask prompt counts as that of an earlier call, also in a session that was saved. If it is equal
    to `image`, the session does not change.

    Args:
        session: the session.
        image: the mask, on any grid; None for no mask. A mask outside the volume adds no prompt.
    """
    from StrokeSAMLib.interactive import Mask

    earlier = [
        (number, prompt.image)
        for number, prompt in session.prompts.items()
        if isinstance(prompt, Mask) and not prompt.positive
    ]
    if earlier:
        number, present = earlier[-1]
        if image is not None and _areEqual(present, image):
            return
        session.remove(number)
    if image is not None:
        with suppress(InputError):  # no voxel lies within the volume
            session.add(Mask(image, positive=False))


def _areEqual(first: sitk.Image, second: sitk.Image) -> bool:
    """Whether two masks have the same grid and the same voxels."""
    import numpy as np
    import SimpleITK as sitk

    getters = ("GetSize", "GetOrigin", "GetSpacing", "GetDirection")
    if any(getattr(first, getter)() != getattr(second, getter)() for getter in getters):
        return False
    return np.array_equal(sitk.GetArrayViewFromImage(first), sitk.GetArrayViewFromImage(second))
