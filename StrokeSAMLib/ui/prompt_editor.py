"""What the effect does, without Qt: prompts in, previews and a written segment out, the work on a worker thread."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol

import slicer

from StrokeSAMLib.errors import InputError, StrokeSAMError
from StrokeSAMLib.jobs import Job, Worker
from StrokeSAMLib.monitor import Monitor
from StrokeSAMLib.mrml.contribution import Contribution
from StrokeSAMLib.mrml.interactive import savedSession, saveSession, segmentImage
from StrokeSAMLib.mrml.segments import labelmapForSegmentation, segmentLabelmap
from StrokeSAMLib.mrml.volumes import placeOf, snapshotOf
from StrokeSAMLib.ui.prompt_session import EngineChoice, Engines, Held, Opening, PromptSession, Shown

if TYPE_CHECKING:
    from StrokeSAMLib.imaging.geometry import Patch
    from StrokeSAMLib.interactive.prompts import Prompt

Plane = tuple[Any, Any]
Action = Callable[[PromptSession, Monitor], Any]
NO_PLANE: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True)
class Target:
    """The segment that is worked on, and the volume that is looked at; all three in the scene."""

    volumeNode: slicer.vtkMRMLScalarVolumeNode
    segmentationNode: slicer.vtkMRMLSegmentationNode
    segmentId: str

    @property
    def segment(self) -> slicer.vtkSegment | None:
        """The segment, None once it is gone."""
        return self.segmentationNode.GetSegmentation().GetSegment(self.segmentId)

    @property
    def present(self) -> bool:
        """Whether all of it is still in the scene."""
        nodes = (self.volumeNode, self.segmentationNode)
        return all(node.GetScene() is not None for node in nodes) and self.segment is not None


class View(Protocol):
    """What the editor needs of the effect."""

    def showState(self) -> None:
        """Bring list, buttons and slice views in line with the editor."""

    def showMessage(self, text: str) -> None:
        """Say what went wrong, or what to know; empty for nothing. Never a pop-up."""

    def showProgress(self, fraction: float, text: str) -> None:
        """Show how far the work is, 0…1."""

    def prepareEngine(self, id: str) -> bool:
        """See to it that what the engine needs is installed; whether it is."""

    def write(self, compose: Callable[[slicer.vtkOrientedImageData], None]) -> bool:
        """Save the state for undo, let `compose` fill an empty modifier labelmap, set the segment to it; whether so."""


class PromptEditor:
    """Every method is called on the main thread, and `poll` from a timer while `busy`.

    Attributes:
        shown: the session as it is to be drawn; None without one.
        saved: prompts that are saved with the segment and not open yet.
        live: outlines that came since, by slice: a propagation under way.
        selected: number of the selected prompt.
        running: what the worker does, "" for nothing.
    """

    def __init__(self, view: View, worker: Worker, engines: Engines):
        """`worker` and `engines` outlive the editor, so that a network is loaded once."""
        self._view = view
        self._worker = worker
        self._engines = engines
        self._engine = EngineChoice()
        self._target: Target | None = None
        self._forget()

    def _forget(self) -> None:
        self._held = Held(self._engines)
        self._place: object = None
        self._document: Mapping[str, Any] | None = None
        self._contribution = Contribution()
        self._avoided: list[int] = []
        self._carried: tuple[Prompt, ...] = ()
        self._jobs = 0
        self.shown: Shown | None = None
        self.saved: Mapping[int, Prompt] = {}
        self.live: dict[int, Any] = {}
        self._drawn = 0
        self.selected: int | None = None
        self.running = ""

    @property
    def busy(self) -> bool:
        """Whether work is under way, slices encoded ahead too, and `poll` must be called."""
        return self._worker.busy or self._held.encodesAhead

    @property
    def target(self) -> Target | None:
        """What is worked on."""
        return self._target

    @property
    def prompts(self) -> Mapping[int, Prompt]:
        """The prompts by number, LPS, of the session or as saved."""
        return self.shown.prompts if self.shown is not None else self.saved

    @property
    def engine(self) -> EngineChoice:
        """The engine for new sessions."""
        return self._engine

    def setTarget(self, target: Target | None) -> None:
        """Work on another segment, or none: what is under way is cancelled, the segment's saved prompts are shown."""
        if target == self._target:
            return
        self._save()  # Slicer's undo puts an older tag back, too
        self.reset()
        self._target = target
        if target is not None:
            self._read(target)
        self._view.showState()

    def setEngine(self, choice: EngineChoice) -> None:
        """Choose the engine. It is asked all prompts that there are; what was propagated goes from the preview."""
        if choice == self._engine:
            return
        prompts, document, contribution = self.prompts, self._document, self._contribution
        self._engine = choice
        if not prompts:
            return
        self._drop()
        self._contribution, self._document = contribution, document
        self.saved, self._carried = prompts, tuple(prompts.values())
        self._do("Segmenting", lambda session, monitor: None)

    def reset(self) -> None:
        """Cancel, and forget the session; what is written and saved with the segment stays."""
        self._drop()
        self._target = None
        self._view.showMessage("")

    def _drop(self) -> None:
        self._worker.cancel_all()
        self._held.close()
        self._forget()

    def poll(self, patience: float = 0.0) -> None:
        """Hear of the worker's progress and results, waiting `patience` seconds for them."""
        self._worker.poll(patience)
        if self._drawn != len(self.live):  # once, however many slices came
            self._drawn = len(self.live)
            self._view.showState()

    def add(self, prompt: Prompt, plane: Plane) -> None:
        """Add a prompt that was drawn in a view with this plane (normal and right, LPS)."""
        normal, right = plane
        view = {"normal": normal, "right": right}
        self._do("Segmenting", lambda session, monitor: session.session.add(prompt), view)

    def change(self, number: int, prompt: Prompt) -> None:
        """Put another prompt in the place of prompt `number`: it was moved."""
        self._do("Segmenting", lambda session, monitor: session.session.change(number, prompt))

    def delete(self, number: int | None = None) -> None:
        """Delete a prompt; the selected one by default."""
        number = self.selected if number is None else number
        if number in self.prompts:
            self.selected = None
            self._do("Segmenting", lambda session, monitor: session.session.remove(number))

    def clear(self) -> None:
        """Start anew: without prompts, in whatever view and with whatever engine comes next. The segment stays."""
        target = self._target
        self.reset()
        self._target = target
        if target is not None and target.present:
            saveSession(target.segmentationNode, target.segmentId, {"actions": []})
        self._view.showState()

    def select(self, number: int | None) -> None:
        """Select a prompt, to be moved or deleted; None for none."""
        self.selected = number
        self._view.showState()

    def undo(self) -> None:
        """Take back the last prompt or propagation."""
        self._do("Undoing", lambda session, monitor: session.session.undo())

    def redo(self) -> None:
        """Do again what was taken back."""
        self._do("Redoing", lambda session, monitor: session.session.redo())

    def refine(self) -> None:
        """Start from what the segment holds: it becomes a mask prompt, and the session's to change."""
        from StrokeSAMLib.interactive import Mask

        if not self._usable():
            return
        held = segmentLabelmap(self._target.segmentationNode, self._target.segmentId)
        mask = segmentImage(self._target.segmentationNode, self._target.segmentId)
        contribution = self._contribution
        self._do(
            "Starting from the segment",
            lambda session, monitor: session.session.add(Mask(mask)),
            done=lambda number: contribution.adopt(held),
        )

    def avoid(self, segmentIds: list[str]) -> None:
        """Make these segments places where the object is not, in the stead of those before."""
        from StrokeSAMLib.interactive import Mask

        if not self._usable():
            return
        images = [segmentImage(self._target.segmentationNode, each) for each in segmentIds]
        former, self._avoided = self._avoided, []

        def work(session: PromptSession, monitor: Monitor) -> list[int]:
            for number in former:
                if number in session.session.prompts:
                    session.session.remove(number)
            return [session.session.add(Mask(image, positive=False)) for image in images]

        self._do("Looking at the other segments", work, done=self._avoided.extend)

    def propagate(self, **plan: Any) -> None:
        """Propagate (see `interactive.Plan`), and write the result into the segment."""
        if not (self.prompts or self.running):
            self._view.showMessage("Add a box or a point first.")
            return
        held = self._held

        def seen(k: int, edges: Any) -> None:
            # On the worker: what it tells the main thread goes through its queue.
            self._worker.tell(lambda: held is self._held and self._onSlice(k, edges))

        self._do(
            "Propagating",
            lambda session, monitor: session.propagate(plan, monitor, seen),
            done=lambda visited: self.apply(),
        )

    def cancel(self) -> None:
        """Stop what is under way, at the next slice. Slices that were reached are kept as a preview."""
        self._worker.cancel_all()

    def apply(self) -> None:
        """Write what is shown into the segment."""
        if self.shown is None and not self.running:
            self._view.showMessage("There is nothing to write yet.")
            return
        self._do("Writing", lambda session, monitor: session.patch(), done=self._write)

    def _read(self, target: Target) -> None:
        """What is saved with the segment; its session is opened in the background."""
        from StrokeSAMLib.interactive.record import prompts_of

        try:
            self._document = savedSession(target.segment)
            self.saved = prompts_of(self._document) if self._document else {}
        except InputError as error:
            self._document, self.saved = None, {}
            self._view.showMessage(str(error))
            return
        if self._document:
            options = {name: value for name, value in self._document["engine"].items() if name not in ("id", "weights")}
            self._engine = replace(self._engine, id=self._document["engine"]["id"], options=options)
            # What it made is in the segment.
            self._contribution.adopt(segmentLabelmap(target.segmentationNode, target.segmentId))
            self._do("Reopening the prompts", lambda session, monitor: None)

    def _usable(self) -> bool:
        target = self._target
        if target is None:
            self._view.showMessage("Select a volume and a segment first.")
        elif not target.present:
            self.reset()
            self._view.showState()
        return self._target is not None

    def _do(
        self,
        what: str,
        action: Action,
        plane: Mapping[str, Any] = NO_PLANE,
        done: Callable[[Any], None] = lambda found: None,
    ) -> None:
        """Let the worker do `action` on the session, opened if there is none; show what came of it."""
        if not self._usable():
            return
        try:
            opening = self._opening(plane)
        except StrokeSAMError as error:
            self._view.showMessage(str(error))
            return
        held = self._held
        if self.shown is None and not self._view.prepareEngine(opening.engineId):
            return
        # Slicer goes on while packages are installed: by now it may be another segment, or another scene.
        if held is not self._held or not self._usable():
            return

        def work(monitor: Monitor) -> tuple[Any, Shown]:
            session = held.open(opening, monitor)
            found = action(session, monitor)
            return found, session.shown()

        def finished(result: tuple[Any, Shown]) -> None:
            if held is self._held:
                self._jobs -= 1
                self._end(result[1])
                done(result[0])

        def failed(error: BaseException) -> None:
            if held is self._held:
                self._view.showMessage(_said(error))
                if self.shown is None and not self._carried:
                    # What was saved cannot be gone on with; the tag keeps it until there are other prompts.
                    self._document, self.saved = None, {}
                self._refresh(held)

        def cancelled() -> None:
            if held is self._held:
                self._view.showMessage("Cancelled.")
                self._refresh(held)

        self.running = what
        self._jobs += 1
        self._view.showMessage("")
        self._worker.submit(Job(work, finished, failed, cancelled, self._view.showProgress))
        self._view.showState()

    def _opening(self, plane: Mapping[str, Any]) -> Opening:
        """What a session is opened from, should there be none; the volume must be what it was."""
        volume = self._target.volumeNode
        place = placeOf(volume)
        if self._place is not None and place != self._place:
            self.clear()
            raise InputError(f"{volume.GetName()}: the volume or its transform changed; prompts start anew")
        self._place = place
        if self._carried:
            return Opening(snapshotOf(volume), self._engine, self._document["plane"], prompts=self._carried)
        return Opening(snapshotOf(volume), self._engine, plane, self._document)

    def _refresh(self, held: Held) -> None:
        """After a failure or a cancellation: show the session as it is now, if there is one."""

        def finished(shown: Shown | None) -> None:
            if held is self._held:
                self._jobs -= 1
                self._end(shown)

        def unknown(error: BaseException | None = None) -> None:
            finished(None)

        self._worker.submit(Job(lambda monitor: held.shown(), finished, unknown, unknown))

    def _end(self, shown: Shown | None) -> None:
        self.live, self._drawn = {}, 0
        if shown is not None:
            if self.shown is None:
                self._worker.submit(Job(self._held.ahead))
            known = self.shown.notes if self.shown is not None else ()
            self.shown, self._document, self._carried = shown, shown.document, ()
            self._save()
            if shown.notes != known:
                self._view.showMessage("\n".join(shown.notes))
        if self.selected not in self.prompts:
            self.selected = None
        if self._jobs == 0:
            self.running = ""
        self._view.showState()

    def _save(self) -> None:
        """Keep the session with its segment."""
        target = self._target
        if self.shown is not None and target is not None and target.present:
            saveSession(target.segmentationNode, target.segmentId, self.shown.document)

    def _onSlice(self, k: int, edges: Any) -> None:
        self.live[k] = edges

    def _write(self, patch: Patch) -> None:
        target = self._target
        if not self._usable():
            return
        try:
            labelmap = labelmapForSegmentation(patch, target.volumeNode, target.segmentationNode)
        except InputError as error:
            self._view.showMessage(str(error))
            return
        present = segmentLabelmap(target.segmentationNode, target.segmentId)
        if self._view.write(lambda modifier: self._contribution.fill(modifier, present, labelmap)):
            self._contribution.written(segmentLabelmap(target.segmentationNode, target.segmentId))


def _said(error: BaseException) -> str:
    return str(error) if isinstance(error, StrokeSAMError) else f"{type(error).__name__}: {error}"
