"""Progress reports and cancellation of long computations."""

from __future__ import annotations

import threading
from collections.abc import Callable

from StrokeSAMLib.core.errors import Cancelled

ProgressCallback = Callable[[float, str], None]


class Monitor:
    """The link between a long computation and its caller: progress reports one way, cancellation the other.

    Args:
        progress: called as ``progress(fraction, text)`` with a fraction in [0, 1], on the thread that computes.
        cancel: may be set from any thread; the computation then raises `Cancelled` at its next `step`.
        on_note: called as ``on_note(text)`` with the text of a step that should stay visible.
    """

    def __init__(
        self,
        progress: ProgressCallback | None = None,
        cancel: threading.Event | None = None,
        on_note: Callable[[str], None] | None = None,
    ):
        self._progress = progress
        self._cancel = cancel
        self._on_note = on_note

    def step(self, fraction: float, text: str, is_note: bool = False) -> None:
        """Report progress and check for cancellation.

        Args:
            fraction: the part of the work that is done.
            text: the work that comes next.
            is_note: the text should stay visible after the step; it also goes to `on_note`.

        Raises:
            Cancelled: the cancel event is set.
        """
        self.check()
        if self._progress is not None:
            self._progress(min(max(fraction, 0.0), 1.0), text)
        if is_note and self._on_note is not None:
            self._on_note(text)

    @property
    def cancel_event(self) -> threading.Event | None:
        """The cancel event, for functions that take one."""
        return self._cancel

    def check(self) -> None:
        """Raise `Cancelled` if the cancel event is set."""
        if self._cancel is not None and self._cancel.is_set():
            raise Cancelled()

    def part(self, first: float, last: float) -> Monitor:
        """A monitor for a part of the work, which reports its fractions 0…1 as `first`…`last` of this monitor."""

        def scaled(fraction: float, text: str) -> None:
            if self._progress is not None:
                self._progress(first + (last - first) * fraction, text)

        return Monitor(scaled, self._cancel, self._on_note)
