"""What every command shows on a terminal, in whatever signs it has: a table, a progress bar; what Ctrl-C does there."""

from __future__ import annotations

import codecs
import contextlib
import signal
import sys
import threading
from collections.abc import Iterator

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from StrokeSAMLib.monitor import Monitor

_PLAIN_WIDTH = 160
# What stands for a sign that an encoding lacks; Windows' own, where output goes to a file, has no arrow.
_PLAIN_SIGNS = {"→": "->", "–": "-", "−": "-", "×": "x", "≈": "~", "≤": "<=", "≥": ">=", "…": "...", "µ": "u"}


def allow_any_signs() -> None:
    """From here on stdout and stderr take every text: signs that their encoding lacks are put plainly, or escaped."""
    codecs.register_error("strokesam.plainly", _plainly)
    for stream in (sys.stdout, sys.stderr):
        # There may be none, or one that is no file.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="strokesam.plainly")


def _plainly(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    signs = error.object[error.start : error.end]
    escaped = (_PLAIN_SIGNS.get(sign, sign).encode("ascii", "backslashreplace").decode() for sign in signs)
    return "".join(escaped), error.end


def print_table(table: Table) -> None:
    """To stdout, as wide as the terminal."""
    Console(width=None if sys.stdout.isatty() else _PLAIN_WIDTH).print(table)


@contextlib.contextmanager
def monitoring() -> Iterator[Monitor]:
    """Progress as a bar on a terminal's stderr, elsewhere only what should be kept of it; Ctrl-C as cancellation."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with (
        _interruptible() as cancel,
        Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar,
    ):
        task = bar.add_task("starting", total=1.0)

        def show(fraction: float, text: str) -> None:
            bar.update(task, completed=fraction, description=text)

        def keep(text: str) -> None:
            bar.console.print(text, markup=False, highlight=False, soft_wrap=True)

        yield Monitor(show, cancel, keep)


@contextlib.contextmanager
def _interruptible() -> Iterator[threading.Event]:
    """An event that the first Ctrl-C, or a polite kill, sets; the second interrupts at once.

    A KeyboardInterrupt raised in the midst of an ITK registration would come out as an error of ITK's.
    """
    cancel = threading.Event()

    def interrupt(number: int, frame: object) -> None:
        if cancel.is_set():
            raise KeyboardInterrupt
        cancel.set()

    if threading.current_thread() is not threading.main_thread():
        yield cancel
        return
    previous = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield cancel
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
