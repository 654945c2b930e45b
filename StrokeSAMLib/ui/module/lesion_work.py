"""The work on the worker thread when a lesion is segmented: the lesion, its measurements and its overview picture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from StrokeSAMLib.core.monitor import Monitor

if TYPE_CHECKING:
    from StrokeSAMLib.lesion import LesionResult

_UNITS = {"ncct": " HU", "adc": " ×10⁻⁶ mm²/s"}
# The progress when the lesion is segmented and only the picture remains.
_SEGMENTED = 0.95


@dataclass(frozen=True)
class Outcome:
    """The outcome of a segmentation.

    Attributes:
        result: the method's result.
        rows: the table of measurements, as names and values.
        picture: the overview, a PNG file.
    """

    result: LesionResult
    rows: list[tuple[str, str]]
    picture: Path


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
    from StrokeSAMLib.report import measure, write_overview

    result = request.run(monitor.part(0.0, _SEGMENTED).step, monitor.cancel_event)
    monitor.step(_SEGMENTED, "drawing the overview")
    picture = folder / "overview.png"
    write_overview(result, picture)
    return Outcome(result, _rows(measure(result)), picture)


def _rows(measurements: Mapping[str, Any]) -> list[tuple[str, str]]:
    from StrokeSAMLib.report import volume_text

    rows = [("Volume", volume_text(measurements["volume_ml"])), ("Side", measurements["side"])]
    rows.append(("Components", str(len(measurements["components"]))))
    for name, values in measurements["intensities"].items():
        if values:
            rows.append((f"Mean {name}", f"{values['mean']:.0f} ± {values['sd']:.0f}{_UNITS.get(name, '')}"))
    return rows
