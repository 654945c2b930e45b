"""What libraries in C write to stderr past Python, kept from the terminal."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_STDERR = 2


class _Silence:
    """One for the process: threads share stderr. The first that asks for silence begins it, the last ends it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held = 0
        self._kept: int | None = None

    def begin(self) -> None:
        with self._lock:
            self._held += 1
            if self._held == 1:
                self._kept = _redirected_to_nothing()

    def end(self) -> None:
        with self._lock:
            self._held -= 1
            if self._held == 0 and self._kept is not None:
                os.dup2(self._kept, _STDERR)
                os.close(self._kept)


_silence = _Silence()


@contextmanager
def native_stderr_silenced() -> Iterator[None]:
    """Nothing that the process writes to stderr within arrives there, from whatever thread."""
    _silence.begin()
    try:
        yield
    finally:
        _silence.end()


def _redirected_to_nothing() -> int | None:
    """A copy of stderr's descriptor, which now leads nowhere; None where there is no stderr, as in a window."""
    try:
        kept = os.dup(_STDERR)
    except OSError:
        return None
    try:
        nothing = os.open(os.devnull, os.O_WRONLY)
    except OSError:
        os.close(kept)
        return None
    os.dup2(nothing, _STDERR)
    os.close(nothing)
    return kept
