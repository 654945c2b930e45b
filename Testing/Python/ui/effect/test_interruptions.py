"""Interruptions of the prompt editor's work: removed nodes, a closed scene, another segment, cancellation, errors."""

import time

import numpy as np
import pytest

pytest.importorskip("slicer")

from balls import axial
from bright import Bright
from nodes import add_linear_transform
from prompt_editing import AXIAL, add_box, draw_box, finish

from StrokeSAMLib.interactive import Point
from StrokeSAMLib.mrml.interactive import savedSession
from StrokeSAMLib.ui.effect.prompt_editor import Target
from StrokeSAMLib.ui.effect.prompt_session import EngineChoice


@pytest.fixture
def propagating(editor, volume):
    """The prompt editor during a propagation."""
    add_box(editor, volume)
    editor.propagate()
    return editor


@pytest.mark.parametrize("change", ["scene", "volume", "segmentation", "segment", "another", "none"])
def test_after_a_change_nothing_is_written_and_no_action_runs(scene, propagating, view, target, change):
    segmentation = target.segmentationNode
    if change == "scene":
        scene.Clear(False)
    elif change == "volume":
        scene.RemoveNode(target.volumeNode)
    elif change == "segmentation":
        scene.RemoveNode(segmentation)
    elif change == "segment":
        segmentation.GetSegmentation().RemoveSegment(target.segmentId)
    elif change == "another":
        propagating.setTarget(Target(target.volumeNode, segmentation, segmentation.GetSegmentation().AddEmptySegment()))
    else:
        propagating.setTarget(None)
    finish(propagating)
    assert view.writes == 0 and propagating.running == ""


def test_a_cancelled_propagation_is_a_preview(editor, view, volume, monkeypatch):
    monkeypatch.setattr("StrokeSAMLib.interactive.engines.registry.load_engine", lambda *arguments: Bright())
    add_box(editor, volume)
    finish(editor)
    show = editor._runner.onSlice
    # The worker leaves the main thread time to cancel.
    editor._runner.onSlice = lambda k, edges: (show(k, edges), time.sleep(0.05))
    editor.propagate(stop_after=0)
    editor._view.showState = lambda: editor.cancel() if len(editor.live) >= 2 else None
    finish(editor)
    assert view.writes == 0 and "Cancelled." in view.messages and editor.running == ""
    assert len(editor.sessionView.outlines) >= 1


def test_prompts_are_removed_when_the_volume_moves(scene, editor, view, target, volume, pointer):
    draw_box(pointer, axial(scene, volume), volume)
    finish(editor)
    volume.SetAndObserveTransformNodeID(add_linear_transform(scene, np.eye(3), (1, 0, 0)).GetID())
    editor.propagate()
    finish(editor)
    assert "CT: the volume or its transform changed" in view.messages[-1] and not editor.prompts


@pytest.mark.parametrize("change", ["scene", "segment", "another", "none"])
def test_changes_during_the_installation_of_packages(scene, editor, view, target, volume, change):
    """Slicer handles events during an installation. The prompt was meant for the earlier segment."""
    segmentation = target.segmentationNode
    other = Target(volume, segmentation, segmentation.GetSegmentation().AddEmptySegment())

    def install(id):
        if change == "scene":
            scene.Clear(False)
            editor.setTarget(None)  # as the effect does when the scene is closed
        elif change == "segment":
            segmentation.GetSegmentation().RemoveSegment(target.segmentId)
        else:
            editor.setTarget(other if change == "another" else None)
        return True

    view.prepareEngine = install
    editor.add(Point((0, 0, 0)), AXIAL)
    assert not editor.busy and editor.running == ""
    finish(editor)
    assert not editor.prompts and view.writes == 0
    assert change != "another" or (editor.target == other and savedSession(other.segment) is None)


def test_an_engine_without_its_packages_or_weights(editor, view, volume):
    finish(editor)
    view.ready = False
    editor.add(Point((0, 0, 0)), AXIAL)
    assert not editor.busy and editor.running == ""
    view.ready = True
    editor.setEngine(EngineChoice("medsam2"))
    editor.add(Point((0, 0, 0)), AXIAL)
    finish(editor)
    assert "engine medsam2 needs weights: see section Weights; " in view.messages[-1]
    assert "strokesam weights" not in view.messages[-1] and "--weights" not in view.messages[-1]


def test_a_prompt_outside_the_volume(editor, view):
    editor.add(Point((1e5, 0, 0)), AXIAL)
    finish(editor)
    assert "lies outside the volume" in view.messages[-1] and not editor.prompts
