"""Volumes and segmentations of a rare geometry: a smaller one, an extent that begins elsewhere, a shear; and NaN."""

import numpy as np
import pytest
from helpers import dice

slicer = pytest.importorskip("slicer")
vtk = pytest.importorskip("vtk")

from balls import MIDDLE, SIZE, ball, box_of, grey  # noqa: E402
from nodes import GEOMETRIES, add_volume, segment_array  # noqa: E402

from StrokeSAMLib.core.errors import InputError, StrokeSAMError  # noqa: E402
from StrokeSAMLib.mrml import StrokeSAMLogic  # noqa: E402
from StrokeSAMLib.mrml.volumes import imageFromVolumeNode  # noqa: E402

SHEARED = np.array([[-0.5, 0, 0], [0, -0.6, 1.5], [0, 0, 5.0]])


def segmented(node, segmentation=None):
    """A session whose object is the ball; nothing is written yet."""
    session = StrokeSAMLogic().startInteractive(node, segmentationNode=segmentation)
    session.addBox(*box_of(node))
    session.propagate()
    return session


def segmentation_of(scene, values, origin=(10.0, -20.0, 30.0)):
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "smaller")
    node.SetReferenceImageGeometryParameterFromVolumeNode(add_volume(scene, origin=origin, values=values))
    return node


@pytest.mark.parametrize("missing", [1, 2, 5])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_session_that_reaches_beyond_the_segmentation_is_refused_and_nothing_is_written(scene, axis, missing):
    """The segmentation ends `missing` voxels before the end of the object."""
    session = segmented(add_volume(scene, values=grey()))
    end = np.argwhere(session.mask())[:, axis].max() + 1 - missing
    smaller = segmentation_of(scene, np.take(grey(), np.arange(end), axis))
    session.segmentationNode = smaller
    with pytest.raises(StrokeSAMError, match="smaller: the result extends beyond"):
        session.apply()
    assert smaller.GetSegmentation().GetNumberOfSegments() == 0


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_session_that_just_fits_is_written_whole(scene, axis):
    node = add_volume(scene, values=grey())
    session = segmented(node)
    end = np.argwhere(session.mask())[:, axis].max() + 1
    session.segmentationNode = segmentation_of(scene, np.take(grey(), np.arange(end), axis))
    written = segment_array(session.segmentationNode, session.apply(), node)
    np.testing.assert_array_equal(written, session.mask())


@pytest.mark.parametrize("axes", GEOMETRIES.values(), ids=GEOMETRIES)
def test_a_volume_whose_extent_does_not_begin_at_0(scene, axes):
    node = add_volume(scene, axes, values=grey())
    plain = imageFromVolumeNode(node)
    first = np.array([7, -3, 2])
    node.GetImageData().SetExtent(*np.stack([first, first + SIZE[::-1] - 1], axis=1).ravel().tolist())
    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    for row in range(3):  # the voxels stay where they are
        matrix.SetElement(row, 3, matrix.GetElement(row, 3) - (axes @ first)[row])
    node.SetIJKToRASMatrix(matrix)
    moved = imageFromVolumeNode(node)
    np.testing.assert_allclose(moved.GetOrigin(), plain.GetOrigin(), atol=1e-9)
    session = StrokeSAMLogic().startInteractive(node)
    number = session.addPoint(ras_of(moved, MIDDLE[::-1]))
    assert session.session.prompt_slices()[number] == MIDDLE[0]
    session.propagate()
    image = labelmap_image(session, session.apply())
    found = np.argwhere(image[0])[:, ::-1] + image[1]
    np.testing.assert_array_equal(np.sort(found - first, axis=0), np.sort(np.argwhere(session.mask())[:, ::-1], axis=0))


def ras_of(image, ijk):
    x, y, z = image.TransformIndexToPhysicalPoint([int(n) for n in ijk])
    return -x, -y, z


def labelmap_image(session, segment):
    """The segment's own voxels, bool (k, j, i), and the index of the first one."""
    from StrokeSAMLib.mrml.segments import segmentLabelmap
    from StrokeSAMLib.mrml.space import voxelsOf

    labelmap = segmentLabelmap(session.segmentationNode, segment)
    return voxelsOf(labelmap) > 0, np.array(labelmap.GetExtent()[::2])


def test_the_object_of_a_sheared_volume_is_written_voxel_by_voxel(scene):
    node = add_volume(scene, SHEARED, values=grey())
    session = segmented(node)
    written = segment_array(session.segmentationNode, session.apply(), node)
    np.testing.assert_array_equal(written, session.mask())
    assert dice(written, ball()) > 0.8


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_volume_with_nan_is_segmented_with_a_note(scene, value):
    values = grey().astype(np.float32)
    values[:, :, :5] = value
    session = segmented(add_volume(scene, values=values))
    assert dice(session.mask(), ball()) > 0.8
    assert f"{12 * 48 * 5} voxels are NaN or infinite: taken as background" in session.session.encodings.notes


def test_a_volume_of_nothing_but_nan_is_refused_by_its_name(scene):
    node = add_volume(scene, name="Tmax map", values=np.full(SIZE, np.nan, np.float32))
    with pytest.raises(InputError, match="Tmax map: every voxel is NaN"):
        StrokeSAMLogic().startInteractive(node)
