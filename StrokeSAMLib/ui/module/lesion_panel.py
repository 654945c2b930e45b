"""The logic of the section Segment lesion, without Qt: choices, the buttons' state, the segmentation and its result."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from StrokeSAMLib.core.errors import Cancelled, OptionError, StrokeSAMError
from StrokeSAMLib.core.files import atomic_write
from StrokeSAMLib.core.jobs import Job, Worker
from StrokeSAMLib.lesion.registry import AUTO, METHODS, Method, choose_method, find_method
from StrokeSAMLib.ui.install.package_installer import ensure
from StrokeSAMLib.ui.messages import errorMessage, reasonNotReady
from StrokeSAMLib.ui.module.lesion_interfaces import Logic, View
from StrokeSAMLib.ui.module.lesion_state import LesionPanelState, inputsOf, optionsOf, setOptions
from StrokeSAMLib.ui.module.lesion_work import Outcome, measurementRows, segmentAndReport
from StrokeSAMLib.ui.module.option_rows import OptionRow, describeOptions, withValues
from StrokeSAMLib.ui.translation import tr as _
from StrokeSAMLib.ui.translation import trLibrary

_DEVICE = "device"
# Only methods for the brain, because the segment gets the terminology code of a brain lesion.
OFFERED = tuple(method for method in METHODS if method.organ == "brain")


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
        # The inputs and the method to which the result and the message in the panel belong.
        self._subject: tuple[str, dict[str, Any]] | None = None
        self._request: Any | None = None

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
        self._clearOutdatedResult()
        self.refresh()

    def setMethod(self, id: str) -> None:
        """Choose a method."""
        if self._state is not None and self._state.method != id:
            self._state.method = id
            self.onState()

    def suggest(self, volumeNode: Any, key: str = "") -> None:
        """Select a volume as an input, unless a volume is already selected there.

        Args:
            volumeNode: the volume.
            key: the key of the input; "" for the only input of the method.
        """
        if self._state is None:
            return
        if not key and len(self._method.inputs) == 1:
            key = self._method.reference
        if key and not inputsOf(self._state, (key,)):
            setattr(self._state, key, volumeNode)
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
        self._view.setApplyEnabled(not obstacle, obstacle or _("Segment the lesion"))
        obstacle = self._refineObstacle()
        self._view.setRefineEnabled(not obstacle, obstacle or _("Correct the lesion with boxes and points"))

    def start(self) -> None:
        """Start to segment the lesion on the worker.

        The result is written into the chosen segmentation, or into a new one if that belongs to another volume.
        """
        if self._applyObstacle():
            return
        self._clearResult()
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
        subject = self._currentSubject()
        self._job = Job(
            lambda monitor: segmentAndReport(request, folder, monitor),
            finished=lambda outcome: self._end(lambda: self._finish(request, subject, outcome, target)),
            failed=lambda error: self._end(lambda: self._view.showMessage(errorMessage(error))),
            cancelled=lambda: self._end(lambda: self._view.showMessage(_("Cancelled"))),
            progressed=self._view.showProgress,
        )
        self._view.setRunning(True)
        self._view.showProgress(0.0, _("starting"))
        self._submit(self._job)
        self.refresh()

    def cancel(self) -> None:
        """Cancel the work. It stops at its next step."""
        if self._job is not None:
            self._job.cancel()
            self._view.showProgress(1.0, _("cancelling"))

    def refine(self) -> None:
        """Open the Segment Editor on the lesion."""
        if self._refineObstacle():
            return
        try:
            with self._view.waiting():
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
            self._view.showMessage(_("Saved {path}").format(path=path))
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
            obstacle = _("The choices changed while packages were installed: press Apply again")
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

    def _currentSubject(self) -> tuple[str, dict[str, Any]] | None:
        """The chosen method and inputs."""
        if self._state is None:
            return None
        return self._method.id, inputsOf(self._state, _keys(self._method))

    def _clearOutdatedResult(self) -> None:
        """Clear result and message, if they belong to another method, other inputs, or the segmentation of others."""
        segmentation = self._state.segmentation
        ofAnotherVolume = (
            self._request is not None
            and segmentation is not None
            and self._logic.fitting(self._request, segmentation) is None
        )
        if ofAnotherVolume or self._subject != self._currentSubject():
            self._clearResult()

    def _clearResult(self) -> None:
        self._subject = self._currentSubject()
        self._request = None
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
            return _("A segmentation is running")
        if self._state is None:
            return _("The scene is being closed")
        method = self._method
        if method.readiness() != "yes" and not method.missing_packages():  # Apply installs missing packages
            return f"{trLibrary(method.title)}: {_notReadyText(method)}"
        titles = {entry.key: trLibrary(entry.title) for entry in method.inputs}
        nodes = inputsOf(self._state, _keys(method))
        for keys in method.needs:
            if not any(key in nodes for key in keys):
                inputs = _(" or ").join(titles[key] for key in keys)
                return _("Select {inputs}").format(inputs=inputs)
        return ""

    def _refineObstacle(self) -> str:
        """Why Refine in Segment Editor is not possible now; "" if it is."""
        if self._job is not None:
            return _("A segmentation is running")
        if self._state is None or self._state.segmentation is None:
            return _("Segment the lesion first, or select a segmentation")
        return ""

    def _finish(self, request: Any, subject: Any, outcome: Outcome, target: Any | None) -> None:
        if self._state is None:
            return
        try:
            with self._view.waiting():
                segmentation = self._write(request, outcome, target)
        except Cancelled:
            self._view.showMessage(_("Cancelled: the volume is no longer in the scene"))
            return
        except StrokeSAMError as error:
            self._view.showMessage(errorMessage(error))
            return
        if subject != self._currentSubject():
            text = _("{volume}: the segmentation is finished. Its result is not shown, because the choices changed.")
            self._view.showMessage(text.format(volume=next(iter(request.names.values()))))
            return
        self._showOutcome(request, outcome)
        if segmentation is not None:
            self._state.segmentation = segmentation
            self._logic.jumpTo(outcome.focus)

    def _write(self, request: Any, outcome: Outcome, target: Any | None) -> Any | None:
        """Write the outcome into the scene; returns the segmentation node, or None if nothing was found."""
        segmentation = None
        if outcome.focus is not None:
            segmentation = self._logic.apply(request, outcome.result, target)
        if self._state.probability:
            self._logic.addProbability(request, outcome.result)
        return segmentation

    def _showOutcome(self, request: Any, outcome: Outcome) -> None:
        self._request = request
        self._picture = outcome.picture
        self._view.showResult(measurementRows(outcome.measurements), outcome.picture)
        noLesion = [] if outcome.measurements["components"] else [_noLesionText(outcome)]
        self._view.showMessage("\n".join([*noLesion, *request.notes, *outcome.warnings]))

    def _end(self, show: Callable[[], None]) -> None:
        self._job = None
        self._view.setRunning(False)
        show()
        self.refresh()


def _noLesionText(outcome: Outcome) -> str:
    if outcome.focus is None:
        return _("No lesion was found, so no segment was written.")
    return _("No lesion was found. What may be one is in a segment of its own.")


def _keys(method: Method) -> tuple[str, ...]:
    return tuple(entry.key for entry in method.inputs)


def _methodOrDefault(id: str) -> Method:
    """The method `id`; the best method for CT if there is no such method."""
    try:
        return find_method(id)
    except OptionError:
        return choose_method(AUTO, ("ncct",))[0]


def _notReadyText(method: Method) -> str:
    return _("not ready: {reason}").format(reason=reasonNotReady(method.readiness()))


def _listText(method: Method) -> str:
    title = trLibrary(method.title)
    return title if method.readiness() == "yes" else f"{title} – {_notReadyText(method)}"
