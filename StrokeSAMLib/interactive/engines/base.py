"""What an engine is: it sees slices, is asked by prompts, and answers with masks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from StrokeSAMLib.interactive.memory import Footprint
from StrokeSAMLib.interactive.slices import SlicePrompts

Spacing = tuple[float, float, float]


class Features(Protocol):
    """What an engine keeps of an encoded slice."""

    @property
    def nbytes(self) -> int:
        """Memory that they take."""

    def to(self, device: str) -> Features:
        """The same on another device."""


class Answer(Protocol):
    """An engine's answer on one slice, small enough to keep for every slice of a volume."""

    def mask(self, shape: tuple[int, int]) -> np.ndarray:
        """Bool (row, column) of the slice's own `shape`."""


@dataclass
class Bank:
    """What a tracking engine remembers in one direction: answers by slice, the prompted ones and the tracked ones."""

    prompted: Mapping[int, Answer]
    tracked: dict[int, Answer] = field(default_factory=dict)


@dataclass(frozen=True)
class Context:
    """Where a slice stands in a propagation: its number, the slices in the stack, the direction, the memory."""

    k: int
    count: int
    backwards: bool
    bank: Bank


class Engine(Protocol):
    """A segmenter of slices. One instance serves any number of stacks and segments.

    Any of its methods raises `MemoryError` where its device has no memory left.

    Attributes:
        id: its public name.
        accepts: the prompts it takes: "point", "box", "mask".
        device: where it computes; "cpu", or what `Features.to` takes.
        tracks: whether it has `track` and `remember`, the memory of a video model.
    """

    id: str
    accepts: frozenset[str]
    device: Any
    tracks: bool

    def encode(self, pixels: np.ndarray, spacing: Spacing) -> Features:
        """The features of a slice, UInt8 (row, column); by far the dearest step. `spacing` (column, row, slice), mm."""

    def predict(
        self, features: Features, prompts: SlicePrompts, prior: Answer | None = None, context: Context | None = None
    ) -> Answer:
        """The object on a slice.

        Args:
            features: of the slice.
            prompts: all that is asked of the slice, the newest last.
            prior: the answer that the newest prompt corrects.
            context: of the slice, where `prior` came from a propagation.
        """

    def follow(self, features: Features, neighbour: Answer, shape: tuple[int, int]) -> Answer:
        """The object on a slice, from the answer on the slice before it: the step of box propagation.

        Args:
            features: of the slice.
            neighbour: the last answer that was not empty; `shape` is its slice's.
        """

    def footprint(self) -> Footprint:
        """What it takes of memory."""

    def use_cpu(self) -> bool:
        """Move to the CPU for good, for want of memory on the device; False where it is there already."""

    def describe(self) -> Mapping[str, Any]:
        """What a replay needs to make an engine that answers the same: options, precision, weights' checksum."""


class TrackingEngine(Engine, Protocol):
    """An engine with the memory of a video model."""

    def remember(self, features: Features, answer: Answer) -> None:
        """Give `answer`, made by prompts on this slice, the memory that other slices need of it; once."""

    def track(self, features: Features, context: Context) -> Answer:
        """The object on a slice without prompts, from the memory of others."""
