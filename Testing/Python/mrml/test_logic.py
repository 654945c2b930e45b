"""Volumes in every geometry, segments through Slicer's own editor logic, and the scripted API, with real MRML."""

import json
import subprocess
import sys
import threading

import numpy as np
import pytest
import SimpleITK as sitk
from helpers import array, dice

from StrokeSAMLib.anatomy.plane import Plane
from StrokeSAMLib.core.errors import Cancelled, InputError, OptionError, StrokeSAMError
from StrokeSAMLib.imaging.geometry import image_like, patch_of
from StrokeSAMLib.lesion import registry
from StrokeSAMLib.lesion.registry import Input, Method
from StrokeSAMLib.lesion.result import LesionResult

slicer = pytest.importorskip("slicer")
vtk = pytest.importorskip("vtk")

from nodes import (  # noqa: E402
    GEOMETRIES,
    ROTATION,
    SHAPE,
    SPOT,
    add_bend,
    add_linear_transform,
    add_volume,
    only_segment,
    segment_array,
    voxels,
    world_of,
)

from StrokeSAMLib.mrml import StrokeSAMLogic  # noqa: E402
from StrokeSAMLib.mrml.tags import PROVENANCE  # noqa: E402
from StrokeSAMLib.mrml.terminology import INFARCT, POSSIBLE, TERMS  # noqa: E402
from StrokeSAMLib.mrml.volumes import (  # noqa: E402
    imageFromVolumeNode,
    labelmapForVolume,
    needsResampling,
    setStrokeWindow,
    volumeNodeFromImage,
)


class ThresholdMethod:
    """A small method module, so that these tests depend on MRML and not on a real method."""

    from dataclasses import dataclass

    @dataclass(frozen=True)
    class Options:
        pass

    @staticmethod
    def run(inputs, options, monitor):
        image = inputs["ncct"]
        monitor.step(0.5, "thresholding")
        mask = sitk.Cast(image > 50, sitk.sitkUInt8)
        middle = image.TransformContinuousIndexToPhysicalPoint([(n - 1) / 2 for n in image.GetSize()])
        plane = Plane.through(np.asarray(middle), np.array([1.0, 0, 0]))
        score = sitk.Cast(mask, sitk.sitkFloat32)
        return LesionResult(mask, score, mask, plane, "threshold", {}, {"ncct": image})


@pytest.fixture
def threshold(monkeypatch):
    method = Method("threshold", "Threshold", "", (Input("ncct", "CT"),), (("ncct",),), "threshold_of_the_tests")
    monkeypatch.setattr(registry, "METHODS", (method,))
    monkeypatch.setitem(sys.modules, "StrokeSAMLib.lesion.methods.threshold_of_the_tests", ThresholdMethod)
    return method


def spot():
    return voxels() == 100


