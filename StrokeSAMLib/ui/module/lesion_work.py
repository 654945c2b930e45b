"""The work on the worker thread when a lesion is segmented: the lesion, its measurements and its overview picture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from StrokeSAMLib.core.monitor import Monitor
from StrokeSAMLib.ui.translation import tr as _

if TYPE_CHECKING:
    import SimpleITK as sitk

    from StrokeSAMLib.lesion import LesionResult

_UNITS = {"ncct": " HU", "adc": " ×10⁻⁶ mm²/s"}
# The progress when the lesion is segmented and only the picture remains.
_SEGMENTED = 0.95


@dataclass(frozen=True)
class Outcome:
    """The outcome of a segmentation.

    Attributes:
        result: the method's result.
        measurements: the result of `report.measure`.
        picture: the overview, a PNG file.
        focus: a position in the largest axial slice of the lesion, or of what may be one (RAS, mm); None without both.
        warnings: the result's warnings, without the one that no lesion was found.
    """

    result: LesionResult
    measurements: Mapping[str, Any]
    picture: Path
    focus: tuple[float, float, float] | None
    warnings: tuple[str, ...]


def segmentAndReport(request: Any, folder: Path, monitor: Monitor) -> Outcome:
    """Segment the lesion, measure it and draw the overview. May run on any thread.

    Args:
        request: a `mrml.logic.Request`.
        folder: the overview is written to this folder.
        monitor: progress and cancellation.

    Raises:
        InputError: an input cannot be used, or the picture cannot be written.
        Cancelled: the monitor was cancelled.
    """
    from StrokeSAMLib.lesion.result import no_lesion_warning
    from StrokeSAMLib.report import measure, write_overview

    result = request.run(monitor.part(0.0, _SEGMENTED).step, monitor.cancel_event)
    monitor.step(_SEGMENTED, "drawing the overview")
    picture = folder / "overview.png"
    write_overview(result, picture)
    noLesion = no_lesion_warning(result.mask)
    warnings = tuple(line for line in result.warnings if line not in noLesion)
    focus = lesionFocus(result.mask)
    if focus is None and result.possible is not None:
        focus = lesionFocus(result.possible)
    return Outcome(result, measure(result), picture, focus, warnings)


def lesionFocus(mask: sitk.Image) -> tuple[float, float, float] | None:
    """A position of the lesion in its largest axial slice (RAS, mm); None if the mask is empty.

    It is the lesion's voxel nearest to the centre of the slice's lesion, which itself may lie outside the lesion.
    """
    import numpy as np
    import SimpleITK as sitk

    voxels = sitk.GetArrayViewFromImage(mask)
    # The axis of the array (k, j, i) that is nearest to the patient's superior-inferior axis.
    axis = 2 - int(np.abs(np.reshape(mask.GetDirection(), (3, 3))[2]).argmax())
    areas = np.count_nonzero(voxels, axis=tuple(n for n in range(3) if n != axis))
    if not areas.any():
        return None
    largest = int(areas.argmax())
    points = np.argwhere(np.take(voxels, largest, axis))
    nearest = points[((points - points.mean(axis=0)) ** 2).sum(axis=1).argmin()]
    left, posterior, superior = mask.TransformIndexToPhysicalPoint(np.insert(nearest, axis, largest)[::-1].tolist())
    return -left, -posterior, superior


def measurementRows(measurements: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The table of measurements, as names and values. Call it on the main thread, because it translates texts."""
    from StrokeSAMLib.report import volume_text

    rows = [(_("Volume"), volume_text(measurements["volume_ml"])), (_("Side"), _sideText(measurements["side"]))]
    rows.append((_("Components"), str(len(measurements["components"]))))
    if measurements["possible_ml"]:
        rows.append((_("Possible lesion"), volume_text(measurements["possible_ml"])))
    for name, values in measurements["intensities"].items():
        if values:
            mean = f"{values['mean']:.0f} ± {values['sd']:.0f}{_UNITS.get(name, '')}"
            rows.append((_("Mean {image}").format(image=name), mean))
    return rows


def _sideText(side: str) -> str:
    return {"left": _("left"), "right": _("right"), "bilateral": _("bilateral"), "none": _("none")}[side]
