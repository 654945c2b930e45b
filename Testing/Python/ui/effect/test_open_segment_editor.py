"""Opening the Segment Editor on a lesion: real nodes, and a stand-in for the editor's widget that records its calls."""

import types

import pytest
from fake_widgets import OTHER_CLASSES

slicer = pytest.importorskip("slicer")

from nodes import add_volume  # noqa: E402

from StrokeSAMLib.core.errors import StrokeSAMError  # noqa: E402
from StrokeSAMLib.mrml.origin import lesionSegmentId  # noqa: E402
from StrokeSAMLib.mrml.segments import newSegmentation  # noqa: E402
from StrokeSAMLib.mrml.tags import PROVENANCE, writeTag  # noqa: E402
from StrokeSAMLib.ui.effect.segment_editor import refineInSegmentEditor  # noqa: E402


class Recorder:
    """Records the calls of the methods of one class of widgets, and refuses other names."""

    def __init__(self, widget_class, calls):
        self.names, self.calls = OTHER_CLASSES[widget_class][1], calls

    def __getattr__(self, name):
        if name not in self.names:
            raise AttributeError(name)
        return lambda *arguments: self.calls.append((name, *arguments))


class Effect(Recorder):
    """The effect; `self` gives its Python object, which has the method `refine`."""

    def self(self):
        return types.SimpleNamespace(refine=lambda: self.calls.append(("refine",)))


class Editor(Recorder):
    """The Segment Editor's widget, whose effect may be missing."""

    def __init__(self):
        super().__init__("qMRMLSegmentEditorWidget", [])
        self.effect = Effect("qSlicerSegmentEditorScriptedEffect", self.calls)

    def activeEffect(self):
        return self.effect


@pytest.fixture
def editor(monkeypatch):
    editor = Editor()
    widget = types.SimpleNamespace(editor=editor)
    monkeypatch.setattr(slicer.util, "selectModule", lambda name: editor.calls.append(name), raising=False)
    monkeypatch.setattr(slicer.util, "getModuleWidget", {"SegmentEditor": widget}.get, raising=False)
    return editor


@pytest.fixture
def segmentation(scene):
    return newSegmentation(add_volume(scene), scene)


def test_the_editor_opens_on_the_lesion_and_starts_from_it(editor, segmentation, scene):
    segments = segmentation.GetSegmentation()
    for name in ("first", "lesion", "other"):
        segments.AddEmptySegment(name)
    writeTag(segments.GetSegment("lesion"), PROVENANCE, {"method": "asymmetry"})
    refineInSegmentEditor(segmentation, "cpu")
    assert editor.calls == [
        "SegmentEditor",
        ("setSegmentationNode", segmentation),
        ("setSourceVolumeNode", scene.GetFirstNodeByClass("vtkMRMLScalarVolumeNode")),
        ("setCurrentSegmentID", "lesion"),
        ("setActiveEffectByName", "StrokeSAM"),
        ("setParameter", "Device", "cpu"),
        ("refine",),
    ]


def test_without_a_methods_segment_the_last_segment_is_the_lesion(segmentation):
    assert lesionSegmentId(segmentation) is None
    for name in ("first", "last"):
        segmentation.GetSegmentation().AddEmptySegment(name)
    assert lesionSegmentId(segmentation) == "last"


@pytest.mark.parametrize("missing", ["segment", "volume", "effect"])
def test_the_error_names_the_missing_part(editor, segmentation, scene, missing):
    if missing != "segment":
        segmentation.GetSegmentation().AddEmptySegment("lesion")
    if missing == "volume":
        scene.RemoveNode(scene.GetFirstNodeByClass("vtkMRMLScalarVolumeNode"))
    if missing == "effect":
        editor.effect = None
    with pytest.raises(StrokeSAMError, match=missing):
        refineInSegmentEditor(segmentation)
    assert ("refine",) not in editor.calls