class TestVolumes:
    @pytest.mark.parametrize("axes", GEOMETRIES.values(), ids=GEOMETRIES)
    def test_every_voxel_has_its_place_in_slicer(self, scene, axes):
        node = add_volume(scene, axes)
        image = imageFromVolumeNode(node)
        np.testing.assert_array_equal(array(image), voxels())
        for ijk in ((0, 0, 0), (19, 0, 3), (7, 15, 11)):
            lps = image.TransformIndexToPhysicalPoint(ijk)
            np.testing.assert_allclose(world_of(node, ijk), [-lps[0], -lps[1], lps[2]], atol=1e-6)

    @pytest.mark.parametrize("axes", GEOMETRIES.values(), ids=GEOMETRIES)
    def test_an_image_survives_the_conversion_to_a_node_and_back(self, scene, axes):
        image = imageFromVolumeNode(add_volume(scene, axes))
        back = imageFromVolumeNode(volumeNodeFromImage(image, scene, "copy"))
        np.testing.assert_array_equal(array(back), array(image))
        np.testing.assert_allclose(back.GetDirection(), image.GetDirection(), atol=1e-9)
        np.testing.assert_allclose(back.GetOrigin(), image.GetOrigin(), atol=1e-9)

    def test_a_rigid_transform_changes_only_the_geometry(self, scene):
        node = add_volume(scene)
        node.SetAndObserveTransformNodeID(add_linear_transform(scene, ROTATION, (5, 6, 7)).GetID())
        assert not needsResampling(node)
        image = imageFromVolumeNode(node)
        np.testing.assert_array_equal(array(image), voxels())
        lps = image.TransformIndexToPhysicalPoint((3, 4, 5))
        np.testing.assert_allclose(world_of(node, (3, 4, 5)), [-lps[0], -lps[1], lps[2]], atol=1e-6)

    @pytest.mark.parametrize("kind", ["shear", "bend"])
    def test_with_other_transforms_the_volume_is_resampled_and_back(self, scene, kind):
        node = add_volume(scene)
        shear = np.array([[1, 0, 0.2], [0, 1, 0], [0, 0, 1.0]])
        transform = add_linear_transform(scene, shear) if kind == "shear" else add_bend(scene)
        node.SetAndObserveTransformNodeID(transform.GetID())
        assert needsResampling(node)
        image = imageFromVolumeNode(node)
        inside = world_of(node, (14, 7, 6))
        index = image.TransformPhysicalPointToIndex((-inside[0], -inside[1], inside[2]))
        assert array(image)[index[::-1]] > 80
        labelmap = labelmapForVolume(patch_of(sitk.Cast(image > 70, sitk.sitkUInt8)), node)
        back = imageFromVolumeNode(_volume_of(labelmap, scene))
        lesion = array(back) > 0
        assert lesion.shape == SHAPE
        assert 2 * (lesion & spot()).sum() / (lesion.sum() + spot().sum()) > 0.8

    def test_the_error_names_a_node_that_is_no_scalar_volume(self, scene):
        empty = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Empty")
        with pytest.raises(InputError, match="Empty: the volume has no voxels"):
            imageFromVolumeNode(empty)
        with pytest.raises(InputError, match="scalar volume is needed"):
            imageFromVolumeNode(scene.AddNewNodeByClass("vtkMRMLModelNode", "Skull"))
        colour = add_volume(scene, name="Colour")
        colour.GetImageData().AllocateScalars(vtk.VTK_UNSIGNED_CHAR, 3)
        with pytest.raises(InputError, match=r"Colour: .*several components"):
            imageFromVolumeNode(colour)


def _volume_of(labelmap, scene):
    node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
    slicer.vtkSlicerSegmentationsModuleLogic.CopyOrientedImageDataToVolumeNode(labelmap, node)
    return node


