"""Support for tests of prompts on nodes: a ball in a noisy volume, boxes around it, and slice views of it."""

import numpy as np
import pytest

slicer = pytest.importorskip("slicer")
vtk = pytest.importorskip("vtk")

from nodes import segment_array, world_of  # noqa: E402
from vtk.util.numpy_support import vtk_to_numpy  # noqa: E402

from StrokeSAMLib.ui.effect.slice_view import SliceView  # noqa: E402

SIZE = (12, 48, 56)  # k, j, i
MIDDLE = (6, 22, 30)


def ball():
    """The object: a spheroid of 3 slices, 8 rows and 9 columns on either side of the middle."""
    k, j, i = np.indices(SIZE)
    return ((k - MIDDLE[0]) / 3.4) ** 2 + ((j - MIDDLE[1]) / 8) ** 2 + ((i - MIDDLE[2]) / 9) ** 2 <= 1


def grey():
    """The voxels of the volume: the object is brighter than the noisy background."""
    noise = np.random.default_rng(0).normal(0, 3, SIZE)
    return np.where(ball(), 70, 30).astype(np.int16) + noise.astype(np.int16)


def box_of(node, k=MIDDLE[0]):
    """The corners, RAS, of a box around the object on slice `k`."""
    _, rows, columns = MIDDLE
    return world_of(node, (columns - 10, rows - 9, k)), world_of(node, (columns + 10, rows + 9, k))


def paint(segmentation, segment, volume, where):
    """Add voxels to a segment with Slicer's own import, not through the writer."""
    values = segment_array(segmentation, segment, volume).astype(np.uint8)
    values[where] = 1
    labelmap = slicer.vtkOrientedImageData()
    source = slicer.vtkSlicerSegmentationsModuleLogic.CreateOrientedImageDataFromVolumeNode(volume)
    labelmap.DeepCopy(source)
    labelmap.AllocateScalars(vtk.VTK_UNSIGNED_CHAR, 1)
    vtk_to_numpy(labelmap.GetPointData().GetScalars())[:] = values.ravel()
    slicer.vtkSlicerSegmentationsModuleLogic.SetBinaryLabelmapToSegment(labelmap, segmentation, segment)


def slice_node(scene, centre, right=(1, 0, 0), down=(0, -1, 0)):
    """A slice view of 400 × 400 pixels and 80 × 80 mm, centred on a position (RAS); by default an axial view."""
    node = scene.AddNewNodeByClass("vtkMRMLSliceNode")
    node.SetDimensions(400, 400, 1)
    node.SetFieldOfView(80, 80, 1)
    right, up = np.array(right, float), -np.array(down, float)
    normal = np.cross(right, up)
    matrix = node.GetSliceToRAS()
    for row in range(3):
        for column, axis in enumerate((right, up, normal)):
            matrix.SetElement(row, column, axis[row])
        matrix.SetElement(row, 3, centre[row])
    node.UpdateMatrices()
    return node


def axial(scene, volume):
    """The axial slice view through the object's middle; the patient's right is on the left."""
    return slice_node(scene, world_of(volume, MIDDLE[::-1]), (-1, 0, 0), (0, -1, 0))


def xy_of(node, ras):
    """The place (XY) of a position (RAS) in a slice view."""
    x, y, z = ras
    return tuple(float(n) for n in SliceView(node).xyOf(np.array([-x, -y, z])))
