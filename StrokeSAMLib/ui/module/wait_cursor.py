"""The wait cursor, shown while Slicer cannot handle events."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import qt


@contextmanager
def waitCursor() -> Iterator[None]:
    """Show the wait cursor within a `with` block.

    Unlike `slicer.util.WaitCursor`, it handles no events: a click or a closed scene must not interrupt the block.
    """
    qt.QApplication.setOverrideCursor(qt.Qt.WaitCursor)
    try:
        yield
    finally:
        qt.QApplication.restoreOverrideCursor()
