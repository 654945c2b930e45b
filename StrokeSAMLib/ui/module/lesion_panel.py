"""The logic of the section Segment lesion, without Qt: choices, the buttons' state, the segmentation and its result."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from StrokeSAMLib.core.errors import Cancelled, OptionError, StrokeSAMError
from StrokeSAMLib.core.files import atomic_write
from StrokeSAMLib.core.jobs import Job, Worker
from StrokeSAMLib.lesion.registry import AUTO, METHODS, Method, choose_method, find_method
from StrokeSAMLib.ui.install.package_installer import ensure
from StrokeSAMLib.ui.messages import errorMessage, reasonNotReady
from StrokeSAMLib.ui.module.lesion_state import LesionPanelState, inputsOf, optionsOf, setOptions
from StrokeSAMLib.ui.module.lesion_work import Outcome, segmentAndReport
from StrokeSAMLib.ui.module.option_rows import OptionRow, describeOptions, withValues

_DEVICE = "device"
# Only methods for the brain, because the segment gets the terminology code of a brain lesion.
OFFERED = tuple(method for method in METHODS if method.organ == "brain")


class View(Protocol):
    """The interface of the section's widgets."""

    def wake(self) -> None:
        """Call `poll` from now on until the panel is no longer `busy`, because the worker has work."""

    def showMethods(self, items: list[tuple[str, str]]) -> None:
        """Fill the list of methods with the id and text of each."""

    def showMethod(self, method: Method) -> None:
        """Select a method in the list, and show its summary and the selectors of its inputs but no others."""

    def showOptions(self, rows: list[OptionRow]) -> None:
        """Show the options of the method."""

    def setApplyEnabled(self, enabled: bool, toolTip: str) -> None:
        """Enable or disable Apply and set its tooltip, which explains why it is disabled or what it does."""

    def setRefineEnabled(self, enabled: bool, toolTip: str) -> None:
        """Enable or disable Refine in Segment Editor and set its tooltip, as in `setApplyEnabled`."""

    def setRunning(self, running: bool) -> None:
        """Show the progress bar and enable Cancel, or hide and disable them."""

    def showProgress(self, fraction: float, text: str) -> None:
        """Show the progress, 0…1, and what is being done."""

    def showResult(self, rows: list[tuple[str, str]], picture: Path | None) -> None:
        """Show the table of measurements and the overview picture; no rows and None for no result."""

    def showMessage(self, text: str) -> None:
        """Show notes or an error in the panel, never in a pop-up."""


class Logic(Protocol):
    """The part of `StrokeSAMLogic` that the panel uses."""

    def prepare(self, inputs: dict[str, Any], method: str, **options: Any) -> Any:
        """Check the inputs and take snapshots of the volumes."""

    def fitting(self, request: Any, segmentationNode: Any | None) -> Any | None:
        """Return the segmentation if the result can be added to it; None if a new one is needed."""

    def apply(self, request: Any, result: Any, segmentationNode: Any, segmentId: str | None = None) -> Any:
        """Write the result into the scene and return the segmentation node."""

    def addProbability(self, request: Any, result: Any) -> Any:
        """Add the probability map to the scene."""


