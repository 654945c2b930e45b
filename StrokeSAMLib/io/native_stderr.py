"""Silencing the messages that C libraries write to stderr, past Python."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_STDERR = 2


class _Silencer:
    """The silence of the process's stderr, which all threads share: the first user begins it, the last one ends it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self._original: int | None = None

    def begin(self) -> None:
        with self._lock:
            self._users += 1
            if self._users == 1:
                self._original = _redirect_to_null()

    def end(self) -> None:
        with self._lock:
            self._users -= 1
            if self._users == 0 and self._original is not None:
                os.dup2(self._original, _STDERR)
                os.close(self._original)


_silencer = _Silencer()


@contextmanager
def native_stderr_silenced() -> Iterator[None]:
    """Discard everything that the process writes to stderr in this context, from any thread."""
    _silencer.begin()
    try:
        yield
    finally:
        _silencer.end()


def _redirect_to_null() -> int | None:
    """Redirect stderr to the null device; a copy of its original descriptor, or None without a stderr (in a GUI)."""
    try:
        original = os.dup(_STDERR)
    except OSError:
        return None
    try:
        null = os.open(os.devnull, os.O_WRONLY)
    except OSError:
        os.close(original)
        return None
    os.dup2(null, _STDERR)
    os.close(null)
    return original
