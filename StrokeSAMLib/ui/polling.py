"""A timer that polls a panel's worker, and so gives the worker time to run."""

from __future__ import annotations

from typing import Protocol

import qt

# The worker runs only during `poll` (see `jobs`). It gets most of the time, and no window event waits noticeably long.
_PATIENCE = 0.02
_PAUSE_MS = 5


class Panel(Protocol):
    """A panel with a worker."""

    busy: bool

    def poll(self, patience: float) -> None:
        """Run the worker's callbacks, and wait `patience` seconds for them."""


class Polling:
    """Polls a panel from `wake` until the panel is no longer busy. The timer does not run while the panel is idle."""

    def __init__(self, panel: Panel):
        self._panel = panel
        self._awake = False
        self._timer = qt.QTimer()
        self._timer.setInterval(_PAUSE_MS)
        self._timer.connect("timeout()", self._onTimer)

    def wake(self) -> None:
        """Start polling, because the panel has given work to its worker."""
        if not self._awake:  # a mouse that moves all the time would restart the timer before its timeout
            self._awake = True
            self._timer.start()

    def end(self) -> None:
        """Stop polling for good, because the panel is being removed."""
        self._sleep()
        self._timer.disconnect("timeout()", self._onTimer)

    def _sleep(self) -> None:
        self._awake = False
        self._timer.stop()

    def _onTimer(self) -> None:
        self._panel.poll(_PATIENCE)
        if not self._panel.busy:
            self._sleep()
        elif self._awake:  # a callback may have called `end`
            # Restart the timer: its next timeout is already due and would come before the window's events.
            self._timer.start()
