"""Which views display a segment."""

import pytest

slicer = pytest.importorskip("slicer")

from StrokeSAMLib.mrml.display import isSegmentDisplayedIn  # noqa: E402


@pytest.fixture
def segmentation(scene):
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    node.CreateDefaultDisplayNodes()
    return node


@pytest.fixture
def segmentId(segmentation):
    return segmentation.GetSegmentation().AddEmptySegment("", "Lesion")


@pytest.fixture
def views(scene):
    return [scene.AddNewNodeByClass("vtkMRMLSliceNode") for _ in range(2)]


def test_every_view_displays_a_visible_segment(segmentation, segmentId, views):
    assert all(isSegmentDisplayedIn(segmentation, segmentId, view) for view in views)


def test_only_the_views_in_the_list_of_the_display_node_display_it(segmentation, segmentId, views):
    segmentation.GetDisplayNode().AddViewNodeID(views[1].GetID())
    assert [isSegmentDisplayedIn(segmentation, segmentId, view) for view in views] == [False, True]


def test_no_view_displays_a_hidden_segmentation_or_segment(segmentation, segmentId, views):
    display = segmentation.GetDisplayNode()
    display.SetSegmentVisibility(segmentId, False)
    assert not isSegmentDisplayedIn(segmentation, segmentId, views[0])
    display.SetSegmentVisibility(segmentId, True)
    display.SetVisibility(False)
    assert not isSegmentDisplayedIn(segmentation, segmentId, views[0])


def test_no_view_displays_a_segmentation_without_a_display_node(scene, views):
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    assert not isSegmentDisplayedIn(node, node.GetSegmentation().AddEmptySegment(), views[0])
