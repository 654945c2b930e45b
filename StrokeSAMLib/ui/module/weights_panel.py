"""The logic of the section Weights, without Qt: the table of checkpoints, their terms, and the actions on them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from StrokeSAMLib.core.errors import StrokeSAMError
from StrokeSAMLib.core.jobs import Job, Worker
from StrokeSAMLib.core.monitor import Monitor
from StrokeSAMLib.ui.install.package_installer import ensure
from StrokeSAMLib.ui.messages import errorMessage
from StrokeSAMLib.ui.translation import tr as _
from StrokeSAMLib.weights.catalogue import Entry, catalogue, find_weights
from StrokeSAMLib.weights.store import Store


@dataclass(frozen=True)
class Row:
    """A row of the table of checkpoints.

    Attributes:
        id: id of the checkpoint.
        title: title of the checkpoint.
        usedBy: ids of the methods and engines that use it.
        size: size of the file.
        licence: name of the licence.
        stored: whether the file is in the weights folder or comes with StrokeSAM.
    """

    id: str
    title: str
    usedBy: str
    size: str
    licence: str
    stored: bool


@dataclass(frozen=True)
class Actions:
    """The actions that are possible now.

    Attributes:
        accept: whether the licence can be accepted.
        fetchObstacle: why the checkpoint cannot be fetched; "" if it can.
        importFile: whether a file can be imported.
        verify: whether the file can be verified.
        delete: whether the file can be deleted.
        cancel: whether there is work to cancel.
    """

    accept: bool
    fetchObstacle: str
    importFile: bool
    verify: bool
    delete: bool
    cancel: bool


class View(Protocol):
    """The interface of the section's widgets."""

    def wake(self) -> None:
        """Call `poll` from now on until the panel is no longer `busy`, because the worker has work."""

    def showRows(self, rows: list[Row], selected: str | None) -> None:
        """Show the table of checkpoints and select one."""

    def showTerms(self, entry: Entry, source: str) -> None:
        """Show licence, citation and source of a checkpoint."""

    def showActions(self, actions: Actions) -> None:
        """Enable the possible actions."""

    def showAccepted(self, accepted: bool) -> None:
        """Check or uncheck the box that accepts the licence."""

    def showProgress(self, fraction: float, text: str) -> None:
        """Show the progress, 0…1, and what is being done."""

    def showMessage(self, text: str) -> None:
        """Show the result or an error in the panel, never in a pop-up."""


