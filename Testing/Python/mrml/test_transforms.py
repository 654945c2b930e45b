"""Copies of transforms: later changes of the scene's transforms do not change them."""

import numpy as np
import pytest
from helpers import array

slicer = pytest.importorskip("slicer")
vtk = pytest.importorskip("vtk")

from nodes import ROTATION, add_bend, add_linear_transform, add_volume  # noqa: E402

from StrokeSAMLib.mrml.transforms import copyTransform  # noqa: E402
from StrokeSAMLib.mrml.volumes import snapshotOf, worldTransform  # noqa: E402

PLACES = [(0.0, 0.0, 0.0), (5.0, -25.0, 60.0), (-20.0, 15.0, 40.0)]
STEP = 7.0


def add_grid(scene, kind=slicer.vtkOrientedGridTransform):
    """Add a grid of displacements, largest in its middle, with rotated axes."""
    data, axes = vtk.vtkImageData(), vtk.vtkMatrix4x4()
    data.SetDimensions(5, 5, 5)
    data.SetSpacing(50, 50, 50)
    data.SetOrigin(-100, -100, -40)
    data.AllocateScalars(vtk.VTK_DOUBLE, 3)
    data.GetPointData().GetScalars().Fill(0.0)
    for component in range(3):
        for k, j, i in np.ndindex(3, 3, 3):
            data.SetScalarComponentFromDouble(i + 1, j + 1, k + 1, component, 4.0)
    for row in range(3):
        for column in range(3):
            axes.SetElement(row, column, ROTATION[row, column])
    grid = kind()
    grid.SetGridDirectionMatrix(axes)
    if kind is slicer.vtkOrientedGridTransform:
        grid.SetDisplacementGridData(data)
    else:
        grid.SetCoefficientData(data)
        grid.SetBulkTransformMatrix(vtk.vtkMatrix4x4())
    node = scene.AddNewNodeByClass("vtkMRMLTransformNode")
    node.SetAndObserveTransformToParent(grid)
    return node


def add_splines(scene):
    return add_grid(scene, slicer.vtkOrientedBSplineTransform)


def add_turn(scene):
    return add_linear_transform(scene, ROTATION, (5, 6, 7))


def change(node):
    """Change the node's transform in place, as modules of Slicer do."""
    transform = node.GetTransformToParent()
    if isinstance(transform, vtk.vtkLinearTransform):
        matrix = vtk.vtkMatrix4x4()
        matrix.SetElement(0, 3, STEP)
        node.SetMatrixTransformToParent(matrix)
    elif isinstance(transform, vtk.vtkThinPlateSplineTransform):
        points = transform.GetTargetLandmarks()
        for n in range(points.GetNumberOfPoints()):
            points.SetPoint(n, np.add(points.GetPoint(n), STEP))
        points.Modified()
    else:
        transform.SetDisplacementScale(2.0)
        transform.GetGridDirectionMatrix().SetElement(0, 3, STEP)
    transform.Modified()


def to_world(node):
    live = vtk.vtkGeneralTransform()
    slicer.vtkMRMLTransformNode.GetTransformBetweenNodes(node, None, live)
    return live


def places(transform):
    return np.array([transform.TransformPoint(place) for place in PLACES])


@pytest.mark.parametrize("add", [add_turn, add_bend, add_grid, add_splines])
@pytest.mark.parametrize("inverted", [False, True])
@pytest.mark.parametrize("chained", [False, True])
class TestCopy:
    def test_a_copy_maps_to_the_same_places_after_the_original_changes(self, scene, add, inverted, chained):
        transform = outer = add(scene)
        if inverted:
            transform.Inverse()
        if chained:
            outer = add_turn(scene)
            transform.SetAndObserveTransformNodeID(outer.GetID())
        before = places(to_world(transform))
        copy = copyTransform(to_world(transform))
        np.testing.assert_allclose(places(copy), before, atol=1e-6)
        change(outer)
        if not inverted:
            change(transform)
        assert np.abs(places(to_world(transform)) - before).max() > 0.5
        np.testing.assert_allclose(places(copyTransform(copy)), before, atol=1e-6)
        np.testing.assert_allclose(places(copy), before, atol=1e-6)


@pytest.mark.parametrize("add", [add_turn, add_bend])
def test_a_snapshot_keeps_the_volumes_earlier_place(scene, add):
    node, transform = add_volume(scene), add(scene)
    node.SetAndObserveTransformNodeID(transform.GetID())
    before, snapshot = snapshotOf(node).image(), snapshotOf(node)
    change(transform)
    after = snapshot.image()
    assert (after.GetOrigin(), after.GetSize()) == (before.GetOrigin(), before.GetSize())
    np.testing.assert_array_equal(array(after), array(before))
    assert snapshotOf(node).image().GetOrigin() != before.GetOrigin()


def test_a_volume_without_a_parent_has_no_world_transform(scene):
    assert worldTransform(add_volume(scene)) is None