@pytest.mark.usefixtures("threshold")
class TestSegmentLesion:
    @pytest.mark.parametrize("axes", GEOMETRIES.values(), ids=GEOMETRIES)
    def test_the_segment_lies_on_the_volumes_voxels(self, scene, axes):
        node = add_volume(scene, axes)
        segmentation = StrokeSAMLogic().segmentLesion({"ncct": node}, method="threshold")
        np.testing.assert_array_equal(segment_array(segmentation, only_segment(segmentation), node), spot())

    @pytest.mark.parametrize("kind", ["rigid", "bend"])
    def test_under_a_parent_transform(self, scene, kind):
        node = add_volume(scene)
        transform = add_linear_transform(scene, ROTATION, (5, 6, 7)) if kind == "rigid" else add_bend(scene)
        node.SetAndObserveTransformNodeID(transform.GetID())
        segmentation = StrokeSAMLogic().segmentLesion({"ncct": node}, method="threshold")
        assert segmentation.GetTransformNodeID() == node.GetTransformNodeID()
        lesion = segment_array(segmentation, only_segment(segmentation), node)
        assert 2 * (lesion & spot()).sum() / (lesion.sum() + spot().sum()) > (0.8 if kind == "bend" else 0.999)
        provenance = _provenance(segmentation)
        assert any("resampled" in text for text in provenance["warnings"]) == (kind == "bend")

    def test_the_segment_has_name_colour_code_and_provenance(self, scene):
        segmentation = StrokeSAMLogic().segmentLesion({"ncct": add_volume(scene)}, method="threshold")
        segment = segmentation.GetSegmentation().GetSegment(only_segment(segmentation))
        assert segment.GetName() == "Ischaemic lesion"
        np.testing.assert_allclose(segment.GetColor(), INFARCT.color)
        entry = slicer.vtkSlicerTerminologyEntry()
        assert slicer.vtkSlicerTerminologiesModuleLogic().DeserializeTerminologyEntry(segment.GetTerminology(), entry)
        assert entry.GetTypeObject().GetCodeValue() == "55641003"
        assert entry.GetRegionObject().GetCodeMeaning() == "Brain"
        provenance = _provenance(segmentation)
        assert provenance["method"] == "threshold"
        assert provenance["measurements"]["voxels"] == spot().sum()
        assert segmentation.GetNodeReference("referenceImageGeometryRef").GetName() == "CT"

    def test_the_segmentation_is_in_the_volumes_subject_hierarchy_folder(self, scene):
        hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
        study = hierarchy.CreateStudyItem(hierarchy.GetSceneItemID(), "Study")
        node = add_volume(scene)
        hierarchy.CreateItem(study, node)  # in Slicer a plugin does this
        segmentation = StrokeSAMLogic().segmentLesion({"ncct": node}, method="threshold")
        assert hierarchy.GetItemParent(hierarchy.GetItemByDataNode(segmentation)) == study

    def test_the_volume_is_not_changed(self, scene):
        node = add_volume(scene)
        before, modified = slicer.util.arrayFromVolume(node).copy(), node.GetImageData().GetMTime()
        StrokeSAMLogic().segmentLesion({"ncct": node}, method="threshold")
        np.testing.assert_array_equal(slicer.util.arrayFromVolume(node), before)
        assert node.GetImageData().GetMTime() == modified

    def test_undo_and_redo(self, scene):
        logic, node = StrokeSAMLogic(), add_volume(scene)
        segmentation = logic.segmentLesion({"ncct": node}, method="threshold")
        first = only_segment(segmentation)
        slicer.util.arrayFromVolume(node)[SPOT] = 0
        slicer.util.arrayFromVolume(node)[1:3, 1:3, 1:3] = 100
        logic.segmentLesion({"ncct": node}, "threshold", segmentation, first)
        assert segment_array(segmentation, first, node).sum() == 8
        logic.writer.undo()
        np.testing.assert_array_equal(segment_array(segmentation, first, node), spot())
        logic.writer.redo()
        assert segment_array(segmentation, first, node).sum() == 8

    def test_a_segmentation_of_another_geometry_is_reused(self, scene):
        node = add_volume(scene)
        coarse = add_volume(scene, GEOMETRIES["axial"] * 2, name="coarse")
        segmentation = scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
        segmentation.SetReferenceImageGeometryParameterFromVolumeNode(coarse)
        result = StrokeSAMLogic().segmentLesion({"ncct": node}, "threshold", segmentation)
        assert result is segmentation
        inside = segment_array(segmentation, only_segment(segmentation), node)
        # Within half a voxel of the coarse grid, which is two of the volume's.
        np.testing.assert_allclose(np.argwhere(inside).mean(0), np.argwhere(spot()).mean(0), atol=1.0)
        assert spot().sum() / 2 < inside.sum() < spot().sum() * 2

    def test_cancel(self, scene):
        cancel = threading.Event()
        cancel.set()
        with pytest.raises(Cancelled):
            StrokeSAMLogic().segmentLesion({"ncct": add_volume(scene)}, "threshold", cancel=cancel)
        assert scene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == 0


