"""What the module's panel does, without Qt: which inputs are shown, when Apply works, what runs, what is told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from StrokeSAMLib.errors import Cancelled, StrokeSAMError
from StrokeSAMLib.jobs import Job, Worker
from StrokeSAMLib.lesion.registry import METHODS, Method, find_method
from StrokeSAMLib.monitor import Monitor


class View(Protocol):
    """What the panel needs of its widgets."""

    def showInputs(self, keys: tuple[str, ...]) -> None:
        """Show the selectors of these inputs, hide the others."""

    def setApplyEnabled(self, enabled: bool, reason: str) -> None:
        """Enable Apply, or say why it is not."""

    def setRunning(self, running: bool) -> None:
        """Show progress and Cancel, or hide them."""

    def showProgress(self, fraction: float, text: str) -> None:
        """Show how far the work is, 0…1, and what it does."""

    def showResult(self, rows: list[tuple[str, str]], notes: list[str]) -> None:
        """Show the table of results and the notes."""

    def showError(self, text: str) -> None:
        """Show why nothing came of it, in the panel: never in a pop-up."""


class Logic(Protocol):
    """What the panel needs of `StrokeSAMLogic`."""

    def prepare(self, inputs: dict[str, Any], method: str, **options: Any) -> Any:
        """Copy the volumes out of the scene."""

    def apply(self, request: Any, result: Any, segmentationNode: Any, segmentId: str | None = None) -> Any:
        """Write the result into the scene."""


class LesionPanel:
    """The panel's state. Every method is called on the main thread; `poll` from a timer while `busy`."""

    def __init__(self, view: View, logic: Logic, worker: Worker | None = None):
        self._view = view
        self._logic = logic
        self._worker = worker or Worker()
        self._method = METHODS[0]
        self._inputs: dict[str, Any] = {}
        self._job: Job | None = None
        self.applied: Callable[[Any], None] = lambda segmentationNode: None

    @property
    def method(self) -> Method:
        """The chosen method."""
        return self._method

    @property
    def busy(self) -> bool:
        """Whether work is under way, and `poll` must be called."""
        return self._worker.busy

    def setMethod(self, id: str) -> None:
        """Choose a method: its inputs are shown."""
        self._method = find_method(id)
        self._view.showInputs(tuple(entry.key for entry in self._method.inputs))
        self.refresh()

    def setInput(self, key: str, node: Any | None) -> None:
        """Choose the volume of an input; None for none."""
        self._inputs[key] = node
        self.refresh()

    def refresh(self) -> None:
        """Bring Apply in line with what is chosen."""
        reason = self._reason()
        self._view.setApplyEnabled(not reason, reason or "Segment the lesion")

    def start(self, segmentationNode: Any | None) -> None:
        """Segment, off the main thread, into `segmentationNode` or a new one."""
        if self._reason():
            return
        try:
            request = self._logic.prepare(self._given(), self._method.id)
        except StrokeSAMError as error:
            self._view.showError(str(error))
            return

        def work(monitor: Monitor) -> Any:
            return request.run(monitor.step, monitor.cancel_event)

        self._job = Job(
            work,
            finished=lambda result: self._finish(request, result, segmentationNode),
            failed=lambda error: self._end(lambda: self._view.showError(_said(error))),
            cancelled=lambda: self._end(lambda: self._view.showError("Cancelled")),
            progressed=self._view.showProgress,
        )
        self._view.setRunning(True)
        self._view.showProgress(0.0, "starting")
        self._worker.submit(self._job)
        self.refresh()

    def cancel(self) -> None:
        """Ask the work to stop; it does at its next step."""
        if self._job is not None:
            self._job.cancel()
            self._view.showProgress(1.0, "cancelling")

    def poll(self) -> None:
        """Hear of the worker's progress and results."""
        self._worker.poll()

    def close(self) -> None:
        """End the worker: the module goes."""
        self._worker.stop(timeout=5.0)

    def _given(self) -> dict[str, Any]:
        keys = {entry.key for entry in self._method.inputs}
        return {key: node for key, node in self._inputs.items() if key in keys and node is not None}

    def _reason(self) -> str:
        """Why Apply cannot work now; empty when it can."""
        if self._job is not None:
            return "Segmentation is under way"
        if self._method.readiness() != "yes":
            return f"{self._method.title} is not ready: {self._method.readiness()}"
        titles = {entry.key: entry.title for entry in self._method.inputs}
        given = self._given()
        for keys in self._method.needs:
            if not any(key in given for key in keys):
                return f"Select {' or '.join(titles[key] for key in keys)}"
        return ""

    def _finish(self, request: Any, result: Any, segmentationNode: Any | None) -> None:
        def show() -> None:
            try:
                written = self._logic.apply(request, result, segmentationNode)
            except (StrokeSAMError, Cancelled) as error:
                self._view.showError(_said(error))
                return
            self._view.showResult(_rows(result), [*request.notes, *result.warnings])
            self.applied(written)

        self._end(show)

    def _end(self, show: Callable[[], None]) -> None:
        self._job = None
        self._view.setRunning(False)
        show()
        self.refresh()


def _said(error: BaseException) -> str:
    if isinstance(error, Cancelled):
        return "Cancelled: the volume is no longer in the scene"
    return str(error) if isinstance(error, StrokeSAMError) else f"{type(error).__name__}: {error}"


def _rows(result: Any) -> list[tuple[str, str]]:
    from StrokeSAMLib.report import measure, volume_text

    found = measure(result)
    rows = [("Volume", volume_text(found["volume_ml"])), ("Side", found["side"])]
    rows.append(("Components", str(len(found["components"]))))
    units = {"ncct": " HU", "adc": " ×10⁻⁶ mm²/s"}
    for name, values in found["intensities"].items():
        if values:
            rows.append((f"Mean {name}", f"{values['mean']:.0f} ± {values['sd']:.0f}{units.get(name, '')}"))
    return rows
