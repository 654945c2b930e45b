"""The session behind the effect, on the worker thread: what it is opened from, and what of it is shown."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from StrokeSAMLib.errors import InputError
from StrokeSAMLib.monitor import Monitor
from StrokeSAMLib.ui.in_slicer import inSlicer

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
    """An engine, and how it is to run."""

    id: str = "random-walker"
    device: str = "auto"
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Opening:
    """What a session is opened from.

    Attributes:
        volume: the volume as it is now.
        engine: for a new session.
        plane: of the slices, as `interactive.Session` takes it; none for the volume's thickest axis.
        document: of a session to be gone on with; it has its own engine and plane.
        prompts: that a new session begins with.
    """

    volume: VolumeSnapshot
    engine: EngineChoice
    plane: Mapping[str, Any] = field(default_factory=dict)
    document: Mapping[str, Any] | None = None
    prompts: tuple[Prompt, ...] = ()

    @property
    def engineId(self) -> str:
        """The engine that it will need."""
        return self.engine.id if self.document is None else str(self.document["engine"].get("id"))


@dataclass(frozen=True, eq=False)
class Shown:
    """A session as it is drawn and listed: copies, for the main thread.

    Attributes:
        prompts: by number, LPS.
        slices: the slice of each prompt (the first of a mask's); None where it acts on none.
        outlines: by slice, edges (n, 2, 2) of (column, row); see `interactive.outline`.
        affine: (column, row, slice) to LPS, 4 × 4.
        count: slices in the stack.
        document: for the segment's tag.
        notes: what the user should know.
        device: on which the engine computes.
        memory: what the session takes when all slices are visited, bytes.
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


class Engines:
    """The engine in use, kept while the choice stays, and with it the features that it made. On one thread."""

    def __init__(self) -> None:
        self._key: str | None = None
        self._engine: Engine | None = None

    def load(self, id: str, weights: Path | None, device: str, options: Mapping[str, Any]) -> Engine:
        """As `interactive.engines.registry.load_engine`, the last one again where nothing changed."""
        from StrokeSAMLib.interactive.engines.registry import load_engine

        key = repr((id, weights, device, sorted(options.items())))
        if key != self._key:
            self._engine = self._key = None  # makes room before the next is loaded
            self._engine = load_engine(id, weights, device, options)
            self._key = key
        return self._engine

    def open(self, opening: Opening, monitor: Monitor) -> PromptSession:
        """A new session, or the document's done again.

        Raises:
            InputError: the volume or the weights cannot be used, or are not the document's.
            OptionError: no such engine, device or plane.
        """
        from StrokeSAMLib.interactive import Session

        choice = opening.engine
        try:
            image = opening.volume.image()
            if opening.document is not None:
                return PromptSession(self._replayed(opening, image, monitor))
            engine = self.load(choice.id, None, choice.device, choice.options)
            session = Session(image, engine, **opening.plane)
            for prompt in opening.prompts:
                session.add(prompt)
            return PromptSession(session)
        except InputError as error:
            raise InputError(inSlicer(str(error.naming({"volume": opening.volume.name})))) from None

    def _replayed(self, opening: Opening, image: sitk.Image, monitor: Monitor) -> Session:
        from StrokeSAMLib.interactive.record import replay

        return replay(opening.document, image, None, opening.engine.device, monitor, self.load)


class Held:
    """The session of one segment, if it is open yet. On the worker's thread, but where it says."""

    def __init__(self, engines: Engines):
        self._engines = engines
        self._session: PromptSession | None = None
        self._closed = False

    def open(self, opening: Opening, monitor: Monitor) -> PromptSession:
        """The session; opened now if it was not."""
        if self._session is None:
            self._session = self._engines.open(opening, monitor)
        return self._session

    def shown(self) -> Shown | None:
        """What there is to see; None without a session."""
        return None if self._session is None else self._session.shown()

    def ahead(self, monitor: Monitor) -> None:
        """Encode the slices around the first prompt, in the background."""
        if self._session is not None and not self._closed:
            session = self._session.session
            slices = [k for k in session.prompt_slices().values() if k is not None]
            session.encodings.encode_ahead(slices[0] if slices else len(session.stack) // 2)

    @property
    def encodesAhead(self) -> bool:
        """Whether slices are being encoded in the background. From any thread."""
        return self._session is not None and self._session.session.encodings.encodes_ahead

    def close(self) -> None:
        """End what runs in the background, without waiting for it. From any thread."""
        self._closed = True
        if self._session is not None:
            self._session.session.encodings.stop_ahead(wait=False)


class PromptSession:
    """A session whose outlines are made once for each answer. On one thread."""

    def __init__(self, session: Session):
        self.session = session
        self._outlines: dict[int, tuple[tuple[object, ...], np.ndarray]] = {}

    def shown(self) -> Shown:
        """What there is to see now."""
        from StrokeSAMLib.interactive.record import document

        session = self.session
        return Shown(
            prompts=session.prompts,
            slices=session.prompt_slices(),
            outlines=self._all_outlines(),
            affine=session.stack.affine.copy(),
            count=len(session.stack),
            canUndo=session.can_undo,
            canRedo=session.can_redo,
            document=document(session),
            notes=tuple(session.encodings.notes),
            device=str(session.encodings.engine.device),
            memory=session.encodings.memory_needed(),
        )

    def propagate(self, plan: Mapping[str, Any], monitor: Monitor, seen: Callable[[int, np.ndarray], None]) -> int:
        """`Session.propagate`; `seen` hears of each slice's number and outline as it comes."""
        from StrokeSAMLib.interactive.outline import outline

        self.session.encodings.stop_ahead()
        return self.session.propagate(monitor=monitor, seen=lambda k, mask: seen(k, outline(mask)), **plan)

    def patch(self) -> Patch:
        """The object, on the volume's grid."""
        from StrokeSAMLib.imaging.geometry import patch_of

        return patch_of(self.session.mask())

    def _all_outlines(self) -> dict[int, np.ndarray]:
        from StrokeSAMLib.interactive.outline import outline

        made = {}
        for k, parts in self.session.slice_parts().items():
            known = self._outlines.get(k)
            if known is None or list(map(id, known[0])) != list(map(id, parts)):
                known = (parts, outline(self.session.slice_mask(k)))
            made[k] = known
        self._outlines = made
        return {k: edges for k, (_, edges) in made.items() if len(edges)}
