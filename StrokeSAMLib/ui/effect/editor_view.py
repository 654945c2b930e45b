"""The interface through which `PromptEditor` shows its state and writes segments."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import slicer


class EditorView(Protocol):
    """The part of the effect that `PromptEditor` needs. Every method is called on the main thread."""

    def showState(self) -> None:
        """Update list, buttons and slice views from the editor."""

    def showMessage(self, text: str) -> None:
        """Show an error or a note in the panel, never in a pop-up; empty text for none."""

    def showProgress(self, fraction: float, text: str) -> None:
        """Show the progress, 0…1."""

    def prepareEngine(self, id: str) -> bool:
        """Install the packages that the engine needs.

        Returns:
            Whether all of them are installed.
        """

    def write(self, compose: Callable[[slicer.vtkOrientedImageData], bool]) -> bool:
        """Save the state for undo and set the segment to a new labelmap.

        Args:
            compose: fills an empty modifier labelmap with the segment's new content; see `Contribution.compose`.

        Returns:
            Whether the segment was written.
        """
