"""Sessions for the effect: how one is opened on the worker thread, and the copy of it that is drawn."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from StrokeSAMLib.core.errors import InputError
from StrokeSAMLib.core.monitor import Monitor
from StrokeSAMLib.ui.effect.clipped_line import clippedLine
from StrokeSAMLib.ui.messages import replaceCommands

if TYPE_CHECKING:
    import numpy as np
    import SimpleITK as sitk

    from StrokeSAMLib.imaging.geometry import Patch
    from StrokeSAMLib.interactive import Session
    from StrokeSAMLib.interactive.engines.base import Engine
    from StrokeSAMLib.interactive.prompts import Prompt
    from StrokeSAMLib.mrml.volumes import VolumeSnapshot


@dataclass(frozen=True)
class EngineChoice:
    """An engine, its device and its options."""

    id: str = "random-walker"
    device: str = "auto"
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class SessionRequest:
    """The inputs from which a session is opened.

    Attributes:
        volume: snapshot of the volume.
        engine: the engine of a new session.
        plane: the plane of the slices, as arguments of `interactive.Session`; empty for slices across the volume's
            thickest axis.
        document: the document of a saved session; it has its own engine and plane. None for a new session.
        prompts: the first prompts of a new session.
    """

    volume: VolumeSnapshot
    engine: EngineChoice
    plane: Mapping[str, Any] = field(default_factory=dict)
    document: Mapping[str, Any] | None = None
    prompts: tuple[Prompt, ...] = ()

    @property
    def engineId(self) -> str:
        """The id of the engine that the session will use."""
        return self.engine.id if self.document is None else str(self.document["engine"].get("id"))


@dataclass(frozen=True, eq=False)
class SessionView:
    """A copy of a session's state, for drawing and listing on the main thread.

    Attributes:
        prompts: prompts by number, LPS.
        slices: slice of each prompt (the first slice of a mask), by number; None if it acts on no slice.
        outlines: by slice, edges (n, 2, 2) of (column, row); see `interactive.outline`.
        affine: (column, row, slice) to LPS, 4 × 4.
        count: number of slices in the stack.
        canUndo: whether there is an action to undo.
        canRedo: whether there is an action to redo.
        document: the session's document, for the segment's tag.
        notes: notes for the user.
        device: the device on which the engine computes.
        memory: memory of the session when all slices are visited, bytes.
        answersIn3d: whether the engine answers in 3-D, so that it can answer while a prompt is dragged.
    """

    prompts: Mapping[int, Prompt]
    slices: Mapping[int, int | None]
    outlines: Mapping[int, np.ndarray]
    affine: np.ndarray
    count: int
    canUndo: bool
    canRedo: bool
    document: Mapping[str, Any]
    notes: tuple[str, ...]
    device: str
    memory: int
    answersIn3d: bool


class Engines:
    """Keeps the last engine with its features until another one is loaded. Use it on one thread only."""

    def __init__(self) -> None:
        self._key: str | None = None
        self._engine: Engine | None = None

    def load(self, id: str, weights: Path | None, device: str, options: Mapping[str, Any]) -> Engine:
        """Return the engine, loaded if it is not the last one. Arguments as in `engines.registry.load_engine`."""
        from StrokeSAMLib.interactive.engines.registry import load_engine

        key = repr((id, weights, device, sorted(options.items())))
        if key != self._key:
            self._engine = self._key = None  # frees memory before the next engine is loaded
            self._engine = load_engine(id, weights, device, options)
            self._key = key
        return self._engine

    def open(self, request: SessionRequest, monitor: Monitor) -> PromptSession:
        """Open a new session, or replay the saved session of the request's document.

        Raises:
            InputError: the volume or the weights cannot be used, or they are not those of the document.
            OptionError: there is no such engine, device or plane.
        """
        from StrokeSAMLib.interactive import Session

        choice = request.engine
        try:
            image = request.volume.image()
            if request.document is not None:
                return PromptSession(self._replayed(request, image, monitor))
            engine = self.load(choice.id, None, choice.device, choice.options)
            session = Session(image, engine, **request.plane)
            for prompt in request.prompts:
                session.add(prompt)
            return PromptSession(session)
        except InputError as error:
            raise InputError(replaceCommands(str(error.with_names({"volume": request.volume.name})))) from None

    def _replayed(self, request: SessionRequest, image: sitk.Image, monitor: Monitor) -> Session:
        from StrokeSAMLib.interactive.record import replay

        return replay(request.document, image, None, request.engine.device, monitor, self.load)


class SessionHolder:
    """Holds the session of one segment once it is open. Use it on the worker thread, except where noted."""

    def __init__(self, engines: Engines):
        self._engines = engines
        self._session: PromptSession | None = None
        self._closed = False

    def open(self, request: SessionRequest, monitor: Monitor) -> PromptSession:
        """Return the session; open it if it is not open yet."""
        if self._session is None:
            self._session = self._engines.open(request, monitor)
        return self._session

    def view(self) -> SessionView | None:
        """A copy of the session's state; None before it is open."""
        return None if self._session is None else self._session.view()

    def preview(self, prompt: Prompt, number: int | None) -> dict[int, np.ndarray]:
        """See `PromptSession.preview`; nothing before the session is open."""
        return {} if self._session is None else self._session.preview(prompt, number)

    def encodeAhead(self, monitor: Monitor) -> None:
        """Start to encode the slices around the first prompt in the background."""
        if self._session is not None and not self._closed:
            session = self._session.session
            slices = [k for k in session.prompt_slices().values() if k is not None]
            session.encodings.encode_ahead(slices[0] if slices else len(session.stack) // 2)

    @property
    def encodingAhead(self) -> bool:
        """Whether slices are being encoded in the background. Any thread may read it."""
        return self._session is not None and self._session.session.encodings.encodes_ahead

    def close(self) -> None:
        """Stop the work in the background without waiting for its end. Any thread may call it."""
        self._closed = True
        if self._session is not None:
            self._session.session.encodings.stop_ahead(wait=False)


class PromptSession:
    """A session that keeps the outlines of its slices until they change. Use it on one thread only.

    Attributes:
        session: the session of the library.
    """

    def __init__(self, session: Session):
        self.session = session
        self._outlines: dict[int, tuple[tuple[object, ...], np.ndarray]] = {}

    def view(self) -> SessionView:
        """A copy of the session's current state."""
        from StrokeSAMLib.interactive.engines.base import VolumeEngine
        from StrokeSAMLib.interactive.record import to_document

        session = self.session
        return SessionView(
            prompts=session.prompts,
            slices=session.prompt_slices(),
            outlines=self._allOutlines(),
            affine=session.stack.affine.copy(),
            count=len(session.stack),
            canUndo=session.can_undo,
            canRedo=session.can_redo,
            document=to_document(session),
            notes=session.notes,
            device=str(session.encodings.engine.device),
            memory=session.encodings.memory_needed(),
            answersIn3d=isinstance(session.encodings.engine, VolumeEngine),
        )

    def add(self, prompt: Prompt) -> int:
        """Add a prompt as `Session.add` does; a line that leaves the volume is clipped."""
        return self.session.add(clippedLine(prompt, self.session.stack))

    def change(self, number: int, prompt: Prompt) -> None:
        """Replace a prompt as `Session.change` does; a line that leaves the volume is clipped."""
        self.session.change(number, clippedLine(prompt, self.session.stack))

    def preview(self, prompt: Prompt, number: int | None) -> dict[int, np.ndarray]:
        """The outlines after `add`, or after `change` of prompt `number`, while the session stays as it is.

        Returns:
            By slice, also for slices that would lose their outline; see `SessionView.outlines`.
        """
        import numpy as np

        from StrokeSAMLib.interactive.outline import outline

        masks = self.session.preview(clippedLine(prompt, self.session.stack), number)
        none = dict.fromkeys(self.session.slices(), np.zeros((0, 2, 2), np.float32))
        return {**none, **{k: outline(mask) for k, mask in masks.items()}}

    def propagate(self, plan: Mapping[str, Any], monitor: Monitor, onSlice: Callable[[int, np.ndarray], None]) -> int:
        """Propagate as `Session.propagate` does.

        Args:
            plan: settings of the propagation.
            monitor: progress and cancellation.
            onSlice: called with the number and the outline of each visited slice.

        Returns:
            The number of visited slices.
        """
        from StrokeSAMLib.interactive.outline import outline

        self.session.encodings.stop_ahead()
        return self.session.propagate(monitor=monitor, on_slice=lambda k, mask: onSlice(k, outline(mask)), **plan)

    def patch(self) -> Patch:
        """The object, on the grid of the volume's image."""
        from StrokeSAMLib.imaging.geometry import patch_of

        return patch_of(self.session.mask())

    def _allOutlines(self) -> dict[int, np.ndarray]:
        from StrokeSAMLib.interactive.outline import outline

        outlines = {}
        for k, parts in self.session.slice_parts().items():
            entry = self._outlines.get(k)
            if entry is None or list(map(id, entry[0])) != list(map(id, parts)):
                entry = (parts, outline(self.session.slice_mask(k)))
            outlines[k] = entry
        self._outlines = outlines
        return {k: edges for k, (_, edges) in outlines.items() if len(edges)}
