"""PyTorch is imported by the workers only: its first import takes seconds, in which Slicer would not respond."""

import os
import subprocess
import sys

import pytest
from helpers import ROOT

from StrokeSAMLib.weights.store import FOLDER_VARIABLE

pytest.importorskip("slicer")
pytest.importorskip("torch")

# Each script runs in a process of its own, where nothing has imported torch. Python reports each import to the hook.
START = """
import sys, tempfile, threading, time
from pathlib import Path
import slicer

importers = set()

def hook(event, arguments):
    if event == "import" and arguments[0] == "torch":
        importers.add(threading.current_thread() is threading.main_thread())

sys.addaudithook(hook)
slicer.mrmlScene = scene = slicer.vtkMRMLScene()
logic = slicer.vtkSlicerSegmentationsModuleLogic()
logic.SetMRMLScene(scene)
slicer.vtkMRMLSubjectHierarchyNode.ResolveSubjectHierarchy(scene)
"""
MODULE = """
from panels import FakeView, new_state, poll_until_idle
from StrokeSAMLib.mrml import StrokeSAMLogic
from StrokeSAMLib.mrml.volumes import volumeNodeFromImage
from StrokeSAMLib.phantom import head_ct
from StrokeSAMLib.ui.module.lesion_panel import OFFERED, LesionPanel

head = head_ct(size=(64, 64, 16), spacing_mm=(3.6, 3.6, 10.0))
view, state = FakeView(), new_state(ncct=volumeNodeFromImage(head.ncct, scene, "Head"))
panel = LesionPanel(view, StrokeSAMLogic(), openEditor=lambda *arguments: None)
panel.setState(state)
for method in OFFERED:
    panel.setMethod(method.id)
    poll_until_idle(panel)
panel.setMethod("ncct-unet")
poll_until_idle(panel)
panel.setOption("threshold", "0.5")
panel.start()
poll_until_idle(panel)
assert view.last("showResult")[1] is not None, view.last("showMessage")
panel.close()
"""
EFFECT = """
from balls import grey
from editor_without_qt import EditorWithoutQt
from nodes import add_volume
from prompt_editing import add_box, finish
from StrokeSAMLib.core.jobs import Worker
from StrokeSAMLib.interactive.engines.registry import ENGINES
from StrokeSAMLib.ui.effect.prompt_editor import PromptEditor, Target
from StrokeSAMLib.ui.effect.prompt_session import EngineChoice, Engines
from StrokeSAMLib.ui.effect.prompt_text import engineStatus, notReadyEngines

volume = add_volume(scene, values=grey())
node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
node.CreateDefaultDisplayNodes()
node.SetReferenceImageGeometryParameterFromVolumeNode(volume)
target = Target(volume, node, node.GetSegmentation().AddEmptySegment("", "Lesion"))
view = EditorWithoutQt(scene, node, volume, target.segmentId)
worker = Worker()
editor = PromptEditor(view, worker, Engines())
notReadyEngines()
for entry in ENGINES:
    engineStatus(entry.readiness(), None)
editor.setEngine(EngineChoice("swift-medsam"))
editor.setTarget(target)
add_box(editor, volume)
finish(editor)
assert editor.sessionView is not None, view.messages
editor.propagate()
finish(editor)
worker.stop(timeout=5)
"""
END = """
print(importers)
"""


@pytest.mark.parametrize("actions", [MODULE, EFFECT], ids=["module", "effect"])
def test_torch_is_imported_on_a_worker_and_not_on_the_main_thread(actions, store, swift):
    store.folder.mkdir(parents=True, exist_ok=True)
    swift.rename(store.folder / "swift-medsam.pt")
    support = os.pathsep.join(str(ROOT / folder) for folder in (".", "Testing/Python/support", "Testing/Data"))
    environment = {**os.environ, "PYTHONPATH": support, FOLDER_VARIABLE: str(store.folder)}
    done = subprocess.run(
        [sys.executable, "-c", START + actions + END],
        capture_output=True,
        encoding="utf-8",
        env=environment,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "{False}"
