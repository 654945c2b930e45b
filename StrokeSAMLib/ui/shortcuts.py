"""Keys that work while the effect is active, and only then."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import qt

_ESCAPE = "Esc"
Made = tuple[Any, Callable[[], None]]


class Shortcuts:
    """Keyboard shortcuts of a window, made and removed together.

    Esc already belongs to the Segment Editor, which leaves the effect on it; two shortcuts of one key are none. So
    Esc is ours only between `holdEscape(True)` and `holdEscape(False)`, and the editor's own rests meanwhile.
    """

    def __init__(self, window: Any, actions: Mapping[str, Callable[[], None]], onEscape: Callable[[], None]):
        self._window = window
        self._resting: list[Any] = []
        self._made: list[Made] = [(_shortcut(window, key, action), action) for key, action in actions.items()]
        self._inViews: list[Made] = []
        self._escape, self._onEscape = _shortcut(window, _ESCAPE, onEscape), onEscape
        self._escape.setEnabled(False)

    def setViews(self, views: Iterable[Any], actions: Mapping[str, Callable[[], None]]) -> None:
        """Keys for views only, in the stead of those before: what is typed into a field elsewhere is the field's."""
        _remove(self._inViews)
        self._inViews = [(_shortcut(view, key, action), action) for view in views for key, action in actions.items()]
        for each, _action in self._inViews:
            each.setContext(qt.Qt.WidgetWithChildrenShortcut)

    def holdEscape(self, held: bool) -> None:
        """Take Esc from the Segment Editor, or give it back."""
        if held and not self._resting:
            key = self._escape.key.toString()
            self._resting = [
                each
                for each in self._window.findChildren("QShortcut")
                if each is not self._escape and each.key.toString() == key and each.enabled
            ]
        for each in self._resting:
            each.setEnabled(not held)
        if not held:
            self._resting = []
        self._escape.setEnabled(held)

    def remove(self) -> None:
        """No key does anything any more."""
        self.holdEscape(False)
        _remove([*self._made, *self._inViews, (self._escape, self._onEscape)])
        self._made, self._inViews = [], []


def _remove(made: Iterable[Made]) -> None:
    for each, action in made:
        if each:  # one of a view that is gone went with it
            each.disconnect("activated()", action)
            each.setParent(None)
            each.deleteLater()


def _shortcut(widget: Any, key: str, action: Callable[[], None]) -> Any:
    made = qt.QShortcut(qt.QKeySequence(key), widget)
    made.connect("activated()", action)
    return made
