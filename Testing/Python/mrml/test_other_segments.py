"""Several segments of a segmentation as one mask, and when it has changed."""

import gc
import time

import numpy as np
import pytest

slicer = pytest.importorskip("slicer")
vtk = pytest.importorskip("vtk")

import SimpleITK as sitk  # noqa: E402
from nodes import ROTATION, SHAPE, add_linear_transform, add_volume, segment_editor  # noqa: E402
from vtk.util.numpy_support import get_vtk_array_type, numpy_to_vtk  # noqa: E402

from StrokeSAMLib.mrml import other_segments  # noqa: E402
from StrokeSAMLib.mrml.contribution import Contribution  # noqa: E402
from StrokeSAMLib.mrml.other_segments import SegmentsSnapshot, otherSegments  # noqa: E402
from StrokeSAMLib.mrml.segments import segmentLabelmap  # noqa: E402
from StrokeSAMLib.mrml.volumes import imageFromVolumeNode  # noqa: E402

LOGIC = slicer.vtkSlicerSegmentationsModuleLogic
NAME = slicer.vtkSegmentationConverter.GetBinaryLabelmapRepresentationName()
LEFT, MIDDLE, RIGHT = (np.s_[2:9, 3:12, start : start + 5] for start in (1, 6, 11))
LAST = np.s_[-2:, 3:12, 1:12]


@pytest.fixture
def volume(scene):
    return add_volume(scene)


@pytest.fixture
def segmentation(scene, volume):
    return new_segmentation(scene, volume)


def new_segmentation(scene, volume):
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    node.CreateDefaultDisplayNodes()
    node.SetReferenceImageGeometryParameterFromVolumeNode(volume)
    return node


def labelmap_of(volume, values, factor=1):
    """Voxels (k, j, i) as a labelmap; `factor` voxels of it are as wide as one of the volume."""
    data, matrix = vtk.vtkImageData(), vtk.vtkMatrix4x4()
    data.SetDimensions(*values.shape[::-1])
    scalars = numpy_to_vtk(values.ravel(), deep=True, array_type=get_vtk_array_type(values.dtype))
    data.GetPointData().SetScalars(scalars)
    labelmap = slicer.vtkOrientedImageData()
    labelmap.ShallowCopy(data)
    volume.GetIJKToRASMatrix(matrix)
    offset = matrix.MultiplyPoint((*[(1 / factor - 1) / 2] * 3, 1))
    for row in range(3):
        matrix.SetElement(row, 3, offset[row])
        for column in range(3):
            matrix.SetElement(row, column, matrix.GetElement(row, column) / factor)
    labelmap.SetGeometryFromImageToWorldMatrix(matrix)
    return labelmap


def mask_of(where, shape=SHAPE):
    values = np.zeros(shape, np.uint8)
    values[where] = 1
    return values


def write(segmentation, segment, volume, where, shape=SHAPE):
    """Set a segment's voxels as Slicer does. Segments that do not overlap share a labelmap."""
    LOGIC.SetBinaryLabelmapToSegment(labelmap_of(volume, mask_of(where, shape)), segmentation, segment)


def add(segmentation, volume, where, shape=SHAPE):
    segment = segmentation.GetSegmentation().AddEmptySegment("")
    write(segmentation, segment, volume, where, shape)
    return segment


def add_with_grid_of_its_own(segmentation, volume, values, factor=1, label=1):
    segment = slicer.vtkSegment()
    segment.SetLabelValue(label)
    segment.AddRepresentation(NAME, labelmap_of(volume, values, factor))
    assert segmentation.GetSegmentation().AddSegment(segment, f"label {label}")


def on_volume(image, volume):
    """An image in world coordinates on the grid of the volume, bool (k, j, i)."""
    on_grid = sitk.Resample(image, imageFromVolumeNode(volume), sitk.Transform(), sitk.sitkNearestNeighbor)
    return sitk.GetArrayFromImage(on_grid) > 0


def others_of(segmentation, segment, volume):
    image = SegmentsSnapshot.of(segmentation, otherSegments(segmentation, segment)).image()
    return np.zeros(SHAPE, bool) if image is None else on_volume(image, volume)


