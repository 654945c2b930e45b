"""The session of the scripted API: boxes and points in RAS, the written segment, masking, undo, saved prompts."""

import threading

import numpy as np
import pytest
from helpers import dice

slicer = pytest.importorskip("slicer")
vtk = pytest.importorskip("vtk")

from balls import MIDDLE, SIZE, ball, box_of, grey, paint  # noqa: E402
from nodes import (  # noqa: E402
    GEOMETRIES,
    ROTATION,
    add_bend,
    add_linear_transform,
    add_volume,
    segment_array,
    world_of,
)

from StrokeSAMLib.core.errors import Cancelled, InputError, OptionError, StrokeSAMError  # noqa: E402
from StrokeSAMLib.imaging.geometry import patch_of  # noqa: E402
from StrokeSAMLib.mrml import StrokeSAMLogic  # noqa: E402
from StrokeSAMLib.mrml.interactive import savedSession, segmentImage  # noqa: E402
from StrokeSAMLib.mrml.tags import SESSION, readTag, writeTag  # noqa: E402


@pytest.fixture
def volume(scene):
    return add_volume(scene, values=grey())


@pytest.fixture
def logic(scene):
    return StrokeSAMLogic()


def image_of(node, array):
    """A mask on the voxels of a volume node."""
    from StrokeSAMLib.imaging.geometry import image_like
    from StrokeSAMLib.mrml.volumes import snapshotOf

    return image_like(array.astype(np.uint8), snapshotOf(node).image())


@pytest.fixture
def session(logic, volume):
    opened = logic.startInteractive(volume)
    opened.addBox(*box_of(volume))
    return opened


class TestSegment:
    @pytest.mark.parametrize("axes", GEOMETRIES.values(), ids=GEOMETRIES)
    def test_one_box_gives_a_segment(self, scene, logic, axes):
        node = add_volume(scene, axes, values=grey())
        session = logic.startInteractive(node, engine="random-walker")
        session.addBox(*box_of(node))
        assert session.propagate(direction="both", first=None, last=None, stopWhenEmpty=True) > 4
        written = segment_array(session.segmentationNode, session.apply(), node)
        np.testing.assert_array_equal(written, session.mask())
        assert dice(written, ball()) > 0.85

    @pytest.mark.parametrize("kind", ["rigid", "bend"])
    def test_under_a_parent_transform(self, scene, logic, kind):
        node = add_volume(scene, values=grey())
        transform = add_linear_transform(scene, ROTATION, (5, 6, 7)) if kind == "rigid" else add_bend(scene)
        node.SetAndObserveTransformNodeID(transform.GetID())
        session = logic.startInteractive(node)
        session.addPoint(world_of(node, MIDDLE[::-1]))
        session.propagate()
        written = segment_array(session.segmentationNode, session.apply(), node)
        assert written[MIDDLE] and (written & ball()).sum() > 0 and (written & ~ball()).sum() < 0.3 * written.sum()

    def test_a_scribble_a_lasso_and_a_mask(self, session, volume):
        k, j, i = MIDDLE
        session.propagate()
        session.addLasso([world_of(volume, (i + a, j + b, k)) for a, b in ((-9, -8), (9, -8), (9, 8), (-9, 8))])
        session.addScribble([world_of(volume, (i - 4, j - 4, k)), world_of(volume, (i + 4, j - 4, k))], positive=False)
        excluded = np.zeros(SIZE, bool)
        excluded[:, j + 3 :] = True
        session.addMask(image_of(volume, excluded), positive=False)
        found = session.mask()
        assert found[MIDDLE] and not found[k, j - 4, i - 4 : i + 5].any() and not found[:, j + 3 :].any()

    def test_the_segmentation_under_another_transform_than_the_volume(self, scene, logic, volume):
        segmentation = scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
        segmentation.SetAndObserveTransformNodeID(add_linear_transform(scene, np.eye(3), (4, 0, 0)).GetID())
        segmentation.SetReferenceImageGeometryParameterFromVolumeNode(volume)
        session = logic.startInteractive(volume, segmentationNode=segmentation)
        session.addBox(*box_of(volume))
        session.propagate()
        assert dice(segment_array(segmentation, session.apply(), volume), ball()) > 0.85

    def test_in_the_plane_of_a_view(self, scene, logic, volume):
        view = scene.AddNewNodeByClass("vtkMRMLSliceNode")
        view.SetSliceToRASByNTP(0, 1, 0.5, 1, 0, 0, *world_of(volume, MIDDLE[::-1]), 0)
        session = logic.startInteractive(volume, viewNode=view)
        assert "normal" in session.session.stack.plane
        session.addPoint(world_of(volume, MIDDLE[::-1]))
        session.propagate()
        assert dice(segment_array(session.segmentationNode, session.apply(), volume), ball()) > 0.6

    def test_a_correction(self, session, volume):
        session.propagate()
        before = session.mask()
        number = session.addPoint(world_of(volume, MIDDLE[::-1]), positive=False)
        session.propagate()
        assert not session.mask()[MIDDLE] and before[MIDDLE]
        session.removePrompt(number)
        assert session.mask()[MIDDLE]

    def test_undo_and_redo_of_prompts(self, session, volume):
        session.propagate()
        after = session.mask()
        assert session.undo() and session.mask().sum() < after.sum()
        assert session.redo() and (session.mask() == after).all()
        assert not session.redo()


