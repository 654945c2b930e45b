"""What the worker does when a lesion is segmented: the lesion, its measurements, its picture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from StrokeSAMLib.monitor import Monitor

if TYPE_CHECKING:
    from StrokeSAMLib.lesion import LesionResult

_UNITS = {"ncct": " HU", "adc": " ×10⁻⁶ mm²/s"}
_SEGMENTED = 0.95


@dataclass(frozen=True)
class Outcome:
    """What came of it.

    Attributes:
        result: of the method.
        rows: the table of measurements, as names and values.
        picture: the overview, a PNG file.
    """

    result: LesionResult
    rows: list[tuple[str, str]]
    picture: Path


def segmentAndReport(request: Any, folder: Path, monitor: Monitor) -> Outcome:
    """Run a `mrml.logic.Request`, measure what it found, and draw it into `folder`. On any thread.

    Raises:
        InputError: an input that cannot be used, or no room for the picture.
        Cancelled: the monitor was cancelled.
    """
    from StrokeSAMLib.report import measure, write_overview

    result = request.run(monitor.part(0.0, _SEGMENTED).step, monitor.cancel_event)
    monitor.step(_SEGMENTED, "drawing the overview")
    picture = folder / "overview.png"
    write_overview(result, picture)
    return Outcome(result, _rows(measure(result)), picture)


def _rows(found: Mapping[str, Any]) -> list[tuple[str, str]]:
    from StrokeSAMLib.report import volume_text

    rows = [("Volume", volume_text(found["volume_ml"])), ("Side", found["side"])]
    rows.append(("Components", str(len(found["components"]))))
    for name, values in found["intensities"].items():
        if values:
            rows.append((f"Mean {name}", f"{values['mean']:.0f} ± {values['sd']:.0f}{_UNITS.get(name, '')}"))
    return rows
