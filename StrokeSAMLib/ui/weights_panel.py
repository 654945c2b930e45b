"""What the section Weights does, without Qt: the table, the terms, what can be done with a checkpoint, what is told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from StrokeSAMLib.errors import StrokeSAMError
from StrokeSAMLib.jobs import Job, Worker
from StrokeSAMLib.monitor import Monitor
from StrokeSAMLib.ui.in_slicer import inSlicer
from StrokeSAMLib.ui.packages import ensure
from StrokeSAMLib.weights.catalogue import Entry, catalogue, find_weights
from StrokeSAMLib.weights.store import Store

_WAIT = "Wait for what is under way"


@dataclass(frozen=True)
class Row:
    """A checkpoint as the table has it."""

    id: str
    title: str
    usedBy: str
    size: str
    licence: str
    here: bool


@dataclass(frozen=True)
class Actions:
    """What can be done now; for `fetch`, "" or why not; `stored`: with what is here."""

    accept: bool
    fetch: str
    importFile: bool
    stored: bool
    delete: bool
    cancel: bool


class View(Protocol):
    """What the panel needs of its widgets."""

    def wake(self) -> None:
        """Work was handed to the worker: call `poll` from now on, until the panel is no longer `busy`."""

    def showRows(self, rows: list[Row], selected: str | None) -> None:
        """Show the table, and which checkpoint is selected."""

    def showTerms(self, entry: Entry, source: str) -> None:
        """Show on what terms a checkpoint is, how it is cited, and where it comes from."""

    def showActions(self, actions: Actions) -> None:
        """Enable what can be done."""

    def showAccepted(self, accepted: bool) -> None:
        """Check the box that accepts the licence, or not."""

    def showProgress(self, fraction: float, text: str) -> None:
        """Show how far the work is, 0…1, and what it does."""

    def showMessage(self, text: str) -> None:
        """Show what came of it, in the panel: never in a pop-up."""


class WeightsPanel:
    """The section's state. Every method is called on the main thread; `poll` from a timer while `busy`.

    Attributes:
        changed: called when a checkpoint came or went.
    """

    def __init__(
        self,
        view: View,
        worker: Worker | None = None,
        install: Callable[[Sequence[str]], None] = ensure,
    ):
        """`install` puts Python packages in place, or raises; on the main thread."""
        self._view = view
        self._worker = worker or Worker("StrokeSAM weights")
        self._install = install
        self._selected: str | None = None
        self._accepted = False
        self._job: Job | None = None
        self.changed: Callable[[], None] = lambda: None

    @property
    def busy(self) -> bool:
        """Whether work is under way, and `poll` must be called."""
        return self._worker.busy

    def refresh(self) -> None:
        """Look again at what is in the store."""
        store = Store()
        self._view.showRows([_row(entry, store) for entry in catalogue().values()], self._selected)
        self._showActions()

    def select(self, id: str | None) -> None:
        """Choose a checkpoint: its terms are shown, and not yet accepted."""
        if id == self._selected:
            return
        self._selected = id
        self.accept(False)
        self._view.showAccepted(False)
        if id is not None:
            entry = find_weights(id)
            self._view.showTerms(entry, entry.url or _by_hand(entry))

    def accept(self, accepted: bool) -> None:
        """Accept the licence of the selected checkpoint, or not."""
        self._accepted = accepted
        self._showActions()

    def fetch(self) -> None:
        """Download the selected checkpoint, once its licence is accepted."""
        if self._fetchable():
            return
        entry = find_weights(self._selected)

        def work(monitor: Monitor) -> str:
            from StrokeSAMLib.weights.download import fetch

            fetch(entry, Store(), monitor)
            return f"{entry.title} is here, in {Store().folder}"

        self._start(("pooch",) if entry.sha256 else ("pooch", "torch"), "connecting", work)

    def importFile(self, file: str | Path) -> None:
        """Take a file that the user downloaded for the selected checkpoint, once it was read safely."""
        if self._selected is None or self._job is not None:
            return
        entry = find_weights(self._selected)

        def work(monitor: Monitor) -> str:
            from StrokeSAMLib.weights.importing import import_weights

            if import_weights(entry, Path(file), Store(), monitor):
                return f"{entry.title} is here; its keys are those of the network"
            return f"{entry.title} is here; its keys were not compared, for want of the network {entry.architecture}"

        self._start(("torch",), "reading the file", work)

    def verify(self) -> None:
        """Compare the selected checkpoint with its SHA-256."""
        id = self._stored()
        if id is not None:
            self._start((), "comparing", lambda monitor: f"{id} is intact, SHA-256 {Store().verify(id)}")

    def remove(self) -> None:
        """Delete the selected checkpoint."""
        id = self._stored()
        if id is None:
            return
        try:
            self._view.showMessage(f"Deleted {Store().remove(id)}")
        except StrokeSAMError as error:
            self._view.showMessage(_said(error))
        self.refresh()
        self.changed()

    def cancel(self) -> None:
        """Ask the work to stop; it does between two pieces of the file."""
        if self._job is not None:
            self._job.cancel()
            self._view.showProgress(0.0, "cancelling")

    def poll(self, patience: float = 0.0) -> None:
        """Hear of the worker's progress and results, waiting `patience` seconds for them."""
        self._worker.poll(patience)

    def close(self) -> None:
        """End the worker: the module goes."""
        self._worker.stop(timeout=0.0)  # a daemon; what it leaves half done is never taken for whole

    def _start(self, packages: Sequence[str], doing: str, work: Callable[[Monitor], str]) -> None:
        try:
            self._install(packages)
            if self._job is not None:  # Slicer handles the user's clicks while packages are installed
                raise StrokeSAMError(_WAIT)
        except StrokeSAMError as error:
            self._view.showMessage(str(error))
            return
        self._job = Job(
            work,
            finished=self._end,
            failed=lambda error: self._end(_said(error)),
            cancelled=lambda: self._end("Cancelled"),
            progressed=self._view.showProgress,
        )
        self._view.showMessage("")
        self._view.showProgress(0.0, doing)
        self._worker.submit(self._job)
        self._showActions()
        self._view.wake()

    def _end(self, text: str) -> None:
        self._job = None
        self._view.showMessage(text)
        self.refresh()
        self.changed()

    def _showActions(self) -> None:
        idle = self._job is None and self._selected is not None
        why = self._fetchable()
        self._view.showActions(
            Actions(
                accept=idle and find_weights(self._selected).url is not None,
                fetch=why,
                importFile=idle and not find_weights(self._selected).shipped,
                stored=self._stored() is not None,
                delete=self._stored() is not None and not find_weights(self._selected).shipped,
                cancel=self._job is not None,
            )
        )

    def _fetchable(self) -> str:
        """Why the selected checkpoint cannot be fetched now; empty when it can."""
        if self._job is not None:
            return _WAIT
        if self._selected is None:
            return "Select a checkpoint"
        entry = find_weights(self._selected)
        if entry.shipped:
            return "It comes with StrokeSAM: there is nothing to fetch"
        if entry.url is None:
            return f"It cannot be fetched, it is {entry.obstacle}: download it, then import the file"
        return "" if self._accepted else "Accept the licence first"

    def _stored(self) -> str | None:
        """The selected checkpoint, if it is here and nothing is under way."""
        there = self._job is None and self._selected is not None and Store().find(self._selected)
        return self._selected if there else None


def _row(entry: Entry, store: Store) -> Row:
    size = "?" if entry.megabytes is None else f"{entry.megabytes} MB"
    users = ", ".join(entry.used_by) or "–"
    return Row(entry.id, entry.title, users, size, entry.licence, store.find(entry.id) is not None)


def _by_hand(entry: Entry) -> str:
    return "it comes with StrokeSAM" if entry.shipped else f"not fetched from here: it is {entry.obstacle}"


def _said(error: Any) -> str:
    text = inSlicer(str(error), "fetch or import it")
    return text if isinstance(error, StrokeSAMError) else f"{type(error).__name__}: {error}"
