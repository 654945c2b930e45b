"""Stacks: the frames of a series that make one volume."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from StrokeSAMLib.io.dicom.diffusion import described_b
from StrokeSAMLib.io.dicom.frames import Frame

# Frames of one stack may differ in orientation and spacing by the rounding of decimal strings.
_SAME_DEGREES, _SAME_SPACING = 1.0, 1e-3
# A single slice that leans by less belongs to the stack, which is then refused. A localizer stands across it.
_LEANING_DEGREES = 30.0
# Two frames are at one place if their positions differ by less.
SAME_PLACE_MM = 0.02
# The marks that tell volumes at the same place apart, in this order.
_MARKS: tuple[tuple[str, Callable[[Frame], Hashable]], ...] = (
    ("image type", lambda frame: frame.marks["image type"]),
    ("b", lambda frame: frame.diffusion.b),
    ("trace", lambda frame: frame.diffusion.is_trace),
    ("direction", lambda frame: frame.diffusion.direction),
    *(
        (name, lambda frame, name=name: frame.marks[name])
        for name in ("segment", "echo", "inversion", "time", "acquisition", "description", "trigger", "acquired")
    ),
)


@dataclass(frozen=True, eq=False)
class Stack:
    """Frames of one series, orientation, spacing and matrix.

    Attributes:
        frames: in the order of their Instance Number.
        volume: number of the volume among those that only their order tells apart, from 1; 0 for the only one.
    """

    frames: tuple[Frame, ...]
    volume: int = 0

    @property
    def first(self) -> Frame:
        return self.frames[0]

    @property
    def series(self) -> tuple[str, str]:
        return _series(self.first)

    @property
    def modality(self) -> str:
        return self.first.attributes.text("Modality") or "?"

    @property
    def description(self) -> str:
        attributes = self.first.attributes
        return attributes.text("SeriesDescription") or attributes.text("ProtocolName")

    @property
    def image_type(self) -> tuple[str, ...]:
        return self.first.image_type

    @property
    def b(self) -> float | None:
        """The b-value, s/mm²: of the headers, else of the description; None for other images."""
        if self.modality != "MR":
            return None
        return described_b(self.description) if self.first.diffusion.b is None else self.first.diffusion.b

    @property
    def is_localizer(self) -> bool:
        return _is_localizer(self.first)

    @property
    def is_colour(self) -> bool:
        return _is_colour(self.first)

    @property
    def kind(self) -> str:
        """What tells the stack from others of its series, in words: "trace", "localizer", "volume 2"."""
        words = ["localizer"] if self.is_localizer else []
        words += ["trace"] if self.first.diffusion.is_trace and self.b is not None else []
        words += ["direction"] if self.first.diffusion.direction is not None else []
        words += ["colour"] if self.is_colour else []
        words += [f"volume {self.volume}"] if self.volume else []
        return ", ".join(words)

    @property
    def plane_name(self) -> str:
        """ "axial", "coronal" or "sagittal", the nearest one; "no position" without a plane."""
        return self.first.plane.orientation_name if self.first.plane is not None else "no position"

    @property
    def size_text(self) -> str:
        """Columns × rows × slices."""
        attributes = self.first.attributes
        size = (attributes.whole("Columns"), attributes.whole("Rows"))
        size = self.first.plane.size if self.first.plane is not None else size
        return " × ".join(map(str, (*size, self.places or len(self.frames))))

    @property
    def spacing_text(self) -> str:
        """Distance of columns, of rows and, on the mean, of slices, mm."""
        if self.first.plane is None:
            return ""
        return " × ".join(f"{step:.3g}" for step in (*self.first.plane.spacing, *self._slice_distance()))

    def _slice_distance(self) -> list[float]:
        """The mean distance of the slices, mm, in a list; empty for one slice."""
        normal = self.first.plane.normal if self.first.plane is not None else np.zeros(3)
        along = [float(normal @ frame.plane.position) for frame in self.frames if frame.plane is not None]
        return [(max(along) - min(along)) / (self.places - 1)] if self.places > 1 else []

    @property
    def places(self) -> int:
        """The number of different positions."""
        return len(set(places(self.frames))) if self.first.plane is not None else 0

    @property
    def files(self) -> int:
        return len({frame.header.path for frame in self.frames})


def stacks_of(frames: Iterable[Frame]) -> list[Stack]:
    """Group frames into stacks, ordered by folder, series, b-value and Instance Number."""
    series: dict[Hashable, list[Frame]] = defaultdict(list)
    for frame in frames:
        series[_series(frame)].append(frame)
    stacks = [
        stack
        for of_series in series.values()
        for likes in _split_by_kind(of_series)
        for oriented in _split_by_orientation(likes)
        for part in _split_by_marks(oriented, _MARKS)
        for stack in _split_by_order(part)
    ]
    return sorted(stacks, key=_order)


def places(frames: Iterable[Frame]) -> list[int]:
    """The number of each frame's place among the frames, by position along the normal; equal for equal positions."""
    frames = list(frames)
    positions = np.asarray([frame.plane.position for frame in frames if frame.plane is not None])
    normal = frames[0].plane.normal if frames[0].plane is not None else np.zeros(3)
    order = np.lexsort((positions[:, 0], positions[:, 1], np.round(positions @ normal, 2)))
    steps = np.linalg.norm(np.diff(positions[order], axis=0), axis=1) > SAME_PLACE_MM
    numbers = np.empty(len(frames), int)
    numbers[order] = np.concatenate([[0], np.cumsum(steps)])
    return numbers.tolist()


