"""The key Esc, which the effect takes from the Segment Editor while there is something to cancel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import qt

_ESCAPE = "Esc"


class EscapeKey:
    """A shortcut for Esc in a window.

    The Segment Editor has a shortcut for Esc that leaves the effect, and Qt triggers neither of two shortcuts with one
    key. Therefore `take(True)` disables the editor's shortcut and enables the effect's, and `take(False)` does the
    reverse.
    """

    def __init__(self, window: Any, action: Callable[[], None]):
        """Create the shortcut, disabled.

        Args:
            window: Slicer's main window.
            action: action of Esc while it belongs to the effect.
        """
        self._window, self._action = window, action
        self._disabled: list[Any] = []
        self._shortcut = qt.QShortcut(qt.QKeySequence(_ESCAPE), window)
        self._shortcut.connect("activated()", action)
        self._shortcut.setEnabled(False)

    def take(self, take: bool) -> None:
        """Take Esc from the Segment Editor, or give it back."""
        if take and not self._disabled:
            key = self._shortcut.key.toString()
            self._disabled = [
                shortcut
                for shortcut in self._window.findChildren("QShortcut")
                if shortcut is not self._shortcut and shortcut.key.toString() == key and shortcut.enabled
            ]
        for shortcut in self._disabled:
            shortcut.setEnabled(not take)
        if not take:
            self._disabled = []
        self._shortcut.setEnabled(take)

    def remove(self) -> None:
        """Give Esc back and remove the shortcut."""
        self.take(False)
        self._shortcut.disconnect("activated()", self._action)
        self._shortcut.setParent(None)
        self._shortcut.deleteLater()