class TestExistingContent:
    def test_painted_voxels_stay(self, session, volume):
        first = session.apply()
        paint(session.segmentationNode, first, volume, (slice(0, 2), slice(0, 4), slice(0, 4)))
        session.propagate()
        session.apply()
        written = segment_array(session.segmentationNode, first, volume)
        assert written[:2, :4, :4].all() and dice(written[:, 8:], ball()[:, 8:]) > 0.85

    def test_the_sessions_earlier_result_is_replaced(self, session, volume):
        session.propagate()
        segment = session.apply()
        propagated = segment_array(session.segmentationNode, segment, volume)
        session.undo()
        session.apply()
        one = segment_array(session.segmentationNode, segment, volume)
        assert one.any(axis=(1, 2)).sum() == 1 and propagated.any(axis=(1, 2)).sum() > 4

    def test_another_result_after_undo_in_the_segmentation(self, logic, session, volume):
        segment = session.apply()
        session.propagate()
        session.apply()
        logic.writer.undo()
        assert segment_array(session.segmentationNode, segment, volume).any(axis=(1, 2)).sum() == 1
        logic.writer.redo()
        session.addPoint(world_of(volume, MIDDLE[::-1]), positive=False)
        session.apply()
        assert not segment_array(session.segmentationNode, segment, volume)[MIDDLE]

    def test_the_same_result_after_undo_in_the_segmentation(self, logic, session, volume):
        session.propagate()
        segment = session.apply()
        session.addPoint(world_of(volume, MIDDLE[::-1]), positive=False)
        session.apply()
        logic.writer.undo()
        session.apply()
        np.testing.assert_array_equal(segment_array(session.segmentationNode, segment, volume), session.mask())

    def test_refining_a_segments_content(self, logic, session, volume):
        session.propagate()
        segment = session.apply()
        again = logic.startInteractive(volume, segmentationNode=session.segmentationNode, segmentId=segment)
        again.refine()
        again.addPoint(world_of(volume, MIDDLE[::-1]), positive=False)
        again.apply()
        written = segment_array(session.segmentationNode, segment, volume)
        assert not written[MIDDLE] and written.sum() > ball().sum() / 2

    def test_the_object_is_kept_out_of_a_neighbour_that_survives(self, logic, session, volume):
        half = (slice(None), slice(None), slice(0, MIDDLE[2]))
        segmentation = session.segmentationNode
        neighbour = segmentation.GetSegmentation().AddEmptySegment("", "neighbour")
        paint(segmentation, neighbour, volume, half)
        session.addSegment(neighbour, positive=False)
        session.propagate()
        written = segment_array(segmentation, session.apply(), volume)
        assert not written[half].any() and written.any()
        assert segment_array(segmentation, neighbour, volume)[half].all()

    def test_the_editable_intensity_range_applies(self, logic, session, volume):
        slicer.util.arrayFromVolume(volume)[MIDDLE] = 500
        logic.writer.editorNode.SetSourceVolumeIntensityMask(True)
        logic.writer.editorNode.SetSourceVolumeIntensityMaskRange(0, 200)
        session.propagate()
        written = segment_array(session.segmentationNode, session.apply(), volume)
        assert session.mask()[MIDDLE] and not written[MIDDLE]


