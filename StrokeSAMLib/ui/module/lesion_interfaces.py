"""The interfaces between the section Segment lesion, its widgets, and the logic that works in the scene."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

from StrokeSAMLib.lesion.registry import Method
from StrokeSAMLib.ui.module.option_rows import OptionRow


class View(Protocol):
    """The interface of the section's widgets."""

    def wake(self) -> None:
        """Call `poll` from now on until the panel is no longer `busy`, because the worker has work."""

    def showMethods(self, items: list[tuple[str, str]]) -> None:
        """Fill the list of methods with the id and text of each."""

    def showMethod(self, method: Method) -> None:
        """Select a method in the list, and show its summary and the selectors of its inputs but no others."""

    def showOptions(self, rows: list[OptionRow]) -> None:
        """Show the options of the method."""

    def setApplyEnabled(self, enabled: bool, toolTip: str) -> None:
        """Enable or disable Apply and set its tooltip, which explains why it is disabled or what it does."""

    def setRefineEnabled(self, enabled: bool, toolTip: str) -> None:
        """Enable or disable Refine in Segment Editor and set its tooltip, as in `setApplyEnabled`."""

    def setRunning(self, running: bool) -> None:
        """Show the progress bar and enable Cancel, or hide and disable them."""

    def showProgress(self, fraction: float, text: str) -> None:
        """Show the progress, 0…1, and what is being done."""

    def showResult(self, rows: list[tuple[str, str]], picture: Path | None) -> None:
        """Show the table of measurements and the overview picture; no rows and None for no result."""

    def showMessage(self, text: str) -> None:
        """Show notes or an error in the panel, never in a pop-up."""

    def waiting(self) -> AbstractContextManager[None]:
        """Show the wait cursor within a `with` block, which blocks the main thread."""


class Logic(Protocol):
    """The part of `StrokeSAMLogic` that the panel uses."""

    def prepare(self, inputs: dict[str, Any], method: str, **options: Any) -> Any:
        """Check the inputs and take snapshots of the volumes."""

    def fitting(self, request: Any, segmentationNode: Any | None) -> Any | None:
        """Return the segmentation if the result can be added to it; None if a new one is needed."""

    def apply(self, request: Any, result: Any, segmentationNode: Any, segmentId: str | None = None) -> Any:
        """Write the result into the scene and return the segmentation node."""

    def addProbability(self, request: Any, result: Any) -> Any:
        """Add the probability map to the scene."""

    def jumpTo(self, position: tuple[float, float, float]) -> None:
        """Move all slice views to a position (RAS, mm)."""
