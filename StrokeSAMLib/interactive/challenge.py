"""Cases of the challenge "Segment Anything in Medical Images on Laptop" (CVPR 2024): npz files of boxes and labels.

A case has `imgs`, UInt8, an image (row, column, 3) or a volume (k, j, i), and `boxes`, in pixels or voxels: x and y, or
x, y and z, of the first corner and of the opposite one. The answer has `segs`, UInt8 or UInt16 of the size of `imgs`
without channels: the number of the box from 1 where its object is, else 0. Later boxes overwrite earlier ones.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import SimpleITK as sitk

from StrokeSAMLib.core.errors import InputError
from StrokeSAMLib.core.files import atomic_write
from StrokeSAMLib.core.monitor import Monitor
from StrokeSAMLib.imaging.windowing import Window
from StrokeSAMLib.interactive.engines.base import AnyEngine, Engine, Spacing, VolumeEngine
from StrokeSAMLib.interactive.features.encodings import Encodings
from StrokeSAMLib.interactive.prompts import Box
from StrokeSAMLib.interactive.session import Session
from StrokeSAMLib.interactive.slice_prompts import SlicePrompts
from StrokeSAMLib.interactive.slice_stack import stack_along_axis

# The pixels are bytes already.
_BYTES = Window(0.0, 255.0)
# The challenge's machine has 8 GB.
_MOST_BYTES = 4 << 30
_LUMA = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601


@runtime_checkable
class ChallengeEngine(Engine, Protocol):
    """An engine that follows the challenge's own scripts, which know colours and treat each label differently."""

    takes_colour: bool

    def for_label(self, label: int) -> Engine:
        """The engine for the object with this label."""
        ...


@dataclass(frozen=True, eq=False)
class Case:
    """A case: `imgs` and `boxes` as in the module's text, and the spacing of the voxels (x, y, z), mm."""

    imgs: np.ndarray
    boxes: np.ndarray
    spacing: Spacing

    @property
    def is_volume(self) -> bool:
        """Whether it is a volume, and not an image in colour."""
        return self.boxes.shape[1] == 6

    @property
    def shape(self) -> tuple[int, ...]:
        """The size of the label map."""
        return self.imgs.shape if self.is_volume else self.imgs.shape[:2]


def read_case(path: Path) -> Case:
    """Read a case.

    Raises:
        InputError: the file is missing, damaged or too large, or is no such case.
    """
    with _named(path), np.load(path, allow_pickle=False) as file:
        for name in ("imgs", "boxes"):
            if name not in file.files:
                raise InputError(f"{path}: it has no '{name}'; it has {', '.join(file.files) or 'nothing'}")
        size = sum(entry.file_size for entry in file.zip.infolist())
        if size > _MOST_BYTES:
            raise InputError(f"{path}: too large: {size / 1e9:.1f} GB when unpacked")
        spacing = np.ravel(file["spacing"]) if "spacing" in file.files else np.ones(3)
        imgs, boxes = file["imgs"], np.atleast_2d(file["boxes"])
    return _checked(path, imgs, boxes, spacing)


@contextmanager
def _named(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or 'damaged'}") from None
    except (ValueError, EOFError, KeyError, AttributeError, zipfile.BadZipFile):
        raise InputError(f"{path}: not an npz file, or damaged") from None


