"""What the section Segment lesion does, without Qt: what is shown, when Apply works, what runs, what is told."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from StrokeSAMLib.errors import Cancelled, OptionError, StrokeSAMError
from StrokeSAMLib.files import replacing
from StrokeSAMLib.jobs import Job, Worker
from StrokeSAMLib.lesion.registry import AUTO, METHODS, Method, choose_method, find_method
from StrokeSAMLib.ui.in_slicer import inSlicer, lackOf
from StrokeSAMLib.ui.lesion_state import State, inputsOf, optionsOf, setOptions
from StrokeSAMLib.ui.lesion_work import Outcome, segmentAndReport
from StrokeSAMLib.ui.option_rows import OptionRow, describeOptions, withValues
from StrokeSAMLib.ui.packages import ensure

_DEVICE = "device"
# A segment is coded as a lesion of the brain.
OFFERED = tuple(method for method in METHODS if method.organ == "brain")


class View(Protocol):
    """What the panel needs of its widgets."""

    def wake(self) -> None:
        """Work was handed to the worker: call `poll` from now on, until the panel is no longer `busy`."""

    def showMethods(self, items: list[tuple[str, str]]) -> None:
        """Fill the list of methods: id and text of each."""

    def showMethod(self, method: Method) -> None:
        """Choose it in the list, say what it does, show the selectors of its inputs and hide the others."""

    def showOptions(self, rows: list[OptionRow]) -> None:
        """Show the options of the method."""

    def setApplyEnabled(self, enabled: bool, reason: str) -> None:
        """Enable Apply, or say why it is not."""

    def setRefineEnabled(self, enabled: bool, reason: str) -> None:
        """Enable Refine in Segment Editor, or say why it is not."""

    def setRunning(self, running: bool) -> None:
        """Show progress and Cancel, or hide them."""

    def showProgress(self, fraction: float, text: str) -> None:
        """Show how far the work is, 0…1, and what it does."""

    def showResult(self, rows: list[tuple[str, str]], picture: Path | None) -> None:
        """Show the table of results and the overview; no rows and None for no result."""

    def showMessage(self, text: str) -> None:
        """Show notes, or why nothing came of it, in the panel: never in a pop-up."""


class Logic(Protocol):
    """What the panel needs of `StrokeSAMLogic`."""

    def prepare(self, inputs: dict[str, Any], method: str, **options: Any) -> Any:
        """Copy the volumes out of the scene."""

    def fitting(self, request: Any, segmentationNode: Any | None) -> Any | None:
        """The segmentation if the result belongs into it; None for a new one."""

    def apply(self, request: Any, result: Any, segmentationNode: Any, segmentId: str | None = None) -> Any:
        """Write the result into the scene."""

    def addProbability(self, request: Any, result: Any) -> Any:
        """Write the score map into the scene."""


class LesionPanel:
    """The section's behaviour. Every method is called on the main thread; `poll` from a timer while `busy`."""

    def __init__(
        self,
        view: View,
        logic: Logic,
        refineIn: Callable[[Any, str], None],
        worker: Worker | None = None,
        install: Callable[[Sequence[str]], None] = ensure,
    ):
        """Without a state nothing can be done: see `setState`.

        Args:
            refineIn: opens the Segment Editor on a segmentation node, with a device.
            install: puts Python packages in place, or raises; on the main thread.
        """
        self._view = view
        self._logic = logic
        self._refineIn = refineIn
        self._worker = worker or Worker()
        self._install = install
        self._state: State | None = None
        self._method: Method | None = None
        self._options: list[OptionRow] = []
        self._shown: list[OptionRow] = []
        self._job: Job | None = None
        self._folder: tempfile.TemporaryDirectory | None = None
        self._picture: Path | None = None

    @property
    def busy(self) -> bool:
        """Whether work is under way, and `poll` must be called."""
        return self._worker.busy

    def setState(self, state: State | None) -> None:
        """Show what is chosen in this scene; None when the scene goes, and with it what is under way."""
        self._state = state
        self._method = None
        if state is None:
            self.cancel()
            self._showNothing()
        else:
            self.listMethods()
            self.onState()

    def listMethods(self) -> None:
        """Look again at which methods are ready."""
        self._view.showMethods([(method.id, _listed(method)) for method in OFFERED])
        if self._method is not None:
            self._view.showMethod(self._method)
            self.refresh()

    def onState(self) -> None:
        """What is chosen may be other than before."""
        if self._state is None:
            return
        method = _known(self._state.method)
        if method is not self._method:
            self._method = method
            self._view.showMethod(method)
            self._describe(method)
        if self._optionsMoved():
            self._showOptions()
        self.refresh()

    def setMethod(self, id: str) -> None:
        """Choose a method."""
        if self._state is not None and self._state.method != id:
            self._state.method = id
            self.onState()

    def suggest(self, volumeNode: Any) -> None:
        """Take the volume for the input, where the method has only one and nothing is chosen."""
        if self._state is None or len(self._method.inputs) != 1 or inputsOf(self._state, _keys(self._method)):
            return
        setattr(self._state, self._method.reference, volumeNode)
        self.onState()

    def setOption(self, name: str, text: str) -> None:
        """Give an option of the method a value; "" for its default."""
        if self._state is None or name not in {row.name for row in self._options}:
            return
        given = {**optionsOf(self._state, self._method.id), name: text.strip()}
        chosen = {
            row.name: given[row.name] for row in self._options if given.get(row.name, "") not in ("", row.default)
        }
        try:
            self._method.build_options(chosen)
            self._view.showMessage("")
            setOptions(self._state, self._method.id, chosen)
        except OptionError as error:
            self._view.showMessage(str(error))
        self._showOptions()

    def resetOptions(self) -> None:
        """Every option of the method as by default."""
        if self._state is not None:
            setOptions(self._state, self._method.id, {})
            self._showOptions()

    def refresh(self) -> None:
        """Bring the buttons in line with what is chosen."""
        reason = self._reason()
        self._view.setApplyEnabled(not reason, reason or "Segment the lesion")
        reason = self._refineReason()
        self._view.setRefineEnabled(not reason, reason or "Correct the lesion with boxes and points")

    def start(self) -> None:
        """Segment, off the main thread, into the segmentation that is chosen; a new one for another volume's."""
        if self._reason():
            return
        chosen = self._chosen()
        try:
            self._install(self._method.packages)
            self._checkStill(chosen)
            method, inputs, options, segmentation = chosen
            request = self._logic.prepare(inputs, method.id, **options)
            target = self._logic.fitting(request, segmentation)
            folder = self._newFolder()
        except StrokeSAMError as error:
            self._view.showMessage(str(error))
            return
        self._job = Job(
            lambda monitor: segmentAndReport(request, folder, monitor),
            finished=lambda outcome: self._end(lambda: self._finish(request, outcome, target)),
            failed=lambda error: self._end(lambda: self._view.showMessage(_said(error))),
            cancelled=lambda: self._end(lambda: self._view.showMessage("Cancelled")),
            progressed=self._view.showProgress,
        )
        self._view.setRunning(True)
        self._view.showMessage("")
        self._view.showProgress(0.0, "starting")
        self._submit(self._job)
        self.refresh()

    def cancel(self) -> None:
        """Ask the work to stop; it does at its next step."""
        if self._job is not None:
            self._job.cancel()
            self._view.showProgress(1.0, "cancelling")

    def refine(self) -> None:
        """Open the Segment Editor on the lesion."""
        if self._refineReason():
            return
        try:
            self._refineIn(self._state.segmentation, self._state.device)
        except StrokeSAMError as error:
            self._view.showMessage(str(error))

    def savePicture(self, path: str | Path) -> None:
        """Copy the overview to a file."""
        if self._picture is None:
            return
        try:
            with replacing(Path(path)) as temporary:
                shutil.copyfile(self._picture, temporary)
            self._view.showMessage(f"Saved {path}")
        except StrokeSAMError as error:
            self._view.showMessage(str(error))

    def poll(self, patience: float = 0.0) -> None:
        """Hear of the worker's progress and results, waiting `patience` seconds for them."""
        self._worker.poll(patience)

    def close(self) -> None:
        """End the worker: the module goes."""
        self._worker.stop(timeout=5.0)
        if self._folder is not None:
            self._folder.cleanup()

    def _chosen(self) -> tuple[Method, dict[str, Any], dict[str, str], Any | None]:
        """Method, inputs, options, and the segmentation to write into."""
        state, method = self._state, self._method
        device = {_DEVICE: state.device} if method.weights else {}
        return method, inputsOf(state, _keys(method)), {**device, **optionsOf(state, method.id)}, state.segmentation

    def _checkStill(self, chosen: Any) -> None:
        """While packages are installed, Slicer handles what the user does, which may be anything."""
        reason = self._reason()
        if not reason and self._chosen() != chosen:
            reason = "What is chosen changed while packages were installed: press Apply again"
        if reason:
            raise StrokeSAMError(reason)

    def _submit(self, job: Job) -> None:
        self._worker.submit(job)
        self._view.wake()

    def _describe(self, method: Method) -> None:
        """Ask the worker for the options: a method is not imported on the main thread."""
        self._options = []
        if not method.missing_packages():
            self._submit(
                Job(lambda monitor: describeOptions(method), finished=lambda rows: self._described(method, rows))
            )

    def _described(self, method: Method, rows: list[OptionRow]) -> None:
        if method is self._method:
            # Of the device there is one choice for all methods.
            self._options = [row for row in rows if row.name != _DEVICE]
            self._showOptions()

    def _showOptions(self) -> None:
        self._shown = withValues(self._options, optionsOf(self._state, self._method.id))
        self._view.showOptions(self._shown)

    def _optionsMoved(self) -> bool:
        return self._shown != withValues(self._options, optionsOf(self._state, self._method.id))

    def _showNothing(self) -> None:
        self._picture = None
        self._view.showResult([], None)
        self._view.showMessage("")
        self.refresh()

    def _newFolder(self) -> Path:
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="StrokeSAM-")
        # One for each run: the picture that is shown may be saved while the next is drawn.
        return Path(tempfile.mkdtemp(dir=self._folder.name))

    def _reason(self) -> str:
        """Why Apply cannot work now; empty when it can."""
        if self._job is not None:
            return "Segmentation is under way"
        if self._state is None:
            return "The scene is being closed"
        method = self._method
        if method.readiness() != "yes" and not method.missing_packages():  # packages are installed by Apply
            return f"{method.title}: {_lack(method)}"
        titles = {entry.key: entry.title for entry in method.inputs}
        given = inputsOf(self._state, _keys(method))
        for keys in method.needs:
            if not any(key in given for key in keys):
                return f"Select {' or '.join(titles[key] for key in keys)}"
        return ""

    def _refineReason(self) -> str:
        if self._job is not None:
            return "Segmentation is under way"
        if self._state is None or self._state.segmentation is None:
            return "Segment the lesion first, or select a segmentation"
        return ""

    def _finish(self, request: Any, outcome: Outcome, segmentationNode: Any | None) -> None:
        if self._state is None:
            return
        try:
            written = self._logic.apply(request, outcome.result, segmentationNode)
            if self._state.probability:
                self._logic.addProbability(request, outcome.result)
        except (StrokeSAMError, Cancelled) as error:
            self._view.showMessage(_said(error))
            return
        self._picture = outcome.picture
        self._view.showResult(outcome.rows, outcome.picture)
        self._view.showMessage("\n".join([*request.notes, *outcome.result.warnings]))
        self._state.segmentation = written

    def _end(self, show: Callable[[], None]) -> None:
        self._job = None
        self._view.setRunning(False)
        show()
        self.refresh()


def _keys(method: Method) -> tuple[str, ...]:
    return tuple(entry.key for entry in method.inputs)


def _known(id: str) -> Method:
    """The method called `id`; where none is chosen, or a scene names one that is not here, the best for CT."""
    try:
        return find_method(id)
    except OptionError:
        return choose_method(AUTO, ("ncct",))[0]


def _lack(method: Method) -> str:
    return f"not ready: {lackOf(method.readiness())}"


def _listed(method: Method) -> str:
    return method.title if method.readiness() == "yes" else f"{method.title} – {_lack(method)}"


def _said(error: BaseException) -> str:
    if isinstance(error, Cancelled):
        return "Cancelled: the volume is no longer in the scene"
    return inSlicer(str(error)) if isinstance(error, StrokeSAMError) else f"{type(error).__name__}: {error}"