def test_the_mask_holds_the_other_visible_segments(segmentation, volume):
    own, neighbour, hidden = (add(segmentation, volume, where) for where in (LEFT, MIDDLE, RIGHT))
    assert segmentation.GetSegmentation().GetNumberOfLayers() == 1
    segmentation.GetDisplayNode().SetSegmentVisibility(hidden, False)
    assert list(otherSegments(segmentation, own)) == [neighbour]
    assert (others_of(segmentation, own, volume) == mask_of(MIDDLE)).all()
    segmentation.GetDisplayNode().SetSegmentVisibility(hidden, True)
    assert (others_of(segmentation, own, volume) == mask_of(MIDDLE) | mask_of(RIGHT)).all()


def test_segments_that_overlap_are_merged(segmentation, volume):
    own = add(segmentation, volume, LEFT)
    for where in (LEFT, MIDDLE, np.s_[2:9, 5:9, 4:9], LAST):
        add(segmentation, volume, where)
    assert segmentation.GetSegmentation().GetNumberOfLayers() > 1
    expected = mask_of(LEFT) | mask_of(MIDDLE) | mask_of(LAST)
    assert (others_of(segmentation, own, volume) == expected).all()


def test_a_layer_on_a_finer_grid_keeps_its_detail(segmentation, volume):
    own, _ = add(segmentation, volume, LEFT), add(segmentation, volume, RIGHT)
    fine = mask_of(np.s_[5:18, 6:24, 12:22], tuple(2 * n for n in SHAPE))
    add_with_grid_of_its_own(segmentation, volume, fine, 2)
    image = SegmentsSnapshot.of(segmentation, otherSegments(segmentation, own)).image()
    volume_of_voxel = np.prod(image.GetSpacing())
    expected = fine.sum() * volume_of_voxel + mask_of(RIGHT).sum() * np.prod(imageFromVolumeNode(volume).GetSpacing())
    assert np.isclose(sitk.GetArrayFromImage(image).sum() * volume_of_voxel, expected)
    assert on_volume(image, volume)[RIGHT].all()


def test_a_label_above_255(segmentation, volume):
    own = add(segmentation, volume, LEFT)
    values = mask_of(MIDDLE) * np.uint16(300) + mask_of(RIGHT) * np.uint16(44)
    add_with_grid_of_its_own(segmentation, volume, values, label=300)
    assert (others_of(segmentation, own, volume) == mask_of(MIDDLE)).all()


def test_empty_segments_give_no_mask(segmentation, volume):
    own = segmentation.GetSegmentation().AddEmptySegment("")
    segmentation.GetSegmentation().AddEmptySegment("")
    assert otherSegments(segmentation, own) == {}
    write(segmentation, own, volume, LEFT)
    assert SegmentsSnapshot.of(segmentation, otherSegments(segmentation, own)).image() is None
    assert SegmentsSnapshot.of(segmentation, ["no such segment"]).image() is None


def test_a_snapshot_has_a_segment_as_it_was_before_or_after_a_change(segmentation, volume):
    own, neighbour = add(segmentation, volume, LEFT), add(segmentation, volume, MIDDLE)
    state = otherSegments(segmentation, own)
    snapshot = SegmentsSnapshot.of(segmentation, [neighbour])
    write(segmentation, neighbour, volume, RIGHT)
    seen = on_volume(snapshot.image(), volume)
    assert any((seen == mask_of(where)).all() for where in (MIDDLE, RIGHT))
    assert otherSegments(segmentation, own) != state
    assert (others_of(segmentation, own, volume) == mask_of(RIGHT)).all()


def test_a_snapshot_outlives_its_segment(segmentation, volume):
    neighbour = add(segmentation, volume, MIDDLE)
    snapshot = SegmentsSnapshot.of(segmentation, [neighbour])
    segmentation.GetSegmentation().RemoveAllSegments()
    gc.collect()
    assert (on_volume(snapshot.image(), volume) == mask_of(MIDDLE)).all()