@pytest.mark.usefixtures("threshold")
class TestNeighbours:
    """An existing segment that covers half of the lesion."""

    @pytest.fixture
    def neighbour(self, scene):
        node = add_volume(scene)
        logic = StrokeSAMLogic()
        segmentation = logic.segmentLesion({"ncct": node}, "threshold")
        first = only_segment(segmentation)
        segmentation.GetSegmentation().GetSegment(first).SetName("Neighbour")
        slicer.util.arrayFromVolume(node)[4:8, 5:9, 12:14] = 0  # the lesion shrinks
        slicer.util.arrayFromVolume(node)[4:8, 5:9, 17:19] = 100  # and moves
        return logic, node, segmentation, first

    def lesion(self, logic, node, segmentation):
        before = set(_segment_ids(segmentation))
        logic.segmentLesion({"ncct": node}, "threshold", segmentation)
        (added,) = set(_segment_ids(segmentation)) - before
        return segment_array(segmentation, added, node)

    def test_a_neighbour_survives_by_default_and_may_overlap(self, neighbour):
        logic, node, segmentation, first = neighbour
        lesion = self.lesion(logic, node, segmentation)
        np.testing.assert_array_equal(segment_array(segmentation, first, node), spot())
        np.testing.assert_array_equal(lesion, slicer.util.arrayFromVolume(node) == 100)

    def test_a_neighbour_outside_the_editable_area_is_not_overwritten(self, neighbour):
        """Editing is allowed only outside all segments. This is Slicer's way to lock a neighbour."""
        logic, node, segmentation, first = neighbour
        logic.writer.editorNode.SetMaskMode(slicer.vtkMRMLSegmentationNode.EditAllowedOutsideAllSegments)
        logic.writer.editorNode.SetOverwriteMode(slicer.vtkMRMLSegmentEditorNode.OverwriteAllSegments)
        lesion = self.lesion(logic, node, segmentation)
        np.testing.assert_array_equal(segment_array(segmentation, first, node), spot())
        np.testing.assert_array_equal(lesion, (slicer.util.arrayFromVolume(node) == 100) & ~spot())

    def test_a_neighbour_is_overwritten_if_the_overwrite_mode_says_so(self, neighbour):
        logic, node, segmentation, first = neighbour
        logic.writer.editorNode.SetOverwriteMode(slicer.vtkMRMLSegmentEditorNode.OverwriteAllSegments)
        lesion = self.lesion(logic, node, segmentation)
        np.testing.assert_array_equal(segment_array(segmentation, first, node), spot() & ~lesion)
        logic.writer.undo()
        np.testing.assert_array_equal(segment_array(segmentation, first, node), spot())
        assert _segment_ids(segmentation) == [first]

    def test_the_editable_intensity_range_applies(self, neighbour):
        logic, node, segmentation, _ = neighbour
        values = slicer.util.arrayFromVolume(node)
        values[4:6, 5:9, 14:19] = 60
        logic.writer.editorNode.SetSourceVolumeIntensityMask(True)
        logic.writer.editorNode.SetSourceVolumeIntensityMaskRange(90, 200)
        np.testing.assert_array_equal(self.lesion(logic, node, segmentation), values == 100)


@pytest.mark.usefixtures("threshold")
class TestSceneChangesDuringTheWork:
    def test_closing_the_scene_cancels(self, scene):
        logic = StrokeSAMLogic()
        request = logic.prepare({"ncct": add_volume(scene)}, "threshold")
        worker = threading.Thread(target=lambda: results.append(request.run()))
        results = []
        worker.start()
        scene.Clear(False)
        worker.join()
        with pytest.raises(Cancelled):
            logic.apply(request, results[0])
        assert scene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == 0
        assert only_segment(logic.segmentLesion({"ncct": add_volume(scene)}, "threshold"))  # a new scene works

    def test_a_removed_segmentation_is_an_error(self, scene):
        logic, node = StrokeSAMLogic(), add_volume(scene)
        segmentation = scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
        request = logic.prepare({"ncct": node}, "threshold")
        result = request.run()
        scene.RemoveNode(segmentation)
        with pytest.raises(StrokeSAMError, match="no longer in the scene"):
            logic.apply(request, result, segmentation)

    def test_a_volume_of_another_size_is_refused(self, scene):
        logic, node = StrokeSAMLogic(), add_volume(scene)
        request = logic.prepare({"ncct": node}, "threshold")
        result = request.run()
        smaller = vtk.vtkImageData()
        smaller.SetDimensions(4, 4, 4)
        smaller.AllocateScalars(vtk.VTK_SHORT, 1)
        node.SetAndObserveImageData(smaller)
        with pytest.raises(InputError, match=r"CT: the volume changed"):
            logic.apply(request, result)
        assert scene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == 0


class TestErrors:
    def test_method_inputs_and_options_are_checked_first(self, scene):
        node = add_volume(scene)
        logic = StrokeSAMLogic()
        for inputs, method, options, kind in (
            ({"ncct": node}, "magic", {}, OptionError),
            ({"ncct": node}, "asymmetry", {"sead": 1}, OptionError),
            ({"ncct": None}, "asymmetry", {}, InputError),
            ({"t1": node}, "asymmetry", {}, InputError),
        ):
            with pytest.raises(kind):
                logic.segmentLesion(inputs, method, **options)

    def test_the_error_names_an_unfit_volume(self, scene):
        with pytest.raises(InputError, match="Series 4: "):
            StrokeSAMLogic().segmentLesion({"ncct": add_volume(scene, name="Series 4")})


