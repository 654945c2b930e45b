"""The lesion of one patient is never written into the segmentation of another: real panel, logic and scene."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import SimpleITK as sitk
from lesion_results import lesion_result
from panels import FakeView, new_state, poll_until_idle

slicer = pytest.importorskip("slicer")

from nodes import GEOMETRIES, SPOT, add_linear_transform, add_volume, only_segment, segment_array  # noqa: E402

from StrokeSAMLib.errors import StrokeSAMError  # noqa: E402
from StrokeSAMLib.mrml import StrokeSAMLogic  # noqa: E402
from StrokeSAMLib.mrml.origin import lesionVolume  # noqa: E402
from StrokeSAMLib.ui.lesion_panel import LesionPanel  # noqa: E402

FAR = (300.0, 0.0, 0.0)


def spot_found(inputs, method, progress, cancel, **options):
    """In the stead of a method: what is bright."""
    (image,) = inputs.values()
    mask = sitk.Cast(image > 50, sitk.sitkUInt8)
    made = lesion_result(sitk.GetArrayFromImage(mask) > 0, ncct=sitk.GetArrayFromImage(image).astype(np.float32))
    return replace(made, mask=mask, score=sitk.Cast(mask, sitk.sitkFloat32), brain=mask)


@pytest.fixture
def panel(scene, monkeypatch):
    monkeypatch.setattr("StrokeSAMLib.lesion.segment", spot_found)
    monkeypatch.setattr(
        "StrokeSAMLib.ui.lesion_panel.segmentAndReport",
        lambda request, folder, monitor: SimpleNamespace(result=request.run(), rows=["row"], picture=None),
    )
    view, refined = FakeView(), []
    made = LesionPanel(view, StrokeSAMLogic(scene), lambda *given: refined.append(given), install=lambda names: None)
    made.view, made.refined = view, refined
    yield made
    made.close()


def segmented(panel):
    panel.start()
    poll_until_idle(panel)
    return panel._state.segmentation


def spot():
    found = np.zeros((12, 16, 20), bool)
    found[SPOT] = True
    return found


def test_each_has_a_segmentation_of_its_own(panel, scene):
    first, second = add_volume(scene, name="A"), add_volume(scene, origin=FAR, name="B")
    state = new_state(ncct=first)
    panel.setState(state)
    ofFirst = segmented(panel)
    state.ncct = second
    ofSecond = segmented(panel)
    assert ofSecond.GetName() == "B lesion" and ofSecond is not ofFirst
    for segmentation, volume in ((ofFirst, first), (ofSecond, second)):
        np.testing.assert_array_equal(segment_array(segmentation, only_segment(segmentation), volume), spot())
    panel.refine()
    assert panel.refined[-1][0] is ofSecond and lesionVolume(ofSecond) is second


def test_another_result_of_the_same_volume_is_added_to_what_is_chosen(panel, scene):
    panel.setState(new_state(ncct=add_volume(scene)))
    first = segmented(panel)
    assert segmented(panel) is first and first.GetSegmentation().GetNumberOfSegments() == 2


def test_a_segmentation_of_no_volume_yet_is_written_to_and_refined_on_the_lesions(panel, scene):
    empty, volume = scene.AddNewNodeByClass("vtkMRMLSegmentationNode"), add_volume(scene)
    panel.setState(new_state(ncct=volume, segmentation=empty))
    assert segmented(panel) is empty and lesionVolume(empty) is volume


class TestNoRoom:
    """A script may name any segmentation."""

    @pytest.mark.parametrize("shift", [(300.0, 0, 0), (8.0, 0, 0), (0, 0, 35.0)])
    @pytest.mark.parametrize("moved", ["volume", "segmentation"])
    def test_what_would_be_cut_is_refused_and_nothing_is_written(self, panel, scene, shift, moved):
        first, second = add_volume(scene, name="A"), add_volume(scene, name="B")
        logic = StrokeSAMLogic(scene)
        taken = logic.segmentLesion({"ncct": first}, "asymmetry")
        if moved == "volume":
            second.SetAndObserveTransformNodeID(add_linear_transform(scene, np.eye(3), shift).GetID())
        else:
            taken.SetAndObserveTransformNodeID(add_linear_transform(scene, np.eye(3), np.negative(shift)).GetID())
        with pytest.raises(StrokeSAMError, match="A lesion: the result reaches out"):
            logic.segmentLesion({"ncct": second}, "asymmetry", taken)
        assert taken.GetSegmentation().GetNumberOfSegments() == 1

    @pytest.mark.parametrize("axes", GEOMETRIES.values(), ids=GEOMETRIES)
    def test_where_there_is_room_it_is_written(self, panel, scene, axes):
        first, second = add_volume(scene, axes, name="A"), add_volume(scene, axes, name="B")
        logic = StrokeSAMLogic(scene)
        taken = logic.segmentLesion({"ncct": first}, "asymmetry")
        logic.segmentLesion({"ncct": second}, "asymmetry", taken)
        assert taken.GetSegmentation().GetNumberOfSegments() == 2 and lesionVolume(taken) is second