def _series(frame: Frame) -> tuple[str, str]:
    """Study and series; files without them belong together by folder."""
    uid = frame.attributes.text("SeriesInstanceUID") or str(frame.header.path.parent)
    return frame.attributes.text("StudyInstanceUID"), uid


def _is_localizer(frame: Frame) -> bool:
    return any(word in ("LOCALIZER", "SCOUT", "TOPOGRAM") for word in frame.image_type)


def _is_colour(frame: Frame) -> bool:
    photometric = frame.attributes.text("PhotometricInterpretation")
    return frame.attributes.whole("SamplesPerPixel", 1) > 1 or not photometric.startswith("MONOCHROME")


def _split_by_kind(frames: list[Frame]) -> list[list[Frame]]:
    """Split by matrix, by what the frame is, and by pixel spacing."""
    groups: dict[Hashable, list[Frame]] = defaultdict(list)
    for frame in frames:
        size = (frame.attributes.whole("Rows"), frame.attributes.whole("Columns"))
        size = frame.plane.size if frame.plane is not None else size
        groups[size, frame.plane is None, _is_localizer(frame), _is_colour(frame)].append(frame)
    return [part for group in groups.values() for part in _clustered(group, _same_spacing)]


def _same_spacing(first: Frame, second: Frame) -> bool:
    if first.plane is None or second.plane is None:
        return True
    pairs = zip(first.plane.spacing, second.plane.spacing, strict=True)
    return all(abs(a - b) <= _SAME_SPACING * a for a, b in pairs)


def _split_by_orientation(frames: list[Frame]) -> list[list[Frame]]:
    if frames[0].plane is None:
        return [frames]
    clusters = _clustered(frames, lambda a, b: _degrees(a, b) <= _SAME_DEGREES)
    largest = max(clusters, key=len)
    leaning = [
        cluster
        for cluster in clusters
        if cluster is not largest and len(cluster) == 1 and _degrees(cluster[0], largest[0]) < _LEANING_DEGREES
    ]
    whole = largest + [cluster[0] for cluster in leaning]
    return [whole if cluster is largest else cluster for cluster in clusters if cluster not in leaning]


def _degrees(first: Frame, second: Frame) -> float:
    return first.plane.degrees_to(second.plane) if first.plane is not None and second.plane is not None else 180.0


def _clustered(frames: list[Frame], alike: Callable[[Frame, Frame], bool]) -> list[list[Frame]]:
    """Put each frame into the first cluster whose first frame it is like."""
    clusters: list[list[Frame]] = []
    for frame in frames:
        for cluster in clusters:
            if alike(cluster[0], frame):
                cluster.append(frame)
                break
        else:
            clusters.append([frame])
    return clusters


def _split_by_marks(
    frames: list[Frame], marks: tuple[tuple[str, Callable[[Frame], Hashable]], ...]
) -> list[list[Frame]]:
    """Split frames that share places by the marks, one after the other, until no place has two frames.

    A mark counts only if it makes no more parts than there are frames at a place, and if most parts fill the places:
    an acquisition time that differs from slice to slice tells no volumes apart.
    """
    if not marks or frames[0].plane is None:
        return [frames]
    numbers = places(frames)
    most, count = max(Counter(numbers).values()), len(set(numbers))
    if most == 1:
        return [frames]
    parts: dict[Hashable, list[Frame]] = defaultdict(list)
    for frame in frames:
        parts[marks[0][1](frame)].append(frame)
    full = sum(len(set(places(part))) >= 0.9 * count for part in parts.values())
    if 1 < len(parts) <= most and 2 * full >= len(parts):
        return [split for part in parts.values() for split in _split_by_marks(part, marks[1:])]
    return _split_by_marks(frames, marks[1:])


def _split_by_order(frames: list[Frame]) -> list[Stack]:
    """Split volumes that nothing but the Instance Number tells apart: every place has equally many frames."""
    frames = sorted(frames, key=lambda frame: (frame.number, str(frame.header.path), frame.index))
    if frames[0].plane is None:
        return [Stack(tuple(frames))]
    at_place: dict[int, list[Frame]] = defaultdict(list)
    for number, frame in zip(places(frames), frames, strict=True):
        at_place[number].append(frame)
    counts = {len(group) for group in at_place.values()}
    differ = all(len({frame.number for frame in group}) == len(group) for group in at_place.values())
    if counts == {1} or len(counts) > 1 or len(at_place) < 2 or not differ:
        return [Stack(tuple(frames))]
    volumes = zip(*at_place.values(), strict=True)
    return [Stack(tuple(volume), number) for number, volume in enumerate(volumes, 1)]


def _order(stack: Stack) -> tuple[Any, ...]:
    first = stack.first
    b = -1.0 if first.diffusion.b is None else first.diffusion.b
    return (
        str(first.header.path.parent),
        first.attributes.whole("SeriesNumber"),
        stack.series,
        stack.volume,
        b,
        first.number,
        str(first.header.path),
        first.index,
    )