class LesionPanel:
    """The section's state and actions.

    Call every method on the main thread. While `busy`, a timer must call `poll`.
    """

    def __init__(
        self,
        view: View,
        logic: Logic,
        openEditor: Callable[[Any, str], None],
        worker: Worker | None = None,
        install: Callable[[Sequence[str]], None] = ensure,
    ):
        """Create the section's logic. All actions are disabled until `setState` is called.

        Args:
            view: the section's widgets.
            logic: segments lesions in the scene.
            openEditor: opens the Segment Editor on a segmentation node, with a device.
            worker: runs the segmentation; None for a new worker.
            install: installs Python packages on the main thread, or raises `StrokeSAMError`.
        """
        self._view = view
        self._logic = logic
        self._openEditor = openEditor
        self._worker = worker or Worker()
        self._install = install
        self._state: LesionPanelState | None = None
        self._method: Method | None = None
        self._defaults: list[OptionRow] = []
        self._optionRows: list[OptionRow] = []
        self._job: Job | None = None
        self._folder: tempfile.TemporaryDirectory | None = None
        self._picture: Path | None = None

    @property
    def busy(self) -> bool:
        """Whether work is running, so that `poll` must be called."""
        return self._worker.busy

    def setState(self, state: LesionPanelState | None) -> None:
        """Show the choices of a scene.

        Args:
            state: the scene's choices; None when the scene is closed, which also cancels running work.
        """
        self._state = state
        self._method = None
        if state is None:
            self.cancel()
            self._clearResult()
        else:
            self.listMethods()
            self.onState()

    def listMethods(self) -> None:
        """Update the list of methods, because a method may have become ready."""
        self._view.showMethods([(method.id, _listText(method)) for method in OFFERED])
        if self._method is not None:
            self._view.showMethod(self._method)
            self.refresh()

    def onState(self) -> None:
        """Update the panel, because the choices may have changed."""
        if self._state is None:
            return
        method = _methodOrDefault(self._state.method)
        if method is not self._method:
            self._method = method
            self._view.showMethod(method)
            self._describe(method)
        if self._optionsChanged():
            self._showOptions()
        self.refresh()

    def setMethod(self, id: str) -> None:
        """Choose a method."""
        if self._state is not None and self._state.method != id:
            self._state.method = id
            self.onState()

    def suggest(self, volumeNode: Any) -> None:
        """Choose the volume as the input, if the method has only one input and none is chosen."""
        if self._state is None or len(self._method.inputs) != 1 or inputsOf(self._state, _keys(self._method)):
            return
        setattr(self._state, self._method.reference, volumeNode)
        self.onState()

    def setOption(self, name: str, text: str) -> None:
        """Set an option of the method, if the value is valid; "" for its default."""
        if self._state is None or name not in {row.name for row in self._defaults}:
            return
        values = {**optionsOf(self._state, self._method.id), name: text.strip()}
        changed = {
            row.name: values[row.name] for row in self._defaults if values.get(row.name, "") not in ("", row.default)
        }
        try:
            self._method.build_options(changed)
            self._view.showMessage("")
            setOptions(self._state, self._method.id, changed)
        except OptionError as error:
            self._view.showMessage(errorMessage(error))
        self._showOptions()

    def resetOptions(self) -> None:
        """Set every option of the method to its default."""
        if self._state is not None:
            setOptions(self._state, self._method.id, {})
            self._showOptions()

    def refresh(self) -> None:
        """Enable or disable the buttons according to the choices."""
        obstacle = self._applyObstacle()
        self._view.setApplyEnabled(not obstacle, obstacle or "Segment the lesion")
        obstacle = self._refineObstacle()
        self._view.setRefineEnabled(not obstacle, obstacle or "Correct the lesion with boxes and points")

    def start(self) -> None:
        """Start to segment the lesion on the worker.

        The result is written into the chosen segmentation, or into a new one if that belongs to another volume.
        """
        if self._applyObstacle():
            return
        choices = self._choices()
        try:
            self._install(self._method.packages)
            self._checkUnchanged(choices)
            method, inputs, options, segmentation = choices
            request = self._logic.prepare(inputs, method.id, **options)
            target = self._logic.fitting(request, segmentation)
            folder = self._newFolder()
        except StrokeSAMError as error:
            self._view.showMessage(errorMessage(error))
            return
        self._job = Job(
            lambda monitor: segmentAndReport(request, folder, monitor),
            finished=lambda outcome: self._end(lambda: self._finish(request, outcome, target)),
            failed=lambda error: self._end(lambda: self._view.showMessage(errorMessage(error))),
            cancelled=lambda: self._end(lambda: self._view.showMessage("Cancelled")),
            progressed=self._view.showProgress,
        )
        self._view.setRunning(True)
        self._view.showMessage("")
        self._view.showProgress(0.0, "starting")
        self._submit(self._job)
        self.refresh()

    def cancel(self) -> None:
        """Cancel the work. It stops at its next step."""
        if self._job is not None:
            self._job.cancel()
            self._view.showProgress(1.0, "cancelling")

    def refine(self) -> None:
        """Open the Segment Editor on the lesion."""
        if self._refineObstacle():
            return
        try:
            self._openEditor(self._state.segmentation, self._state.device)
        except StrokeSAMError as error:
            self._view.showMessage(errorMessage(error))

    def savePicture(self, path: str | Path) -> None:
        """Copy the overview picture to a file."""
        if self._picture is None:
            return
        try:
            with atomic_write(Path(path)) as temporary:
                shutil.copyfile(self._picture, temporary)
            self._view.showMessage(f"Saved {path}")
        except StrokeSAMError as error:
            self._view.showMessage(errorMessage(error))

    def poll(self, patience: float = 0.0) -> None:
        """Run the worker's callbacks, and wait `patience` seconds for them."""
        self._worker.poll(patience)

    def close(self) -> None:
        """End the worker and delete the pictures, because the module is being removed."""
        self._worker.stop(timeout=5.0)
        if self._folder is not None:
            self._folder.cleanup()

    def _choices(self) -> tuple[Method, dict[str, Any], dict[str, str], Any | None]:
        """The chosen method, inputs, options, and segmentation node."""
        state, method = self._state, self._method
        device = {_DEVICE: state.device} if method.weights else {}
        return method, inputsOf(state, _keys(method)), {**device, **optionsOf(state, method.id)}, state.segmentation

    def _checkUnchanged(self, choices: Any) -> None:
        """Check the choices again, because Slicer handles user actions while packages are installed.

        Raises:
            StrokeSAMError: Apply is no longer possible, or the choices differ from `choices`.
        """
        obstacle = self._applyObstacle()
        if not obstacle and self._choices() != choices:
            obstacle = "The choices changed while packages were installed: press Apply again"
        if obstacle:
            raise StrokeSAMError(obstacle)

    def _submit(self, job: Job) -> None:
        self._worker.submit(job)
        self._view.wake()

    def _describe(self, method: Method) -> None:
        """Let the worker describe the options, because importing a method would block the main thread."""
        self._defaults = []
        if not method.missing_packages():
            self._submit(
                Job(lambda monitor: describeOptions(method), finished=lambda rows: self._onDescription(method, rows))
            )

    def _onDescription(self, method: Method, rows: list[OptionRow]) -> None:
        if method is self._method:
            # The panel has one device field for all methods.
            self._defaults = [row for row in rows if row.name != _DEVICE]
            self._showOptions()

    def _currentRows(self) -> list[OptionRow]:
        return withValues(self._defaults, optionsOf(self._state, self._method.id))

    def _showOptions(self) -> None:
        self._optionRows = self._currentRows()
        self._view.showOptions(self._optionRows)

    def _optionsChanged(self) -> bool:
        return self._optionRows != self._currentRows()

    def _clearResult(self) -> None:
        self._picture = None
        self._view.showResult([], None)
        self._view.showMessage("")
        self.refresh()

    def _newFolder(self) -> Path:
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="StrokeSAM-")
        # Each run has a folder of its own: the user may save the current picture while the next one is drawn.
        return Path(tempfile.mkdtemp(dir=self._folder.name))

    def _applyObstacle(self) -> str:
        """Why Apply is not possible now; "" if it is."""
        if self._job is not None:
            return "A segmentation is running"
        if self._state is None:
            return "The scene is being closed"
        method = self._method
        if method.readiness() != "yes" and not method.missing_packages():  # Apply installs missing packages
            return f"{method.title}: {_notReadyText(method)}"
        titles = {entry.key: entry.title for entry in method.inputs}
        nodes = inputsOf(self._state, _keys(method))
        for keys in method.needs:
            if not any(key in nodes for key in keys):
                return f"Select {' or '.join(titles[key] for key in keys)}"
        return ""

    def _refineObstacle(self) -> str:
        """Why Refine in Segment Editor is not possible now; "" if it is."""
        if self._job is not None:
            return "A segmentation is running"
        if self._state is None or self._state.segmentation is None:
            return "Segment the lesion first, or select a segmentation"
        return ""

    def _finish(self, request: Any, outcome: Outcome, segmentationNode: Any | None) -> None:
        if self._state is None:
            return
        try:
            segmentation = self._logic.apply(request, outcome.result, segmentationNode)
            if self._state.probability:
                self._logic.addProbability(request, outcome.result)
        except Cancelled:
            self._view.showMessage("Cancelled: the volume is no longer in the scene")
            return
        except StrokeSAMError as error:
            self._view.showMessage(errorMessage(error))
            return
        self._picture = outcome.picture
        self._view.showResult(outcome.rows, outcome.picture)
        self._view.showMessage("\n".join([*request.notes, *outcome.result.warnings]))
        self._state.segmentation = segmentation

    def _end(self, show: Callable[[], None]) -> None:
        self._job = None
        self._view.setRunning(False)
        show()
        self.refresh()


def _keys(method: Method) -> tuple[str, ...]:
    return tuple(entry.key for entry in method.inputs)


def _methodOrDefault(id: str) -> Method:
    """The method `id`; the best method for CT if there is no such method."""
    try:
        return find_method(id)
    except OptionError:
        return choose_method(AUTO, ("ncct",))[0]


def _notReadyText(method: Method) -> str:
    return f"not ready: {reasonNotReady(method.readiness())}"


def _listText(method: Method) -> str:
    return method.title if method.readiness() == "yes" else f"{method.title} – {_notReadyText(method)}"
