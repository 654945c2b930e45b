"""Volumes, transforms and segments, created and read without the code under test."""

import numpy as np
import pytest

slicer = pytest.importorskip("slicer")
vtk = pytest.importorskip("vtk")

SHAPE = (12, 16, 20)  # k, j, i
SPOT = (slice(4, 8), slice(5, 9), slice(12, 17))  # the lesion of the threshold method
TURN = np.deg2rad(25)
ROTATION = np.array([[np.cos(TURN), -np.sin(TURN), 0], [np.sin(TURN), np.cos(TURN), 0], [0, 0, 1]])
GEOMETRIES = {
    "axial": np.diag([-0.5, -0.6, 5.0]),
    "left-handed": np.diag([0.5, -0.6, 5.0]),
    "upside down": np.diag([-0.5, -0.6, -5.0]),
    "sagittal": np.array([[0, 0, 5.0], [-0.5, 0, 0], [0, -0.6, 0]]),
    "oblique": ROTATION @ np.diag([-0.5, -0.6, 5.0]),
}


def voxels():
    """The voxels of a volume with the spot (100) on a darker pattern."""
    values = np.arange(np.prod(SHAPE), dtype=np.int16).reshape(SHAPE) % 40
    values[SPOT] = 100
    return values


def add_volume(scene, axes=GEOMETRIES["axial"], origin=(10.0, -20.0, 30.0), name="CT", values=None):
    """Add a volume node with these voxels (k, j, i), IJK-to-RAS axes and origin."""
    from vtk.util.numpy_support import numpy_to_vtk

    values = voxels() if values is None else values
    data = vtk.vtkImageData()
    data.SetDimensions(*values.shape[::-1])
    data.GetPointData().SetScalars(numpy_to_vtk(values.ravel(), deep=True))
    node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
    node.SetAndObserveImageData(data)
    matrix = vtk.vtkMatrix4x4()
    for row in range(3):
        for column in range(3):
            matrix.SetElement(row, column, axes[row][column])
        matrix.SetElement(row, 3, origin[row])
    node.SetIJKToRASMatrix(matrix)
    return node


def add_linear_transform(scene, axes, translation=(0, 0, 0)):
    matrix = vtk.vtkMatrix4x4()
    for row in range(3):
        for column in range(3):
            matrix.SetElement(row, column, axes[row][column])
        matrix.SetElement(row, 3, translation[row])
    node = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    node.SetMatrixTransformToParent(matrix)
    return node


def add_bend(scene):
    """Add a thin-plate transform that moves the middle by some millimetres and not the far corners."""
    bend = vtk.vtkThinPlateSplineTransform()
    source, target = vtk.vtkPoints(), vtk.vtkPoints()
    for corner in np.ndindex(2, 2, 2):
        point = np.array(corner) * 400.0 - 200
        source.InsertNextPoint(point)
        target.InsertNextPoint(point)
    source.InsertNextPoint(5, -25, 60)
    target.InsertNextPoint(7, -23, 66)
    bend.SetSourceLandmarks(source)
    bend.SetTargetLandmarks(target)
    bend.SetBasisToR()
    node = scene.AddNewNodeByClass("vtkMRMLTransformNode")
    node.SetAndObserveTransformToParent(bend)
    return node


def world_of(node, ijk):
    """The position of a volume's voxel in world coordinates (RAS)."""
    matrix, point = vtk.vtkMatrix4x4(), [0.0] * 3
    node.GetIJKToRASMatrix(matrix)
    local = matrix.MultiplyPoint((*map(float, ijk), 1.0))[:3]
    transform = vtk.vtkGeneralTransform()
    slicer.vtkMRMLTransformNode.GetTransformBetweenNodes(node.GetParentTransformNode(), None, transform)
    transform.TransformPoint(local, point)
    return np.array(point)


def segment_array(segmentationNode, segmentId, volumeNode):
    """The segment on the grid of the volume, read with Slicer's own export."""
    ids = vtk.vtkStringArray()
    ids.InsertNextValue(segmentId)
    exported = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode")
    logic = slicer.vtkSlicerSegmentationsModuleLogic
    assert logic.ExportSegmentsToLabelmapNode(segmentationNode, ids, exported, volumeNode)
    values = slicer.util.arrayFromVolume(exported) > 0
    slicer.mrmlScene.RemoveNode(exported)
    return values


def only_segment(segmentationNode):
    segmentation = segmentationNode.GetSegmentation()
    assert segmentation.GetNumberOfSegments() == 1
    return segmentation.GetNthSegmentID(0)


def segment_editor(scene, segmentation, volume, segmentId):
    """A segment editor node for this segment and volume, and Slicer's segment editor logic."""
    node, logic = scene.AddNewNodeByClass("vtkMRMLSegmentEditorNode"), slicer.vtkSlicerSegmentEditorLogic()
    node.SetAndObserveSegmentationNode(segmentation)
    node.SetAndObserveSourceVolumeNode(volume)
    node.SetSelectedSegmentID(segmentId)
    logic.SetMRMLScene(scene)
    logic.SetSegmentEditorNode(node)
    return node, logic