def test_the_voxels_of_a_snapshot_do_not_change_while_they_are_converted(segmentation, volume, monkeypatch):
    neighbour = add(segmentation, volume, MIDDLE)
    snapshot = SegmentsSnapshot.of(segmentation, [neighbour])
    convert = other_segments._maskOf

    def changed_before(layer, labels):
        write(segmentation, neighbour, volume, RIGHT)
        return convert(layer, labels)

    monkeypatch.setattr(other_segments, "_maskOf", changed_before)
    assert (on_volume(snapshot.image(), volume) == mask_of(MIDDLE)).all()


def test_the_state_changes_with_the_segments(segmentation, volume):
    own, neighbour = add(segmentation, volume, LEFT), add(segmentation, volume, MIDDLE)
    states = [otherSegments(segmentation, own)]
    assert otherSegments(segmentation, own) == states[0]

    def has_changed():
        states.append(otherSegments(segmentation, own))
        return states[-1] != states[-2]

    write(segmentation, neighbour, volume, RIGHT)
    assert has_changed()
    segmentation.GetDisplayNode().SetSegmentVisibility(neighbour, False)
    assert has_changed()
    segmentation.GetDisplayNode().SetSegmentVisibility(neighbour, True)
    assert has_changed()
    segmentation.GetSegmentation().GetSegment(neighbour).SetTag("StrokeSAM.test", "1")
    assert not has_changed()


def test_a_transform_moves_the_mask(scene, segmentation, volume):
    own, _ = add(segmentation, volume, LEFT), add(segmentation, volume, MIDDLE)
    before = otherSegments(segmentation, own)
    transform = add_linear_transform(scene, ROTATION, (5, 6, 7)).GetID()
    for node in (segmentation, volume):
        node.SetAndObserveTransformNodeID(transform)
    assert otherSegments(segmentation, own) != before
    assert (others_of(segmentation, own, volume) == mask_of(MIDDLE)).all()


@pytest.mark.parametrize("where", [MIDDLE, LAST, None])
def test_a_segments_labelmap_is_cropped(segmentation, volume, where):
    _, segment = add(segmentation, volume, LEFT), segmentation.GetSegmentation().AddEmptySegment("")
    if where is not None:
        write(segmentation, segment, volume, where)
    labelmap = segmentLabelmap(segmentation, segment)
    expected = slicer.vtkOrientedImageData()
    assert segmentation.GetBinaryLabelmapRepresentation(segment, expected)
    voxels = np.asarray(labelmap.GetPointData().GetScalars())
    assert voxels.sum() == np.asarray(expected.GetPointData().GetScalars()).sum() and voxels.all()
    for getter in ("GetOrigin", "GetSpacing"):
        assert getattr(labelmap, getter)() == getattr(expected, getter)()
    assert slicer.vtkOrientedImageDataResample.DoGeometriesMatch(labelmap, expected)


class Writing:
    """A session's result in one segment, beside Slicer's own writing of the same labelmap."""

    def __init__(self, scene, segmentation, volume, segment):
        self.segmentation, self.segment, self.contribution = segmentation, segment, Contribution()
        self.node, self.logic = segment_editor(scene, segmentation, volume, segment)

    def write(self, compose):
        assert self.logic.ResetModifierLabelmapToDefault()
        modifier = self.logic.GetModifierLabelmap()
        isGrowing = compose(modifier)
        self.logic.SaveStateForUndo()
        mode = self.logic.ModificationModeAdd if isGrowing else self.logic.ModificationModeSet
        self.logic.ModifySegmentByLabelmap(self.segmentation, self.segment, modifier, mode, False, False)

    def result(self, labelmap):
        """Write the session's result as the effect does."""
        current = segmentLabelmap(self.segmentation, self.segment)
        self.write(lambda modifier: self.contribution.compose(modifier, current, labelmap))
        self.contribution.recordWritten(segmentLabelmap(self.segmentation, self.segment))

    def slicers(self, labelmap):
        """Write the labelmap as a Slicer effect does that covers all of the grid."""
        operations = slicer.vtkOrientedImageDataResample

        def compose(modifier):
            assert operations.ModifyImage(modifier, labelmap, operations.OPERATION_MAXIMUM)
            return False

        self.write(compose)


