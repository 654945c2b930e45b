"""Fixtures of the effect's tests: a noisy volume with a ball; a prompt editor; the effect in its host."""

import sys
import types

import pytest
from fake_qt import QKeySequence, QMainWindow, QShortcut, Widget, make_module
from helpers import ROOT


@pytest.fixture
def volume(scene):
    from balls import grey
    from nodes import add_volume

    return add_volume(scene, values=grey())


@pytest.fixture
def segmentation(scene, volume):
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    node.CreateDefaultDisplayNodes()
    node.SetReferenceImageGeometryParameterFromVolumeNode(volume)
    return node


@pytest.fixture
def target(segmentation, volume):
    from StrokeSAMLib.ui.effect.prompt_editor import Target

    return Target(volume, segmentation, segmentation.GetSegmentation().AddEmptySegment("", "Lesion"))


@pytest.fixture
def view(scene, target):
    from editor_without_qt import EditorWithoutQt

    return EditorWithoutQt(scene, target.segmentationNode, target.volumeNode, target.segmentId)


@pytest.fixture
def editor(view, target):
    """A prompt editor on the segment of `target`."""
    from StrokeSAMLib.core.jobs import Worker
    from StrokeSAMLib.ui.effect.prompt_editor import PromptEditor
    from StrokeSAMLib.ui.effect.prompt_session import Engines

    worker = Worker()
    editor = PromptEditor(view, worker, Engines())
    editor.setTarget(target)
    yield editor
    worker.stop(timeout=5)


@pytest.fixture
def pointer(editor):
    from StrokeSAMLib.ui.effect.pointer import Pointer

    return Pointer(editor)


@pytest.fixture
def boxed(editor, volume):
    """The prompt editor after a box was added."""
    from prompt_editing import add_box, finish

    add_box(editor, volume)
    finish(editor)
    return editor


@pytest.fixture
def application(monkeypatch, scene):
    """The module `qt`, and the parts of `slicer` that only an application has."""
    import slicer
    from effect_host import AbstractEffect, forget_qt_modules, translation_module

    views = {}
    window = QMainWindow()
    Widget.created.clear()
    effects = types.ModuleType("SegmentEditorEffects")
    effects.AbstractScriptedSegmentEditorEffect = AbstractEffect
    layout = types.SimpleNamespace(sliceViewNames=lambda: list(views), sliceWidget=views.get)
    module = types.SimpleNamespace(path=str(ROOT / "StrokeSAM" / "StrokeSAM.py"))
    for name, value in (
        ("qt", make_module()),
        ("slicer.i18n", translation_module()),
        ("SegmentEditorEffects", effects),
    ):
        monkeypatch.setitem(sys.modules, name, value)
    modes = types.SimpleNamespace(**{name: name for name in ("ModificationModeSet", "ModificationModeAdd")})
    for name, value in (
        ("app", types.SimpleNamespace(layoutManager=lambda: layout)),
        ("modules", types.SimpleNamespace(strokesam=module)),
        ("qSlicerSegmentEditorAbstractEffect", modes),
    ):
        monkeypatch.setattr(slicer, name, value, raising=False)
    monkeypatch.setattr(slicer.util, "mainWindow", lambda: window)
    forget_qt_modules()
    yield types.SimpleNamespace(views=views, window=window, editorsEscape=QShortcut(QKeySequence("Esc"), window))
    forget_qt_modules()


@pytest.fixture
def host(scene, application, segmentation, volume):
    from effect_host import Host

    return Host(scene, segmentation, volume, segmentation.GetSegmentation().AddEmptySegment("", "Lesion"))


@pytest.fixture
def red(scene, application, volume):
    """An axial slice view through the ball's middle."""
    from balls import axial
    from effect_host import SliceWidget

    application.views["Red"] = SliceWidget(axial(scene, volume))
    return application.views["Red"]


@pytest.fixture
def effect(host, red):
    """The active effect."""
    from SegmentEditorStrokeSAMLib.SegmentEditorEffect import SegmentEditorEffect

    host.effect = effect = SegmentEditorEffect(host)
    effect.setupOptionsFrame()
    effect.setMRMLDefaults()
    effect.activate()
    yield effect
    effect.cleanup()
