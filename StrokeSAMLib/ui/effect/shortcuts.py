"""Keyboard shortcuts that exist only while the effect is active."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import qt

_ESCAPE = "Esc"
# A QShortcut and the action to which it is connected.
Connected = tuple[Any, Callable[[], None]]


class Shortcuts:
    """Keyboard shortcuts of a window, which are created and removed together.

    The Segment Editor has a shortcut for Esc that leaves the effect, and Qt triggers neither of two shortcuts with one
    key. Therefore `takeEscape(True)` disables the editor's shortcut and enables the effect's, and `takeEscape(False)`
    does the reverse.
    """

    def __init__(self, window: Any, actions: Mapping[str, Callable[[], None]], onEscape: Callable[[], None]):
        """Create the shortcuts of the window.

        Args:
            window: Slicer's main window.
            actions: actions by key.
            onEscape: action of Esc while it belongs to the effect.
        """
        self._window = window
        self._disabled: list[Any] = []
        self._inWindow: list[Connected] = [(_shortcut(window, key, action), action) for key, action in actions.items()]
        self._inViews: list[Connected] = []
        self._escape, self._onEscape = _shortcut(window, _ESCAPE, onEscape), onEscape
        self._escape.setEnabled(False)

    def setViews(self, views: Iterable[Any], actions: Mapping[str, Callable[[], None]]) -> None:
        """Replace the shortcuts that work only in views, so that keys typed into a field elsewhere are not taken.

        Args:
            views: widgets of the slice views.
            actions: actions by key.
        """
        _remove(self._inViews)
        self._inViews = [(_shortcut(view, key, action), action) for view in views for key, action in actions.items()]
        for shortcut, _action in self._inViews:
            shortcut.setContext(qt.Qt.WidgetWithChildrenShortcut)

    def takeEscape(self, take: bool) -> None:
        """Take Esc from the Segment Editor, or give it back."""
        if take and not self._disabled:
            key = self._escape.key.toString()
            self._disabled = [
                shortcut
                for shortcut in self._window.findChildren("QShortcut")
                if shortcut is not self._escape and shortcut.key.toString() == key and shortcut.enabled
            ]
        for shortcut in self._disabled:
            shortcut.setEnabled(not take)
        if not take:
            self._disabled = []
        self._escape.setEnabled(take)

    def remove(self) -> None:
        """Remove all shortcuts."""
        self.takeEscape(False)
        _remove([*self._inWindow, *self._inViews, (self._escape, self._onEscape)])
        self._inWindow, self._inViews = [], []


def _remove(shortcuts: Iterable[Connected]) -> None:
    for shortcut, action in shortcuts:
        if shortcut:  # false if Qt has deleted it with its view
            shortcut.disconnect("activated()", action)
            shortcut.setParent(None)
            shortcut.deleteLater()


def _shortcut(widget: Any, key: str, action: Callable[[], None]) -> Any:
    shortcut = qt.QShortcut(qt.QKeySequence(key), widget)
    shortcut.connect("activated()", action)
    return shortcut
