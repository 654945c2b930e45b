"""The timer that lets a panel hear of its worker."""

from __future__ import annotations

from typing import Protocol

import qt

_POLL_MS = 50


class Panel(Protocol):
    """What has a worker."""

    busy: bool

    def poll(self) -> None:
        """Run the callbacks that the worker has asked for."""


class Polling:
    """Polls a panel from when it is woken until it is no longer busy: nothing ticks in an idle Slicer."""

    def __init__(self, panel: Panel):
        self._panel = panel
        self._timer = qt.QTimer()
        self._timer.setInterval(_POLL_MS)
        self._timer.connect("timeout()", self._onTimer)

    def wake(self) -> None:
        """The panel has handed work to its worker."""
        self._timer.start()

    def end(self) -> None:
        """The panel goes."""
        self._timer.stop()
        self._timer.disconnect("timeout()", self._onTimer)

    def _onTimer(self) -> None:
        self._panel.poll()
        if not self._panel.busy:
            self._timer.stop()
