"""The places of the slices of a stack: their order, and whether they lie on a regular grid."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from StrokeSAMLib.core.errors import InputError
from StrokeSAMLib.io.dicom.frames import Frame
from StrokeSAMLib.io.dicom.plane import Plane

# A slice may lean by this, which is 0.4 mm at the edge of a head, or lie this much beside the line of the others.
_LEAN_DEGREES, _BESIDE_MM = 0.1, 0.5
# A slice may lie this far from its place on the regular grid, as a part of the spacing and in mm.
_OFF_GRID_PART, _OFF_GRID_MM = 0.05, 0.1
# Distances that differ by less belong to one run of the scan.
_SAME_DISTANCE_PART = 0.1
# A step so many times as long as those beside it is a gap.
_GAP_FACTOR = 1.4
# Two slices closer than this part of the usual distance are no scan.
_LEAST_DISTANCE_PART = 0.2


@dataclass(frozen=True)
class SliceGrid:
    """Where the slices of a volume lie.

    Attributes:
        plane: of the first slice.
        distances: of each slice from the first one along the normal, mm, ascending from 0.
        shift: of the slices within their plane per mm of distance, LPS; not zero with a tilted gantry.
        spacing: of the regular grid, mm.
        count: its number of slices.
        is_regular: whether the slices lie on that grid already.
    """

    plane: Plane
    distances: np.ndarray
    shift: np.ndarray
    spacing: float
    count: int
    is_regular: bool

    @property
    def tilt_degrees(self) -> float:
        return math.degrees(math.atan(float(np.linalg.norm(self.shift))))


def in_order(frames: tuple[Frame, ...]) -> list[Frame]:
    """The frames by their place along the normal of most of them."""
    normal = _common_plane(frames).normal
    return sorted(frames, key=lambda frame: (float(normal @ _plane(frame).position), frame.number))


def slice_grid(frames: list[Frame], name: str) -> SliceGrid:
    """Check the places of ordered frames, all different, and find the regular grid for them.

    Args:
        frames: at least two.
        name: of the input, for errors.

    Raises:
        InputError: a slice leans or lies beside the others, or is missing; or two are too close.
    """
    common = _common_plane(frames)
    _check_leaning(frames, common, name)
    positions = np.asarray([_plane(frame).position for frame in frames])
    distances = (positions - positions[0]) @ common.normal
    shift = _shift(frames, positions, distances, common.normal, name)
    steps = np.diff(distances)
    _check_steps(frames, steps, name)
    plane = Plane(positions[0], common.across, common.down, common.spacing, common.size)
    mean = float(distances[-1]) / len(steps)
    off_grid = np.abs(distances - mean * np.arange(len(frames))).max()
    if off_grid <= max(_OFF_GRID_MM, _OFF_GRID_PART * mean):
        return SliceGrid(plane, distances, shift, mean, len(frames), True)
    is_uneven = steps.max() < _GAP_FACTOR * steps.min()  # without a change of distance
    finest = mean if is_uneven else min(float(np.mean(steps[run])) for run in _runs(steps))
    count = round(float(distances[-1]) / finest) + 1
    return SliceGrid(plane, distances, shift, float(distances[-1]) / (count - 1), count, False)


def place_text(frame: Frame) -> str:
    """A slice's position for a message: "(−20.0, −30.0, 22.5) mm"."""
    return _point_text(_plane(frame).position)


def _point_text(point: np.ndarray) -> str:
    return f"({', '.join(f'{v:.1f}' for v in point)}) mm".replace("-", "−")


def _plane(frame: Frame) -> Plane:
    assert frame.plane is not None
    return frame.plane


def _common_plane(frames: list[Frame] | tuple[Frame, ...]) -> Plane:
    """The plane of the frame whose orientation is nearest to the median of all."""
    axes = np.asarray([np.concatenate([_plane(frame).across, _plane(frame).down]) for frame in frames])
    return _plane(frames[int(np.linalg.norm(axes - np.median(axes, axis=0), axis=1).argmin())])


def _check_leaning(frames: list[Frame], common: Plane, name: str) -> None:
    degrees = [_plane(frame).degrees_to(common) for frame in frames]
    worst = int(np.argmax(degrees))
    if degrees[worst] > _LEAN_DEGREES:
        raise InputError(
            f"{name}: the slice {frames[worst].name} at {place_text(frames[worst])} leans by {degrees[worst]:.1f}°"
            " against the others"
        )


