"""A field for a folder that reports a change when the user has finished it, not at each keystroke."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import qt


class PathField:
    """A ctkPathLineEdit with a callback for each finished change."""

    def __init__(self, edit: Any, path: str, onPath: Callable[[str], None]):
        """Fill and connect the field.

        Args:
            edit: a ctkPathLineEdit.
            path: the path to show first.
            onPath: called with the new path, after Enter, when the field loses the focus, and after browsing.
        """
        self._edit = edit
        self._path = path
        self._onPath = onPath
        edit.setCurrentPath(path)
        self._lineEdit = edit.findChild(qt.QLineEdit)
        self._lineEdit.connect("editingFinished()", self._commit)
        edit.connect("currentPathChanged(QString)", self._onChange)

    def _onChange(self, path: str) -> None:
        # Qt marks a text as modified while the user types it. A path from the file dialog or a script is not marked.
        if not self._lineEdit.modified:
            self._commit()

    def _commit(self) -> None:
        path = self._edit.currentPath
        if path != self._path:
            self._path = path
            self._onPath(path)
