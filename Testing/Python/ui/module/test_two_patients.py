"""The lesion of one patient is never written into the segmentation of another. Panel, logic and scene are real."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import SimpleITK as sitk
from lesion_results import lesion_result
from panels import FakeView, new_state, poll_until_idle

slicer = pytest.importorskip("slicer")

from nodes import GEOMETRIES, SPOT, add_linear_transform, add_volume, only_segment, segment_array  # noqa: E402

from StrokeSAMLib.core.errors import StrokeSAMError  # noqa: E402
from StrokeSAMLib.mrml import StrokeSAMLogic  # noqa: E402
from StrokeSAMLib.mrml.origin import lesionVolume  # noqa: E402
from StrokeSAMLib.ui.module.lesion_panel import LesionPanel  # noqa: E402

FAR = (300.0, 0.0, 0.0)
MEASUREMENTS = {"volume_ml": 1.0, "side": "left", "components": [], "intensities": {}, "possible_ml": None}


def threshold(inputs, method, progress, cancel, **options):
    """A method that segments the bright voxels."""
    (image,) = inputs.values()
    mask = sitk.Cast(image > 50, sitk.sitkUInt8)
    result = lesion_result(sitk.GetArrayFromImage(mask) > 0, ncct=sitk.GetArrayFromImage(image).astype(np.float32))
    return replace(result, mask=mask, score=sitk.Cast(mask, sitk.sitkFloat32), brain=mask)


@pytest.fixture
def panel(scene, monkeypatch):
    monkeypatch.setattr("StrokeSAMLib.lesion.segment", threshold)
    monkeypatch.setattr(
        "StrokeSAMLib.ui.module.lesion_panel.segmentAndReport",
        lambda request, folder, monitor: SimpleNamespace(
            result=request.run(), measurements=MEASUREMENTS, picture=None, focus=(0, 0, 0), warnings=()
        ),
    )
    view, refined = FakeView(), []
    logic = StrokeSAMLogic(scene)
    panel = LesionPanel(view, logic, lambda *arguments: refined.append(arguments), install=lambda names: None)
    panel.view, panel.refined = view, refined
    yield panel
    panel.close()


def segment(panel):
    """Run a segmentation to its end and return the chosen segmentation node."""
    panel.start()
    poll_until_idle(panel)
    return panel._state.segmentation


def spot():
    mask = np.zeros((12, 16, 20), bool)
    mask[SPOT] = True
    return mask


def test_each_patient_has_a_segmentation_of_its_own(panel, scene):
    first, second = add_volume(scene, name="A"), add_volume(scene, origin=FAR, name="B")
    state = new_state(ncct=first)
    panel.setState(state)
    ofFirst = segment(panel)
    state.ncct = second
    ofSecond = segment(panel)
    assert ofSecond.GetName() == "B lesion" and ofSecond is not ofFirst
    for segmentation, volume in ((ofFirst, first), (ofSecond, second)):
        np.testing.assert_array_equal(segment_array(segmentation, only_segment(segmentation), volume), spot())
    panel.refine()
    assert panel.refined[-1][0] is ofSecond and lesionVolume(ofSecond) is second


def test_the_result_disappears_when_a_segmentation_of_another_patient_is_chosen(panel, scene):
    first, second = add_volume(scene, name="A"), add_volume(scene, origin=FAR, name="B")
    state = new_state(ncct=first)
    panel.setState(state)
    ofFirst = segment(panel)
    panel.onState()
    assert panel.view.last("showResult")[0]
    state.segmentation = StrokeSAMLogic(scene).segmentLesion({"ncct": second}, "asymmetry")
    panel.onState()
    assert panel.view.last("showResult") == ([], None)
    state.segmentation = ofFirst
    assert segment(panel) is ofFirst and panel.view.last("showResult")[0]


def test_another_result_of_the_same_volume_is_added_to_the_chosen_segmentation(panel, scene):
    panel.setState(new_state(ncct=add_volume(scene)))
    first = segment(panel)
    assert segment(panel) is first and first.GetSegmentation().GetNumberOfSegments() == 2


def test_a_segmentation_without_a_volume_is_written_to_and_gets_the_lesions_volume(panel, scene):
    empty, volume = scene.AddNewNodeByClass("vtkMRMLSegmentationNode"), add_volume(scene)
    panel.setState(new_state(ncct=volume, segmentation=empty))
    assert segment(panel) is empty and lesionVolume(empty) is volume


class TestResultsBeyondTheGeometry:
    """A script may write into any segmentation."""

    @pytest.mark.parametrize("shift", [(300.0, 0, 0), (8.0, 0, 0), (0, 0, 35.0)])
    @pytest.mark.parametrize("moved", ["volume", "segmentation"])
    def test_a_result_that_would_be_cut_off_is_refused(self, panel, scene, shift, moved):
        first, second = add_volume(scene, name="A"), add_volume(scene, name="B")
        logic = StrokeSAMLogic(scene)
        segmentation = logic.segmentLesion({"ncct": first}, "asymmetry")
        if moved == "volume":
            second.SetAndObserveTransformNodeID(add_linear_transform(scene, np.eye(3), shift).GetID())
        else:
            segmentation.SetAndObserveTransformNodeID(
                add_linear_transform(scene, np.eye(3), np.negative(shift)).GetID()
            )
        with pytest.raises(StrokeSAMError, match="A lesion: the result extends beyond"):
            logic.segmentLesion({"ncct": second}, "asymmetry", segmentation)
        assert segmentation.GetSegmentation().GetNumberOfSegments() == 1

    @pytest.mark.parametrize("axes", GEOMETRIES.values(), ids=GEOMETRIES)
    def test_a_result_that_fits_is_written(self, panel, scene, axes):
        first, second = add_volume(scene, axes, name="A"), add_volume(scene, axes, name="B")
        logic = StrokeSAMLogic(scene)
        segmentation = logic.segmentLesion({"ncct": first}, "asymmetry")
        logic.segmentLesion({"ncct": second}, "asymmetry", segmentation)
        assert segmentation.GetSegmentation().GetNumberOfSegments() == 2 and lesionVolume(segmentation) is second