def _checked(path: Path, imgs: np.ndarray, boxes: np.ndarray, spacing: np.ndarray) -> Case:
    columns = boxes.shape[1] if boxes.ndim == 2 else 0
    if imgs.dtype != np.uint8 or imgs.ndim != 3 or min(imgs.shape) < 1:
        raise InputError(f"{path}: 'imgs' must be UInt8 with three axes; it is {imgs.dtype} {imgs.shape}")
    if columns not in (4, 6) or boxes.dtype.kind not in "iuf" or not np.isfinite(boxes).all():
        raise InputError(f"{path}: 'boxes' must be numbers, (n, 4) or (n, 6); it is {boxes.dtype} {boxes.shape}")
    if columns == 4 and imgs.shape[2] != 3:
        raise InputError(f"{path}: an image of three channels is needed for flat boxes; 'imgs' is {imgs.shape}")
    size = np.array(imgs.shape[1::-1] if columns == 4 else imgs.shape[::-1])
    for number, box in enumerate(boxes, 1):
        first, last = box[: columns // 2], box[columns // 2 :]
        if (last < first).any() or (last < 0).any() or (first >= size).any():
            raise InputError(f"{path}: box {number} is empty or outside the image: {', '.join(f'{n:g}' for n in box)}")
    if spacing.shape != (3,) or not (np.isfinite(spacing).all() and (spacing > 0).all()):
        raise InputError(f"{path}: 'spacing' must be three positive numbers; it is {spacing.tolist()}")
    return Case(imgs, boxes, (float(spacing[0]), float(spacing[1]), float(spacing[2])))


def segment_case(case: Case, engine: AnyEngine, monitor: Monitor) -> np.ndarray:
    """The label map of a case, (row, column) or (k, j, i).

    Raises:
        InputError, OptionError: the engine cannot use the image or takes no boxes.
        Cancelled: between two slices.
    """
    labels = np.zeros(case.shape, np.uint8 if len(case.boxes) < 256 else np.uint16)
    segment = _volume_masks if case.is_volume else _image_masks
    for label, mask in enumerate(segment(case, engine, monitor), 1):
        labels[mask] = label
    return labels


def write_labels(labels: np.ndarray, path: Path) -> None:
    """Write the answer, an npz with `segs`; completely or not at all."""
    with atomic_write(path) as temporary, temporary.open("wb") as stream:
        np.savez_compressed(stream, segs=labels)


def _for_label(engine: AnyEngine, label: int) -> AnyEngine:
    return engine.for_label(label) if isinstance(engine, ChallengeEngine) else engine


def _volume_masks(case: Case, engine: AnyEngine, monitor: Monitor) -> Iterator[np.ndarray]:
    """The mask of each box: answered in 3-D, or propagated from the box's middle slice to its ends."""
    image = sitk.GetImageFromArray(case.imgs)
    image.SetSpacing(case.spacing)
    stack = stack_along_axis(image, 2, _BYTES)
    cache = Encodings(engine, stack).cache
    for number, (x0, y0, z0, x1, y1, z1) in enumerate(case.boxes.tolist()):
        first, last = max(int(z0), 0), min(int(z1), len(case.imgs) - 1)
        middle = min(max(int((z1 - z0) / 2 + z0), first), last)
        session = Session.on(Encodings(_for_label(engine, number + 1), stack, cache))
        ends = (first, last) if isinstance(engine, VolumeEngine) else (middle, middle)
        corners = ((x0, y0, ends[0]), (x1, y1, ends[1]))
        session.add(Box(*(image.TransformContinuousIndexToPhysicalPoint(corner) for corner in corners)))
        part = monitor.part(number / len(case.boxes), (number + 1) / len(case.boxes))
        # The published scripts visit every slice of the box.
        session.propagate(monitor=part, first=first, last=last, stop_after=0)
        yield sitk.GetArrayFromImage(session.mask()) > 0


def _image_masks(case: Case, engine: AnyEngine, monitor: Monitor) -> Iterator[np.ndarray]:
    """The mask of each box in an image, in colour where the engine knows colours."""
    if not (isinstance(engine, ChallengeEngine) and engine.takes_colour):
        grey = np.rint(case.imgs @ _LUMA).astype(np.uint8)[None]
        flat = np.array([[x0, y0, 0, x1, y1, 0] for x0, y0, x1, y1 in case.boxes.tolist()])
        yield from (mask[0] for mask in _volume_masks(Case(grey, flat, (1.0, 1.0, 1.0)), engine, monitor))
        return
    features = engine.encode(case.imgs, (1.0, 1.0, 1.0))
    shape = (case.imgs.shape[0], case.imgs.shape[1])
    for number, box in enumerate(case.boxes.tolist()):
        monitor.step(number / len(case.boxes), f"box {number + 1}")
        x0, y0, x1, y1 = box
        yield engine.predict(features, SlicePrompts(shape, box=(x0, y0, x1, y1))).mask(shape)
