"""Progress out of, and cancellation into, work that takes a while."""

from __future__ import annotations

import threading
from collections.abc import Callable

from StrokeSAMLib.errors import Cancelled

ProgressCallback = Callable[[float, str], None]


class Monitor:
    """What a long computation talks to: it reports progress and learns that it should stop.

    `progress` is called as ``progress(fraction, text)`` with a fraction in [0, 1], on the thread that computes.
    `cancel` may be set from any thread; the computation raises `Cancelled` at its next `step`.
    `keep` is called as ``keep(text)`` with a step's text that should stay on show.
    """

    def __init__(
        self,
        progress: ProgressCallback | None = None,
        cancel: threading.Event | None = None,
        keep: Callable[[str], None] | None = None,
    ):
        self._progress = progress
        self._cancel = cancel
        self._keep = keep

    def step(self, fraction: float, text: str, kept: bool = False) -> None:
        """Report that `fraction` of the work is done and that `text` comes next; `kept`: the text should stay on show.

        Raises:
            Cancelled: the cancel event is set.
        """
        self.check()
        if self._progress is not None:
            self._progress(min(max(fraction, 0.0), 1.0), text)
        if kept and self._keep is not None:
            self._keep(text)

    @property
    def cancel_event(self) -> threading.Event | None:
        """The event itself, to hand on to a function that takes one."""
        return self._cancel

    def check(self) -> None:
        """Raise `Cancelled` if the cancel event is set."""
        if self._cancel is not None and self._cancel.is_set():
            raise Cancelled()

    def part(self, first: float, last: float) -> Monitor:
        """A monitor for a part of the work: its fractions 0…1 are reported as `first`…`last` of the whole."""

        def scaled(fraction: float, text: str) -> None:
            if self._progress is not None:
                self._progress(first + (last - first) * fraction, text)

        return Monitor(scaled, self._cancel, self._keep)