class TestSavedPrompts:
    def test_prompts_are_saved_with_the_scene_and_reopened(self, scene, logic, session, volume, tmp_path):
        session.propagate()
        segment = session.apply()
        expected = session.mask()
        storage = scene.AddNewNodeByClass("vtkMRMLSegmentationStorageNode")
        storage.SetFileName(str(tmp_path / "lesion.seg.nrrd"))
        assert storage.WriteData(session.segmentationNode)
        reread = scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
        assert storage.ReadData(reread)
        opened = logic.reopenInteractive(volume, reread, segment)
        assert (opened.mask() == expected).all()
        opened.addPoint(world_of(volume, MIDDLE[::-1]), positive=False)
        opened.apply()
        assert not segment_array(reread, segment, volume)[MIDDLE]

    def test_a_bar_in_a_tag_survives_saving(self, scene, session, volume, tmp_path):
        segment = session.segmentationNode.GetSegmentation().GetSegment(session.apply())
        writeTag(segment, "Odd", {"name": "a|b:c"})
        storage = scene.AddNewNodeByClass("vtkMRMLSegmentationStorageNode")
        storage.SetFileName(str(tmp_path / "lesion.seg.nrrd"))
        assert storage.WriteData(session.segmentationNode)
        reread = scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
        assert storage.ReadData(reread)
        assert readTag(reread.GetSegmentation().GetNthSegment(0), "Odd") == {"name": "a|b:c"}

    def test_another_volume_is_refused_with_both_hashes(self, scene, logic, session, volume):
        segment = session.apply()
        other = add_volume(scene, values=grey() + 1, name="Other CT")
        with pytest.raises(InputError, match=r"Other CT: not the volume of the session: .*[0-9a-f]{64}.*[0-9a-f]{64}"):
            logic.reopenInteractive(other, session.segmentationNode, segment)

    def test_missing_and_invalid_prompts_are_refused(self, logic, session, volume):
        segmentation = session.segmentationNode
        empty = segmentation.GetSegmentation().AddEmptySegment("", "empty")
        with pytest.raises(InputError, match="no prompts are saved with segment"):
            logic.reopenInteractive(volume, segmentation, empty)
        segment = segmentation.GetSegmentation().GetSegment(empty)
        for text in ("{", "[]", '{"actions": []}'):
            segment.SetTag(SESSION, text)
            with pytest.raises(InputError, match="empty: its saved prompts cannot be read"):
                savedSession(segment)


class TestBadInput:
    def test_the_error_names_the_volume(self, scene, logic):
        flat = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Flat")
        with pytest.raises(InputError, match="Flat: the volume has no voxels"):
            logic.startInteractive(flat)

    def test_a_wrong_engine_segment_or_position_is_refused(self, logic, volume, session):
        with pytest.raises(OptionError, match="no engine 'magic'"):
            logic.startInteractive(volume, engine="magic")
        with pytest.raises(StrokeSAMError, match="no segment 'x'"):
            logic.startInteractive(volume, segmentationNode=session.segmentationNode, segmentId="x")
        with pytest.raises(StrokeSAMError, match="there is no segment 'x'"):
            session.addSegment("x")
        for position in ((1, 2), "abc", (1e6, 0, 0), (None, 0, 0)):
            with pytest.raises(InputError):
                session.addPoint(position)

    def test_a_cancelled_propagation_keeps_the_visited_slices(self, session):
        cancel = threading.Event()
        with pytest.raises(Cancelled):
            session.propagate(progress=lambda fraction, text: cancel.set(), cancel=cancel)
        assert session.mask().any(axis=(1, 2)).sum() >= 2

    def test_after_the_scene_is_closed_apply_is_cancelled(self, scene, session):
        scene.Clear(False)
        with pytest.raises(Cancelled):
            session.apply()


def test_a_segment_as_an_image_has_the_same_place(scene, session, volume):
    session.propagate()
    image = segmentImage(session.segmentationNode, session.apply())
    x, y, z = world_of(volume, MIDDLE[::-1])
    assert image[image.TransformPhysicalPointToIndex((-x, -y, z))] == 1


def test_a_patch_is_the_bounding_box():
    import SimpleITK as sitk

    mask = sitk.GetImageFromArray(ball().astype(np.uint8))
    patch = patch_of(mask)
    assert patch.start == (21, 14, 3) and patch.image.GetSize() == (19, 17, 7) and patch.size == SIZE[::-1]
    assert sitk.GetArrayFromImage(patch.image).sum() == ball().sum()
    assert patch_of(mask * 0).image.GetSize() == (1, 1, 1)
