"""Terminal output of the commands: tables, a progress bar, any sign in any encoding; and Ctrl-C as cancellation."""

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

from StrokeSAMLib.core.monitor import Monitor
from StrokeSAMLib.core.plain_text import PLAIN_SIGNS

_WIDTH_WITHOUT_TERMINAL = 160


def print_any_sign() -> None:
    """Let stdout and stderr print every text: plain signs or escapes replace signs that their encoding lacks.

    The encoding of a redirected Windows console lacks the arrow, for example.
    """
    codecs.register_error("strokesam.plain", _replace_with_plain_signs)
    for stream in (sys.stdout, sys.stderr):
        # A stream may be None, or an object without an encoding.
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="strokesam.plain")


def _replace_with_plain_signs(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    signs = error.object[error.start : error.end]
    escaped = (PLAIN_SIGNS.get(sign, sign).encode("ascii", "backslashreplace").decode() for sign in signs)
    return "".join(escaped), error.end


def print_table(table: Table) -> None:
    """Print to stdout, as wide as the terminal."""
    Console(width=None if sys.stdout.isatty() else _WIDTH_WITHOUT_TERMINAL).print(table)


@contextlib.contextmanager
def monitoring() -> Iterator[Monitor]:
    """Provide a monitor that shows a progress bar on stderr and its notes above; Ctrl-C cancels the work.

    Where stderr is not a terminal, only the notes are printed.
    """
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with (
        _interruptible() as cancel,
        Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar,
    ):
        task = bar.add_task("starting", total=1.0)

        def show(fraction: float, text: str) -> None:
            bar.update(task, completed=fraction, description=text)

        def print_note(text: str) -> None:
            bar.console.print(text, markup=False, highlight=False, soft_wrap=True)

        yield Monitor(show, cancel, print_note)


@contextlib.contextmanager
def _interruptible() -> Iterator[threading.Event]:
    """Provide an event that is set by the first Ctrl-C or SIGTERM; the second raises KeyboardInterrupt.

    A KeyboardInterrupt during an ITK registration would turn into an error of ITK.
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