@pytest.mark.parametrize("masking", ["none", "intensities", "outside other segments"])
@pytest.mark.parametrize("second", [MIDDLE, LAST, np.s_[:0], np.s_[1:10, 2:12, 1:12]])
def test_the_segment_is_the_same_as_with_slicers_own_writing(scene, volume, masking, second):
    """The second result lies beside the first, which masking keeps, or contains it."""
    arrays = []
    for method in ("result", "slicers"):
        node = new_segmentation(scene, volume)
        segment, other = add(node, volume, np.s_[:0]), add(node, volume, np.s_[4:6, :, 4:9])
        writing = Writing(scene, node, volume, segment)
        getattr(writing, method)(labelmap_of(volume, mask_of(LEFT)))
        if masking == "intensities":
            writing.node.SetSourceVolumeIntensityMask(True)
            writing.node.SetSourceVolumeIntensityMaskRange(10, 30)
        elif masking != "none":
            writing.node.SetMaskMode(slicer.vtkMRMLSegmentationNode.EditAllowedOutsideAllSegments)
        getattr(writing, method)(labelmap_of(volume, mask_of(second)))
        both = (SegmentsSnapshot.of(node, [id]).image() for id in (segment, other))
        arrays.append([np.zeros(SHAPE, bool) if image is None else on_volume(image, volume) for image in both])
    assert np.array_equal(*arrays)


BIG = (64, 256, 256)
STRIPES = [np.s_[:, :, start : start + 20] for start in range(0, 200, 20)]
OBJECT = np.s_[20:40, 100:160, 210:250]


@pytest.fixture
def many(scene):
    """A large volume with ten segments that share a labelmap, and another segment."""
    volume = add_volume(scene, values=np.zeros(BIG, np.int16))
    node = new_segmentation(scene, volume)
    ids = [add(node, volume, where, BIG) for where in STRIPES]
    return node, volume, ids, add(node, volume, np.s_[0, 0, 255], BIG)


def duration(run, tries=5):
    """The least CPU time of several tries, seconds; the time of other processes does not count."""
    times = []
    for _ in range(tries):
        start = time.process_time()
        run()
        times.append(time.process_time() - start)
    return min(times)


@pytest.mark.perf
def test_ten_segments_take_less_of_the_main_thread_than_slicers_labelmap_of_one(many):
    node, _, ids, own = many
    own_labelmap = slicer.vtkOrientedImageData()
    slicers = duration(lambda: node.GetBinaryLabelmapRepresentation(ids[0], own_labelmap))
    assert duration(lambda: otherSegments(node, own)) < 0.2 * slicers
    assert duration(lambda: SegmentsSnapshot.of(node, otherSegments(node, own))) < 0.2 * slicers


@pytest.mark.perf
def test_ten_layers_take_less_of_the_main_thread_than_a_copy_of_one(scene):
    """Segments that overlap have a labelmap each."""
    volume = add_volume(scene, values=np.zeros(BIG, np.int16))
    node = new_segmentation(scene, volume)
    for _ in range(10):
        add(node, volume, np.s_[:], BIG)
    assert node.GetSegmentation().GetNumberOfLayers() == 10
    layer = node.GetSegmentation().GetNthSegment(0).GetRepresentation(NAME)
    copy = slicer.vtkOrientedImageData()
    of_one = duration(lambda: copy.DeepCopy(layer))
    assert duration(lambda: SegmentsSnapshot.of(node, otherSegments(node, ""))) < of_one


@pytest.mark.perf
def test_writing_is_hardly_slower_than_slicers_own(scene, many):
    node, volume, _, own = many
    writing, labelmap = Writing(scene, node, volume, own), labelmap_of(volume, mask_of(OBJECT, BIG))
    slicers = duration(lambda: writing.slicers(labelmap))
    assert duration(lambda: writing.result(labelmap)) < 1.3 * slicers
