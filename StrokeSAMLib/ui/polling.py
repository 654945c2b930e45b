"""The timer that lets a panel hear of its worker, and its worker go on."""

from __future__ import annotations

from typing import Protocol

import qt

# The worker goes on only within `poll` (see `jobs`): most of the time belongs to it, and yet no event of the window
# waits for longer than the eye minds.
_PATIENCE = 0.02
_PAUSE_MS = 5


class Panel(Protocol):
    """What has a worker."""

    busy: bool

    def poll(self, patience: float) -> None:
        """Run the callbacks that the worker asks for, and wait `patience` seconds for them."""


class Polling:
    """Polls a panel from when it is woken until it is no longer busy: nothing ticks in an idle Slicer."""

    def __init__(self, panel: Panel):
        self._panel = panel
        self._awake = False
        self._timer = qt.QTimer()
        self._timer.setInterval(_PAUSE_MS)
        self._timer.connect("timeout()", self._onTimer)

    def wake(self) -> None:
        """The panel has handed work to its worker."""
        self._awake = True
        self._timer.start()

    def end(self) -> None:
        """The panel goes."""
        self._sleep()
        self._timer.disconnect("timeout()", self._onTimer)

    def _sleep(self) -> None:
        self._awake = False
        self._timer.stop()

    def _onTimer(self) -> None:
        self._panel.poll(_PATIENCE)
        if not self._panel.busy:
            self._sleep()
        elif self._awake:  # a callback may have ended it
            self._timer.start()  # anew: else the next tick, due already, would come before the window's events
