"""Slicer's Grow from seeds (`vtkImageGrowCutSegment`, of the slicer-core package), with prompts as seeds.

A user of Grow from seeds paints the object and its surroundings. From a box: the middle ellipse of half its size is
object, everything outside it on its slice is background, and so is the border of the region. A click is a ball of
3 mm, a scribble a line as thick. The region is the box with its own side as a margin, all slices within it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import slicer
import vtk
from simulated_user import Case
from vtk.util.numpy_support import numpy_to_vtk, vtk_to_numpy

from StrokeSAMLib.interactive import Box, Point
from StrokeSAMLib.interactive.prompts import Prompt

_OBJECT, _BACKGROUND = 1, 2
_BRUSH_MM = 3.0


def grow_from_seeds(case: Case, axis: int) -> Callable[[Prompt], np.ndarray]:
    """The peer on one case; see `clicks.Answer`."""
    from StrokeSAMLib.imaging.windowing import default_window, to_bytes

    pixels = to_bytes(case.image, default_window(case.image))
    seeds = np.zeros(case.truth.shape, np.uint8)
    region = [slice(None)] * 3

    def answer(prompt: Prompt) -> np.ndarray:
        if isinstance(prompt, Box):
            region[:] = _paint_box(case, prompt, axis, seeds)
        else:
            positions = [prompt.position] if isinstance(prompt, Point) else list(prompt.points)
            for position in positions:
                _paint_ball(case, position, _OBJECT if prompt.positive else _BACKGROUND, seeds)
        found = np.zeros(case.truth.shape, bool)
        crop = tuple(region)
        found[crop] = _grow(pixels[crop], seeds[crop], case.spacing) == _OBJECT
        return found

    return answer


def _index(case: Case, position: tuple[float, float, float]) -> np.ndarray:
    return np.array(case.image.TransformPhysicalPointToContinuousIndex(position))[::-1]


def _paint_box(case: Case, box: Box, axis: int, seeds: np.ndarray) -> list[slice]:
    corners = np.array([_index(case, box.first), _index(case, box.second)])
    low, high = corners.min(axis=0), corners.max(axis=0)
    k = round(low[axis])
    margin = (high - low) * case.spacing
    reach = margin / case.spacing
    reach[axis] = margin.max() / case.spacing[axis]
    start = np.maximum(np.floor(low - reach), 0).astype(int)
    stop = np.minimum(np.ceil(high + reach) + 1, seeds.shape).astype(int)
    grid = np.stack(np.meshgrid(*[np.arange(n) for n in seeds.shape], indexing="ij", sparse=False), -1)
    plane = np.take(grid, k, axis)
    across = [n for n in range(3) if n != axis]
    offset = (plane - (low + high) / 2) / np.maximum((high - low) / 2, 0.5)
    radius = np.sqrt((offset[..., across] ** 2).sum(-1))
    outside = (np.abs(offset[..., across]) > 1.0).any(-1)
    view = np.moveaxis(seeds, axis, 0)[k]
    view[radius <= 0.5] = _OBJECT
    view[outside] = _BACKGROUND
    for n in across:
        edge = np.moveaxis(seeds, n, 0)
        edge[start[n]] = edge[stop[n] - 1] = _BACKGROUND
    return [slice(a, b) for a, b in zip(start, stop, strict=True)]


def _paint_ball(case: Case, position: tuple[float, float, float], label: int, seeds: np.ndarray) -> None:
    centre = _index(case, position)
    reach = np.ceil(_BRUSH_MM / case.spacing).astype(int)
    nearest = np.rint(centre).astype(int)
    start, stop = np.maximum(nearest - reach, 0), np.minimum(nearest + reach + 1, seeds.shape)
    grid = np.stack(np.meshgrid(*[np.arange(a, b) for a, b in zip(start, stop, strict=True)], indexing="ij"), -1)
    inside = (((grid - centre) * case.spacing) ** 2).sum(-1) <= _BRUSH_MM**2
    inside |= (grid == nearest).all(-1)
    seeds[tuple(slice(a, b) for a, b in zip(start, stop, strict=True))][inside] = label


def _grow(pixels: np.ndarray, seeds: np.ndarray, spacing: np.ndarray) -> np.ndarray:
    grow = slicer.vtkImageGrowCutSegment()
    grow.SetIntensityVolume(_image(pixels.astype(np.int16), spacing))
    grow.SetSeedLabelVolume(_image(seeds.astype(np.int16), spacing))
    grow.Update()
    return vtk_to_numpy(grow.GetOutput().GetPointData().GetScalars()).reshape(pixels.shape)


def _image(array: np.ndarray, spacing: np.ndarray) -> vtk.vtkImageData:
    image = vtk.vtkImageData()
    image.SetDimensions(*array.shape[::-1])
    image.SetSpacing(*spacing[::-1])
    image.GetPointData().SetScalars(numpy_to_vtk(np.ascontiguousarray(array).ravel(), deep=True))
    return image
