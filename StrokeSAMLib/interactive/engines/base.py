"""The protocols of engines: one that predicts slices and propagates, and one that answers in 3-D."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np

from StrokeSAMLib.interactive.features.footprint import Footprint
from StrokeSAMLib.interactive.slice_prompts import PlacedPrompt, SlicePrompts
from StrokeSAMLib.interactive.slice_stack import SliceStack

Spacing = tuple[float, float, float]


class Features(Protocol):
    """The features of an encoded slice."""

    @property
    def nbytes(self) -> int:
        """The size of the features in memory, bytes."""
        ...

    def to(self, device: str) -> Features:
        """The same features on another device."""
        ...


class Prediction(Protocol):
    """An engine's prediction on one slice, small enough to keep for every slice of a volume."""

    def mask(self, shape: tuple[int, int]) -> np.ndarray:
        """The mask, bool (row, column), on a slice of `shape`."""
        ...


@dataclass
class MemoryBank:
    """The memory of a tracking engine in one direction: predictions by slice, on prompted and on tracked slices."""

    prompted: Mapping[int, Prediction]
    tracked: dict[int, Prediction] = field(default_factory=dict)


@dataclass(frozen=True)
class PropagationContext:
    """The position of a slice in a propagation.

    Attributes:
        k: number of the slice.
        count: number of slices in the stack.
        backwards: true where the propagation goes to lower slice numbers.
        bank: memory of the slices visited so far.
    """

    k: int
    count: int
    backwards: bool
    bank: MemoryBank


class AnyEngine(Protocol):
    """The attributes and methods that every engine has. One instance serves any number of stacks and segments.

    Each method raises `MemoryError` where the device has no memory left.

    Attributes:
        id: public name.
        accepts: types of prompts that the engine takes: values of `prompts.KINDS`.
        device: device of the computation: "cpu", or a value that `Features.to` takes.
        notes: notes for the user about the engine's computation.
    """

    id: str
    accepts: frozenset[str]
    device: Any
    notes: tuple[str, ...]

    def footprint(self) -> Footprint:
        """The memory that the engine takes."""
        ...

    def use_cpu(self) -> bool:
        """Move to the CPU for good, where the device has no memory left. False where the engine is there already."""
        ...

    def describe(self) -> Mapping[str, Any]:
        """The settings that a replay needs to load the same engine: options, precision, checksum of the weights."""
        ...


class Engine(AnyEngine, Protocol):
    """A segmenter of slices.

    Attributes:
        tracks: true where the engine has the methods of `TrackingEngine`.
    """

    tracks: bool

    def encode(self, pixels: np.ndarray, spacing: Spacing) -> Features:
        """Encode a slice, UInt8 (row, column); by far the slowest step.

        Args:
            pixels: the slice.
            spacing: (column, row, slice), mm.
        """
        ...

    def predict(
        self,
        features: Features,
        prompts: SlicePrompts,
        previous: Prediction | None = None,
        context: PropagationContext | None = None,
    ) -> Prediction:
        """Predict the object on a slice with prompts.

        Args:
            features: features of the slice.
            prompts: all prompts on the slice, the newest last.
            previous: the prediction that the newest prompt corrects.
            context: position of the slice in the propagation, where `previous` came from one.
        """
        ...

    def follow(self, features: Features, neighbour: Prediction, shape: tuple[int, int]) -> Prediction:
        """Predict the object on a slice from the prediction on a slice before it: one step of box propagation.

        Args:
            features: features of the slice.
            neighbour: the last prediction that was not empty.
            shape: (row, column) of both slices.
        """
        ...


class TrackingEngine(Engine, Protocol):
    """An engine with the memory of a video model."""

    def remember(self, features: Features, prediction: Prediction) -> None:
        """Encode the memory of a prompted slice into its `prediction`, for other slices to use. Does so only once."""
        ...

    def track(self, features: Features, context: PropagationContext) -> Prediction:
        """Predict the object on a slice without prompts from the memory of other slices."""
        ...


class VolumeAnswer(Protocol):
    """The object in 3-D that a volume engine found.

    Attributes:
        slices: the prediction of each slice of the region around the prompts, which may be empty; the same object as in
            the answer before where the slice did not change.
        notes: notes for the user about this answer.
    """

    slices: Mapping[int, Prediction]
    notes: tuple[str, ...]


@runtime_checkable
class VolumeEngine(AnyEngine, Protocol):
    """An engine that answers in 3-D, from all prompts at once. It sees the region of the stack around the prompts."""

    def answer(
        self, stack: SliceStack, prompts: Sequence[PlacedPrompt], previous: VolumeAnswer | None = None
    ) -> VolumeAnswer:
        """Segment the object that all `prompts` describe.

        Args:
            stack: the volume as slices.
            prompts: at least one, the newest last; see `volume_prompts.place_in_volume`.
            previous: an earlier answer on this stack, whose work can be continued. The answer does not depend on it.

        Raises:
            InputError: no prompt says where the object is.
        """
        ...