class WeightsPanel:
    """The section's state and actions.

    Call every method on the main thread. While `busy`, a timer must call `poll`.

    Attributes:
        onChange: called after a checkpoint was added or deleted.
    """

    def __init__(
        self,
        view: View,
        worker: Worker | None = None,
        install: Callable[[Sequence[str]], None] = ensure,
    ):
        """Create the section's logic.

        Args:
            view: the section's widgets.
            worker: runs the work; None for a new worker.
            install: installs Python packages on the main thread, or raises `StrokeSAMError`.
        """
        self._view = view
        self._worker = worker or Worker("StrokeSAM weights")
        self._install = install
        self._selected: str | None = None
        self._accepted = False
        self._job: Job | None = None
        self.onChange: Callable[[], None] = lambda: None

    @property
    def busy(self) -> bool:
        """Whether work is running, so that `poll` must be called."""
        return self._worker.busy

    def refresh(self) -> None:
        """Update the table from the weights folder."""
        store = Store()
        self._view.showRows([_row(entry, store) for entry in catalogue().values()], self._selected)
        self._showActions()

    def select(self, id: str | None) -> None:
        """Select a checkpoint and show its terms, which are not accepted yet."""
        if id == self._selected:
            return
        self._selected = id
        self.accept(False)
        self._view.showAccepted(False)
        if id is not None:
            entry = find_weights(id)
            self._view.showTerms(entry, entry.url or _sourceText(entry))

    def accept(self, accepted: bool) -> None:
        """Accept the licence of the selected checkpoint, or revoke that."""
        self._accepted = accepted
        self._showActions()

    def fetch(self) -> None:
        """Download the selected checkpoint if its licence is accepted."""
        if self._fetchObstacle():
            return
        entry = find_weights(self._selected)

        def work(monitor: Monitor) -> None:
            from StrokeSAMLib.weights.download import fetch

            fetch(entry, Store(), monitor)

        def message(result: None) -> str:
            return _("{title} was saved in {folder}").format(title=entry.title, folder=Store().folder)

        self._start(("pooch",) if entry.sha256 else ("pooch", "torch"), _("connecting"), work, message)

    def importFile(self, file: str | Path) -> None:
        """Import a file that the user downloaded for the selected checkpoint, after it was read safely."""
        if self._selected is None or self._job is not None:
            return
        entry = find_weights(self._selected)

        def work(monitor: Monitor) -> bool:
            from StrokeSAMLib.weights.importing import import_weights

            return import_weights(entry, Path(file), Store(), monitor)

        def message(areKeysChecked: bool) -> str:
            if areKeysChecked:
                return _("{title} was imported; its keys match the network").format(title=entry.title)
            text = _("{title} was imported; its keys were not checked, because the network {network} is not available")
            return text.format(title=entry.title, network=entry.architecture)

        self._start(("torch",), _("reading the file"), work, message)

    def verify(self) -> None:
        """Compare the selected checkpoint's file with its SHA-256."""
        id = self._idleStoredId()
        if id is not None:
            text = _("{checkpoint} is intact, SHA-256 {hash}")
            self._start(
                (),
                _("verifying"),
                lambda monitor: Store().verify(id),
                lambda hash: text.format(checkpoint=id, hash=hash),
            )

    def remove(self) -> None:
        """Delete the selected checkpoint's file."""
        id = self._idleStoredId()
        if id is None:
            return
        try:
            self._view.showMessage(_("Deleted {file}").format(file=Store().remove(id)))
        except StrokeSAMError as error:
            self._view.showMessage(_errorText(error))
        self.refresh()
        self.onChange()

    def cancel(self) -> None:
        """Cancel the work. It stops between two chunks of the file."""
        if self._job is not None:
            self._job.cancel()
            self._view.showProgress(0.0, _("cancelling"))

    def poll(self, patience: float = 0.0) -> None:
        """Run the worker's callbacks, and wait `patience` seconds for them."""
        self._worker.poll(patience)

    def close(self) -> None:
        """End the worker, because the module is being removed."""
        self._worker.stop(timeout=0.0)  # no need to wait: an incomplete file is never taken for a complete one

    def _start(
        self,
        packages: Sequence[str],
        progressText: str,
        work: Callable[[Monitor], Any],
        message: Callable[[Any], str],
    ) -> None:
        """Run `work` on the worker, and then show `message` of its result."""
        try:
            self._install(packages)
            if self._job is not None:  # Slicer handles clicks while packages are installed
                raise StrokeSAMError(_waitText())
        except StrokeSAMError as error:
            self._view.showMessage(_errorText(error))
            return
        self._job = Job(
            work,
            finished=lambda result: self._end(message(result)),
            failed=lambda error: self._end(_errorText(error)),
            cancelled=lambda: self._end(_("Cancelled")),
            progressed=self._view.showProgress,
        )
        self._view.showMessage("")
        self._view.showProgress(0.0, progressText)
        self._worker.submit(self._job)
        self._showActions()
        self._view.wake()

    def _end(self, message: str) -> None:
        self._job = None
        self._view.showMessage(message)
        self.refresh()
        self.onChange()

    def _showActions(self) -> None:
        idle = self._job is None and self._selected is not None
        stored = self._idleStoredId() is not None
        self._view.showActions(
            Actions(
                accept=idle and find_weights(self._selected).url is not None,
                fetchObstacle=self._fetchObstacle(),
                importFile=idle and not find_weights(self._selected).shipped,
                verify=stored,
                delete=stored and not find_weights(self._selected).shipped,
                cancel=self._job is not None,
            )
        )

    def _fetchObstacle(self) -> str:
        """Why the selected checkpoint cannot be fetched now; "" if it can."""
        if self._job is not None:
            return _waitText()
        if self._selected is None:
            return _("Select a checkpoint")
        entry = find_weights(self._selected)
        if entry.shipped:
            return _("It comes with StrokeSAM, so there is nothing to fetch")
        if entry.url is None:
            text = _("It cannot be fetched, because it is {obstacle}: download it, then import the file")
            return text.format(obstacle=entry.obstacle)
        return "" if self._accepted else _("Accept the licence first")

    def _idleStoredId(self) -> str | None:
        """The id of the selected checkpoint if its file is stored and no work is running; otherwise None."""
        stored = self._job is None and self._selected is not None and Store().find(self._selected)
        return self._selected if stored else None


def _row(entry: Entry, store: Store) -> Row:
    size = "?" if entry.megabytes is None else f"{entry.megabytes} MB"
    users = ", ".join(entry.used_by) or "–"
    return Row(entry.id, entry.title, users, size, entry.licence, store.find(entry.id) is not None)


def _sourceText(entry: Entry) -> str:
    """The source of a checkpoint that cannot be fetched."""
    if entry.shipped:
        return _("comes with StrokeSAM")
    return _("cannot be fetched, because it is {obstacle}").format(obstacle=entry.obstacle)


def _waitText() -> str:
    return _("Wait until the current action ends")


def _errorText(error: BaseException) -> str:
    return errorMessage(error, _("fetch or import it"))
