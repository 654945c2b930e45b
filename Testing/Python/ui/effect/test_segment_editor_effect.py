"""The effect as Slicer calls it, with stand-ins for Qt and the host; MRML, segment editor logic and VTK are real."""

import subprocess
import sys
import threading
import types

import numpy as np
import pytest
from helpers import ROOT, dice

slicer = pytest.importorskip("slicer")

from balls import MIDDLE, ball, slice_node, xy_of  # noqa: E402
from effect_host import (  # noqa: E402
    SliceWidget,
    click,
    drag,
    draw,
    finish,
    listed,
    living_shortcuts,
    of_kind,
    timed,
    timer_runs,
    written,
)
from nodes import add_volume, world_of  # noqa: E402


def test_a_box_is_previewed_propagated_and_written(effect, host, red, volume):
    assert draw(effect, red, volume) == [True, True, True]
    finish()
    assert listed() == [f"Box, slice {MIDDLE[0]}"]
    assert host.undoStates == 0 and any(actor.GetVisibility() for actor in red.actors)
    click("Both")
    finish()
    assert host.undoStates == 1 and dice(written(host), ball()) > 0.85
    host.logic.Undo()
    assert not written(host).any()
    host.logic.Redo()
    assert written(host).any()


def test_after_a_cancelled_propagation_nothing_is_written(effect, host, red, volume):
    draw(effect, red, volume)
    finish()
    click("Both")
    click("Cancel")
    finish()
    assert host.undoStates == 0 and not written(host).any()


def test_nothing_is_written_after_the_scene_is_closed(effect, host, red, volume, scene):
    draw(effect, red, volume)
    click("Both")
    scene.Clear(False)
    finish()
    assert host.undoStates == 0


def test_nothing_remains_when_the_user_leaves_during_a_propagation(effect, host, red, volume, application):
    draw(effect, red, volume)
    finish()
    click("Both")
    effect.deactivate()
    assert not red.actors and not timer_runs()
    assert living_shortcuts() == [application.editorsEscape]
    effect.activate()
    finish()
    assert host.undoStates == 0 and listed()  # the box was saved with the segment


def copy_of(labelmap):
    copy = slicer.vtkOrientedImageData()
    copy.DeepCopy(labelmap)
    return copy


def test_the_main_thread_is_never_blocked_for_long(effect, host, scene, application):
    """On a volume of 512 × 512 × 40: at most as long as Slicer itself needs to create and to apply a labelmap."""
    values = np.random.default_rng(0).normal(40, 5, (40, 512, 512)).astype(np.int16)
    values[10:30, 200:300, 200:320] += 60
    big = add_volume(scene, values=values, name="Big")
    host.node.GetSegmentationNode().SetReferenceImageGeometryParameterFromVolumeNode(big)
    host.node.SetAndObserveSourceVolumeNode(big)
    centre = world_of(big, (260, 250, 20))
    view = SliceWidget(slice_node(scene, centre, (-1, 0, 0), (0, -1, 0)))
    application.views["Big"] = view
    effect.layoutChanged()
    effect.updateGUIFromMRML()
    labelmaps, apply = [], host.modifySelectedSegmentByLabelmap
    host.modifySelectedSegmentByLabelmap = lambda labelmap, mode: labelmaps.append(labelmap)
    modifiers, creating = zip(*(timed(host.defaultModifierLabelmap) for _ in range(3)), strict=True)
    # Slicer clears one labelmap again and again, which the effect crops; here every call gets a new one.
    host.defaultModifierLabelmap = [copy_of(modifier) for modifier in modifiers].pop
    corners = [xy_of(view.node, world_of(big, (i, j, 20))) for i, j in ((190, 190), (330, 310))]
    handled, drawing = timed(drag, effect, view, *corners)
    assert handled == [True, True, True]
    predicting = finish()
    # The best of three, because other work on the machine delays it, too.
    propagating = []
    for _ in modifiers:
        click("Both")
        propagating.append(finish(60))
    full, operations = copy_of(modifiers[0]), slicer.vtkOrientedImageDataResample
    operations.ModifyImage(full, labelmaps[-1], operations.OPERATION_MAXIMUM)
    _, applying = timed(apply, full, "ModificationModeSet")
    assert max(drawing, predicting, min(propagating)) < max(creating) + applying
    assert labelmaps[-1].GetScalarRange() == (0, 1)


def test_a_hundred_activations_leave_nothing(effect, scene, host, red, application):
    effect.deactivate()
    threads = None
    for n in range(100):
        effect.activate()
        effect.deactivate()
        if n == 0:
            threads = threading.active_count()
    assert threading.active_count() <= threads
    assert not red.actors and not scene.HasObserver(scene.StartCloseEvent)
    assert living_shortcuts() == [application.editorsEscape]
    assert not any(each.active or each.record.slots for each in of_kind("QTimer"))


def test_an_inactive_effect_observes_nothing(effect, host, monkeypatch):
    from StrokeSAMLib.ui.effect.active_effect import ActiveEffect

    calls = []
    effect.deactivate()
    monkeypatch.setattr(ActiveEffect, "_onNodeModified", lambda *arguments: calls.append(arguments))
    effect.activate()
    host.node.Modified()
    effect.deactivate()
    host.node.Modified()
    assert len(calls) == 1


def test_nothing_remains_when_the_user_leaves_during_an_installation(effect, red, volume, application, monkeypatch):
    """Slicer handles events during an installation. The action continues when the effect is no longer active."""
    from StrokeSAMLib.ui.effect import active_effect

    monkeypatch.setattr(active_effect, "ensure", lambda packages: effect.deactivate())
    draw(effect, red, volume)
    assert living_shortcuts() == [application.editorsEscape]
    assert not red.actors and not timer_runs()


def test_the_effect_is_registered_from_a_file_in_its_own_folder(application, monkeypatch):
    """Slicer names the effect's Python module after the folder of its file, so no other extension may have it."""
    calls = []

    class Scripted:
        def __init__(self, parent):
            pass

        def setPythonSource(self, path):
            calls.append(path)

        def self(self):
            return types.SimpleNamespace(register=lambda: calls.append("registered"))

    effects = types.ModuleType("qSlicerSegmentationsEditorEffectsPythonQt")
    effects.qSlicerSegmentEditorScriptedEffect = Scripted
    monkeypatch.setitem(sys.modules, "qSlicerSegmentationsEditorEffectsPythonQt", effects)
    from StrokeSAMLib.ui.effect.registration import registerEffect

    source = ROOT / "StrokeSAM" / "SegmentEditorStrokeSAMLib" / "SegmentEditorEffect.py"
    registerEffect(source)
    assert calls == [source.as_posix(), "registered"]
    assert source.exists()


def test_the_list_of_engines_imports_nothing_heavy():
    """The Segment Editor shows the list whenever it is opened, even if the effect is never used."""
    code = (
        "import sys, StrokeSAMLib.interactive.engines.registry\n"
        "print([name for name in ('numpy', 'SimpleITK', 'scipy', 'torch') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=True)
    assert done.stdout.strip() == "[]"
