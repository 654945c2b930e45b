"""The effect's logic without Qt: edits the prompts of a segment, previews the result and writes the segment."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import slicer

from StrokeSAMLib.core.errors import InputError, StrokeSAMError
from StrokeSAMLib.core.jobs import Worker
from StrokeSAMLib.interactive.engines.registry import ENGINES, find_engine
from StrokeSAMLib.mrml.contribution import Contribution
from StrokeSAMLib.mrml.coverage import checkCovered
from StrokeSAMLib.mrml.interactive import savedSession, saveSession, segmentImage
from StrokeSAMLib.mrml.other_segments import SegmentsSnapshot
from StrokeSAMLib.mrml.segments import labelmapForSegmentation, segmentLabelmap
from StrokeSAMLib.mrml.volumes import snapshotOf, volumeState
from StrokeSAMLib.ui.effect.avoided_mask import replaceAvoidedMask
from StrokeSAMLib.ui.effect.editor_view import EditorView
from StrokeSAMLib.ui.effect.prompt_session import EngineChoice, Engines, SessionRequest, SessionView
from StrokeSAMLib.ui.effect.session_runner import Action, SessionRunner
from StrokeSAMLib.ui.messages import errorMessage
from StrokeSAMLib.ui.translation import tr as _

if TYPE_CHECKING:
    from StrokeSAMLib.imaging.geometry import Patch
    from StrokeSAMLib.interactive.prompts import Prompt

Plane = tuple[Any, Any]
NO_PLANE: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True)
class Target:
    """The segment that is edited and its source volume. All of them are in the scene when the target is created."""

    volumeNode: slicer.vtkMRMLScalarVolumeNode
    segmentationNode: slicer.vtkMRMLSegmentationNode
    segmentId: str

    @property
    def segment(self) -> slicer.vtkSegment | None:
        """The segment; None after it was removed."""
        return self.segmentationNode.GetSegmentation().GetSegment(self.segmentId)

    @property
    def present(self) -> bool:
        """Whether volume, segmentation and segment are still in the scene."""
        nodes = (self.volumeNode, self.segmentationNode)
        return all(node.GetScene() is not None for node in nodes) and self.segment is not None


class PromptEditor:
    """Edits the prompts of one segment at a time. The session runs on a worker.

    Call every method on the main thread. While `busy`, a timer must call `poll`.

    Attributes:
        saved: prompts that are saved with the segment, by number, until its session is open.
        selected: number of the selected prompt; None for none.
    """

    def __init__(self, view: EditorView, worker: Worker, engines: Engines):
        """Create an editor without a target.

        Args:
            view: shows the editor's state and writes segments.
            worker: runs the session. It outlives the editor.
            engines: load engines. They outlive the editor, so that a network is loaded only once.
        """
        self._view = view
        self._worker = worker
        self._engines = engines
        self._engine = EngineChoice()
        self._target: Target | None = None
        self._forget()

    def _forget(self) -> None:
        self._runner = SessionRunner(self._view, self._worker, self._engines, self._onEnd, self._onFailure)
        self._volumeState: object = None
        self._document: Mapping[str, Any] | None = None
        self._contribution = Contribution()
        self._firstPrompts: tuple[Prompt, ...] = ()
        self.saved: Mapping[int, Prompt] = {}
        self.selected: int | None = None

    @property
    def busy(self) -> bool:
        """Whether work is running or slices are being encoded ahead, so that `poll` must be called."""
        return self._worker.busy or self._runner.encodingAhead

    @property
    def target(self) -> Target | None:
        """The segment that is edited."""
        return self._target

    @property
    def sessionView(self) -> SessionView | None:
        """The session's state for drawing; None before the session is open."""
        return self._runner.sessionView

    @property
    def live(self) -> Mapping[int, Any]:
        """Outlines from a running propagation, or of the answer to a prompt that is being dragged, by slice."""
        return self._runner.live

    @property
    def running(self) -> str:
        """Text that describes the running action; "" if there is none."""
        return self._runner.running

    @property
    def prompts(self) -> Mapping[int, Prompt]:
        """The prompts by number, LPS: those of the session, or the saved ones before it is open."""
        return self.sessionView.prompts if self.sessionView is not None else self.saved

    @property
    def engine(self) -> EngineChoice:
        """The engine for new sessions."""
        return self._engine

    @property
    def accepts(self) -> frozenset[str]:
        """The kinds of prompts that the engine takes; see `prompts.KINDS`."""
        return find_engine(self._engine.id).accepts

    def setTarget(self, target: Target | None) -> None:
        """Edit another segment, or none. Running work is cancelled, and the segment's saved prompts are shown."""
        if target == self._target:
            return
        self._save()  # Slicer's undo may have restored an older tag
        self.reset()
        self._target = target
        if target is not None:
            self._read(target)
        self._view.showState()

    def setEngine(self, choice: EngineChoice) -> None:
        """Choose the engine. It predicts from all existing prompts; propagated slices are removed from the preview."""
        if choice == self._engine:
            return
        prompts, document, contribution = self.prompts, self._document, self._contribution
        self._engine = choice
        if not prompts:
            return
        self._drop()
        self._contribution, self._document = contribution, document
        self.saved, self._firstPrompts = prompts, tuple(prompts.values())
        self._run(_("Segmenting"), lambda session, monitor: None)

    def reset(self) -> None:
        """Cancel running work and close the session. The segment and its saved prompts stay."""
        self._drop()
        self._target = None
        self._view.showMessage("")

    def _drop(self) -> None:
        self._worker.cancel_all()
        self._runner.close()
        self._forget()

    def poll(self, patience: float = 0.0) -> None:
        """Run the worker's callbacks, and wait `patience` seconds for them."""
        self._worker.poll(patience)
        self._runner.drawLive()

    def add(self, prompt: Prompt, plane: Plane) -> None:
        """Add a prompt that was drawn in a view with this plane (normal and direction to the right, LPS)."""
        normal, right = plane
        self._run(_("Segmenting"), lambda session, monitor: session.add(prompt), {"normal": normal, "right": right})

    def change(self, number: int, prompt: Prompt) -> None:
        """Replace prompt `number`, because it was moved."""
        self._run(_("Segmenting"), lambda session, monitor: session.change(number, prompt))

    def preview(self, prompt: Prompt, number: int | None = None) -> None:
        """Show in `live` the answer to a prompt that is being dragged, if the open session's engine answers in 3-D.

        Args:
            prompt: the prompt.
            number: the number of the prompt that it replaces; None for a new one.
        """
        if self.sessionView is not None and self.sessionView.answersIn3d:
            self._runner.preview(prompt, number)

    def endPreview(self) -> None:
        """Show the present state again, because a drag ended without a change."""
        self._runner.endPreview()

    def delete(self, number: int | None = None) -> None:
        """Delete prompt `number`, or the selected one."""
        number = self.selected if number is None else number
        if number in self.prompts:
            self.selected = None
            self._run(_("Segmenting"), lambda session, monitor: session.session.remove(number))

    def clear(self) -> None:
        """Remove all prompts, so that the next prompt opens a new session. The segment stays."""
        target = self._target
        self.reset()
        self._target = target
        if target is not None and target.present:
            saveSession(target.segmentationNode, target.segmentId, {"actions": []})
        self._view.showState()

    def select(self, number: int | None) -> None:
        """Select a prompt; None for none."""
        self.selected = number
        self._view.showState()

    def undo(self) -> None:
        """Undo the last prompt or propagation."""
        self._run(_("Undoing"), lambda session, monitor: session.session.undo())

    def redo(self) -> None:
        """Redo the last prompt or propagation that was undone."""
        self._run(_("Redoing"), lambda session, monitor: session.session.redo())

    def refine(self) -> None:
        """Start from the segment's content. It becomes a mask prompt, and the next result replaces it."""
        from StrokeSAMLib.interactive import Mask

        if not self._checkTarget():
            return
        labelmap = segmentLabelmap(self._target.segmentationNode, self._target.segmentId)
        mask = segmentImage(self._target.segmentationNode, self._target.segmentId)
        contribution = self._contribution
        self._run(
            _("Starting from the segment"),
            lambda session, monitor: session.session.add(Mask(mask)),
            onResult=lambda number: contribution.adopt(labelmap),
        )

    def avoid(self, segmentIds: list[str]) -> None:
        """Keep the object out of these segments, and no longer out of the segments of an earlier call."""
        if not self._checkTarget():
            return
        snapshot = SegmentsSnapshot.of(self._target.segmentationNode, segmentIds)
        self._run(
            _("Reading the other segments"),
            lambda session, monitor: replaceAvoidedMask(session.session, snapshot.image()),
        )

    def propagate(self, **plan: Any) -> None:
        """Propagate (see `interactive.Session.propagate` for the settings) and write the result into the segment."""
        if not (self.prompts or self.running):
            self._view.showMessage(_("Add a box or a point first."))
            return
        runner = self._runner
        self._run(
            _("Propagating"),
            lambda session, monitor: session.propagate(plan, monitor, runner.onSlice),
            onResult=lambda visited: self.apply(),
        )

    def cancel(self) -> None:
        """Stop running work at the next slice. The slices that were visited stay in the preview."""
        self._worker.cancel_all()

    def apply(self) -> None:
        """Write the preview into the segment."""
        if self.sessionView is None and not self.running:
            self._view.showMessage(_("There is nothing to write yet."))
            return
        self._run(_("Writing"), lambda session, monitor: session.patch(), onResult=self._write)

    def _read(self, target: Target) -> None:
        """Read the prompts that are saved with the segment, and reopen their session in the background."""
        from StrokeSAMLib.interactive.record import prompts_of

        try:
            self._document = savedSession(target.segment)
            self.saved = prompts_of(self._document) if self._document else {}
        except InputError as error:
            self._document, self.saved = None, {}
            self._view.showMessage(errorMessage(error))
            return
        if self._document:
            # The segment holds the session's earlier result.
            self._contribution.adopt(segmentLabelmap(target.segmentationNode, target.segmentId))
            self._reopen(dict(self._document["engine"]))

    def _reopen(self, engine: dict[str, Any]) -> None:
        """Reopen the saved session with its engine, or keep its prompts for another engine or revision.

        The tag stays as it is until a prompt is set, so that a version with that engine can still reopen it.
        """
        id, revision = engine.pop("id", None), engine.pop("revision", 1)
        engine.pop("weights", None)
        if any((entry.id, entry.revision) == (id, revision) for entry in ENGINES):
            self._engine = replace(self._engine, id=id, options=engine)
            self._run(_("Reopening the prompts"), lambda session, monitor: None)
            return
        self._firstPrompts = tuple(self.saved.values())
        self._view.showMessage(
            _(
                "The prompts were set with the engine {id} of another version. "
                "The next prompt segments them with {other}."
            ).format(id=id, other=self._engine.id)
        )

    def _checkTarget(self) -> bool:
        """Whether there is a target. A target that is no longer in the scene is reset."""
        target = self._target
        if target is None:
            self._view.showMessage(_("Select a volume and a segment first."))
        elif not target.present:
            self.reset()
            self._view.showState()
        return self._target is not None

    def _run(
        self,
        text: str,
        action: Action,
        plane: Mapping[str, Any] = NO_PLANE,
        onResult: Callable[[Any], None] = lambda result: None,
    ) -> None:
        """Run `action` on the session, which is opened if necessary. See `SessionRunner.run`."""
        if not self._checkTarget():
            return
        try:
            request = self._request(plane)
        except StrokeSAMError as error:
            self._view.showMessage(errorMessage(error))
            return
        runner = self._runner
        if self.sessionView is None and not self._view.prepareEngine(request.engineId):
            return
        # Slicer handles events during an installation: the user may have selected another segment or closed the scene.
        if runner.closed or not self._checkTarget():
            return
        runner.run(text, request, action, onResult)

    def _request(self, plane: Mapping[str, Any]) -> SessionRequest:
        """The inputs of a session, if none is open.

        Raises:
            InputError: the volume or its transform changed since the first prompt.
        """
        volume = self._target.volumeNode
        state = volumeState(volume)
        if self._volumeState is not None and state != self._volumeState:
            self.clear()
            raise InputError(f"{volume.GetName()}: the volume or its transform changed; its prompts were removed")
        self._volumeState = state
        if self._firstPrompts:
            return SessionRequest(snapshotOf(volume), self._engine, self._document["plane"], prompts=self._firstPrompts)
        return SessionRequest(snapshotOf(volume), self._engine, plane, self._document)

    def _onFailure(self) -> None:
        if self.sessionView is None and not self._firstPrompts:
            # The saved session cannot be reopened. The tag keeps it until new prompts are saved.
            self._document, self.saved = None, {}

    def _onEnd(self, sessionView: SessionView | None) -> None:
        if sessionView is not None:
            self._document, self._firstPrompts = sessionView.document, ()
            self._save()
        if self.selected not in self.prompts:
            self.selected = None
        self._view.showState()

    def _save(self) -> None:
        """Save the session in its segment's tag."""
        target = self._target
        if self.sessionView is not None and target is not None and target.present:
            saveSession(target.segmentationNode, target.segmentId, self.sessionView.document)

    def _write(self, patch: Patch) -> None:
        target = self._target
        if not self._checkTarget():
            return
        try:
            labelmap = labelmapForSegmentation(patch, target.volumeNode, target.segmentationNode)
            current = segmentLabelmap(target.segmentationNode, target.segmentId)

            def compose(modifier: slicer.vtkOrientedImageData) -> bool:
                checkCovered(modifier, labelmap, target.segmentationNode.GetName())
                return self._contribution.compose(modifier, current, labelmap)

            isWritten = self._view.write(compose)
        except StrokeSAMError as error:
            self._view.showMessage(errorMessage(error))
            return
        if isWritten:
            self._contribution.recordWritten(segmentLabelmap(target.segmentationNode, target.segmentId))