def _shift(
    frames: list[Frame], positions: np.ndarray, distances: np.ndarray, normal: np.ndarray, name: str
) -> np.ndarray:
    """The shift within the plane per mm along the normal; refuses a slice beside the line of the others."""
    beside = positions - positions[0] - distances[:, None] * normal
    steps, centred = np.diff(distances)[:, None], distances - distances.mean()
    # The median passes over a slice out of line, least squares over positions that are rounded or alternate.
    are_side_by_side = steps.min() <= 0
    median = np.zeros(3) if are_side_by_side else np.median(np.diff(beside, axis=0) / steps, axis=0)
    for slope in ((centred @ beside) / (centred @ centred), median):
        rest = beside - distances[:, None] * slope
        if np.linalg.norm(rest - np.median(rest, axis=0), axis=1).max() <= _BESIDE_MM:
            return slope
    jumps = np.linalg.norm(np.diff(beside - distances[:, None] * median, axis=0), axis=1)
    first = frames[int(jumps.argmax()) + 1]
    raise InputError(
        f"{name}: the slice {first.name} at {place_text(first)} lies {jumps.max():.1f} mm beside the line of those"
        " before: the table or the patient moved, or these are two scans"
    )


def _check_steps(frames: list[Frame], steps: np.ndarray, name: str) -> None:
    """Refuse missing slices, a jump, and slices too close to each other."""
    usual = float(np.median(steps))
    closest = int(steps.argmin())
    if steps[closest] < _LEAST_DISTANCE_PART * usual:
        raise InputError(
            f"{name}: the slices {frames[closest].name} and {frames[closest + 1].name} are only"
            f" {steps[closest]:.2f} mm apart, the others {usual:.2f} mm"
        )
    gaps = _gaps(frames, steps)
    if not gaps:
        return
    gap, step = gaps[0], _step_beside(steps, gaps[0])
    missing = round(float(steps[gap]) / step) - 1
    between = f"between {frames[gap].name} and {frames[gap + 1].name}"
    if missing < 1 or abs(float(steps[gap]) - (missing + 1) * step) > 2 * _SAME_DISTANCE_PART * step:
        raise InputError(
            f"{name}: a jump of {steps[gap]:.2f} mm {between} at {place_text(frames[gap])}; the slices beside it are"
            f" {step:.2f} mm apart"
        )
    first = _plane(frames[gap]).position + (_plane(frames[gap + 1]).position - _plane(frames[gap]).position) / (
        missing + 1
    )
    count = f"{missing} slices are missing, the first one" if missing > 1 else "the slice is missing"
    more = f"; there are {len(gaps)} such gaps" if len(gaps) > 1 else ""
    raise InputError(f"{name}: {count} at {_point_text(first)}, {between}, which are {steps[gap]:.2f} mm apart{more}")


def _gaps(frames: list[Frame], steps: np.ndarray) -> list[int]:
    """The steps that leave slices out.

    A scan may change its distance: then a run of steps is larger, the numbers of the slices have no gap, and the slices
    are thicker. A single larger step, or one where the numbers jump, is a gap; a thicker slice at the end is none.
    """
    runs = _runs(steps)
    means = [float(np.mean(steps[run])) for run in runs]
    numbers = [abs(second.number - first.number) for first, second in pairwise(frames)]
    least_number = min((number for number in numbers if number), default=0)
    gaps = []
    for index, run in enumerate(runs):
        beside = [means[n] for n in (index - 1, index + 1) if 0 <= n < len(runs)]
        if not beside or means[index] < _GAP_FACTOR * max(beside):
            continue
        is_single = run.stop - run.start == 1
        jumps = least_number > 0 and all(numbers[n] > least_number for n in range(run.start, run.stop))
        is_end = len(beside) == 1
        if jumps or (is_single and not (is_end and _is_thick(frames, run.start, float(steps[run.start]), beside[0]))):
            gaps += range(run.start, run.stop)
    return gaps


def _is_thick(frames: list[Frame], step: int, distance: float, beside: float) -> bool:
    """Whether one of the two slices at the step is as thick as the step is long, and the other one is thinner."""
    thickness = [frame.thickness for frame in frames[step : step + 2] if frame.thickness is not None]
    thick = [value for value in thickness if abs(value - distance) <= 2 * _SAME_DISTANCE_PART * distance]
    return len(thick) == 1 and len(thickness) == 2 and thick[0] > beside


def _runs(steps: np.ndarray) -> list[slice]:
    """The runs of nearly equal steps."""
    runs, start = [], 0
    for index in range(1, len(steps) + 1):
        mean = float(np.mean(steps[start:index]))
        if index == len(steps) or abs(float(steps[index]) - mean) > _SAME_DISTANCE_PART * mean:
            runs.append(slice(start, index))
            start = index
    return runs


def _step_beside(steps: np.ndarray, gap: int) -> float:
    """The distance of the slices around a gap."""
    near = [float(steps[n]) for n in (gap - 1, gap + 1) if 0 <= n < len(steps)]
    return min(near)