def test_the_terms_match_the_shipped_file():
    from helpers import ROOT

    shipped = json.loads((ROOT / "StrokeSAM/Resources/StrokeSAM.term.json").read_text("utf-8"))
    (category,) = shipped["SegmentationCodes"]["Category"]
    codes = {(t["CodeValue"], t["CodingSchemeDesignator"], t["CodeMeaning"]) for t in category["Type"]}
    assert codes == {term.code for term in TERMS}
    logic = slicer.vtkSlicerTerminologiesModuleLogic()
    assert logic.LoadTerminologyFromFile(str(ROOT / "StrokeSAM/Resources/StrokeSAM.term.json"))


def test_all_slice_views_jump_to_a_position(scene):
    views = []
    for name, normal, right in (("Red", (0, 0, 1), (-1, 0, 0)), ("Green", (0, 1, 0), (-1, 0, 0))):
        view = slicer.vtkMRMLSliceNode()
        view.SetLayoutName(name)
        scene.AddNode(view)
        view.SetSliceToRASByNTP(*normal, *right, 0, 0, 0, 0)
        views.append(view)
    StrokeSAMLogic(scene).jumpTo((10.0, -20.0, 30.0))
    axial, coronal = (view.GetSliceToRAS() for view in views)
    assert axial.GetElement(2, 3) == 30.0 and coronal.GetElement(1, 3) == -20.0


def test_a_stroke_window_is_not_replaced_by_an_automatic_one(scene):
    node = add_volume(scene)
    setStrokeWindow(node)
    node.GetImageData().Modified()
    display = node.GetDisplayNode()
    assert (display.GetWindow(), display.GetLevel(), display.GetAutoWindowLevel()) == (80, 40, 0)


def test_importing_the_api_imports_nothing_heavy():
    heavy = ("scipy", "SimpleITK", "torch", "matplotlib")
    code = f"import sys, StrokeSAMLib.mrml; print([name for name in {heavy} if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8").stdout.strip() == "[]"


def test_the_phantoms_infarct_is_segmented(scene):
    from StrokeSAMLib.phantom import head_ct

    phantom = head_ct()
    node = volumeNodeFromImage(phantom.ncct, scene, "Head")
    fractions = []
    segmentation = StrokeSAMLogic().segmentLesion(
        {"ncct": node}, "asymmetry", progress=lambda fraction, text: fractions.append(fraction)
    )
    lesion = image_like(segment_array(segmentation, only_segment(segmentation), node), phantom.ncct)
    assert dice(lesion, phantom.lesion) >= 0.80
    assert _provenance(segmentation)["measurements"]["side"] == "left"
    assert fractions == sorted(fractions)


def _segment_ids(segmentationNode):
    segmentation = segmentationNode.GetSegmentation()
    return [segmentation.GetNthSegmentID(n) for n in range(segmentation.GetNumberOfSegments())]


def _written(segmentation):
    """The names of the segments."""
    inside = segmentation.GetSegmentation()
    return [inside.GetNthSegment(n).GetName() for n in range(inside.GetNumberOfSegments())]


class TestPossibleLesion:
    def test_has_a_segment_of_its_own_which_the_next_run_replaces(self, scene):
        logic, node = StrokeSAMLogic(), add_volume(scene)
        image = imageFromVolumeNode(node)
        spotted, empty = sitk.Cast(image > 50, sitk.sitkUInt8), sitk.Cast(image > 500, sitk.sitkUInt8)
        plane = Plane((1.0, 0.0, 0.0), 0.0)

        def result(mask, possible):
            score = sitk.Cast(mask, sitk.sitkFloat32)
            return LesionResult(mask, score, mask, plane, "asymmetry", {}, {"ncct": image}, (), possible)

        request = logic.prepare({"ncct": node}, "asymmetry")
        segmentation = logic.apply(request, result(spotted, empty))
        assert _written(segmentation) == ["Ischaemic lesion"]
        lesion = only_segment(segmentation)
        for possible in (spotted, empty, spotted):
            logic.apply(request, result(empty, possible), segmentation, lesion)
            assert _written(segmentation) == ["Ischaemic lesion", POSSIBLE.name]
            second = segmentation.GetSegmentation().GetNthSegmentID(1)
            np.testing.assert_array_equal(segment_array(segmentation, second, node), array(possible) > 0)


def _provenance(segmentationNode):
    reference = vtk.reference("")
    segment = segmentationNode.GetSegmentation().GetNthSegment(0)
    assert segment.GetTag(PROVENANCE, reference)
    return json.loads(str(reference))
