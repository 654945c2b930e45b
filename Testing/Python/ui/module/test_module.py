"""StrokeSAMWidget in a real scene, with stand-ins for Qt, the parameter node and Slicer's base classes."""

import sys
import types
from pathlib import Path

import pytest
from fake_qt import fake_class
from fake_widgets import make_widget
from helpers import ROOT

slicer = pytest.importorskip("slicer")


class ParameterNode:
    """The parts of a class wrapped by `parameterNodeWrapper` that the module uses."""

    def __init__(self, node):
        vars(self).update(node=node, connected=0)
        for name in type(self).__annotations__:
            node.values.setdefault(name, getattr(type(self), f"default_{name}", None))

    def __getattr__(self, name):
        return self.node.values[name]

    def __setattr__(self, name, value):
        changed, self.node.values[name] = self.node.values[name] != value, value
        if changed:
            self.node.node.Modified()

    def connectGui(self, ui):
        vars(self)["connected"] += 1
        return self.connected

    def disconnectGui(self, tag):
        vars(self)["connected"] -= 1

    def AddObserver(self, *arguments):
        return self.node.node.AddObserver(*arguments)

    def RemoveObserver(self, tag):
        self.node.node.RemoveObserver(tag)


def wrap(cls):
    names = cls.__annotations__
    defaults = {f"default_{name}": getattr(cls, name, None) for name in names}
    return type(cls.__name__, (ParameterNode,), {"__annotations__": names, **defaults})


@pytest.fixture
def module(qt, ui, scene, store, monkeypatch):
    """The module's widget before `setup`."""
    base = types.ModuleType("slicer.ScriptedLoadableModule")
    for name in ("", "Logic", "Widget", "Test"):
        setattr(base, f"ScriptedLoadableModule{name}", type(name, (), {"__init__": lambda self, parent=None: None}))
    nodes = {}

    def parameter_node(logic):
        assert logic.moduleName == "StrokeSAM"
        return nodes.setdefault("one", types.SimpleNamespace(values={}, node=slicer.vtkMRMLScriptedModuleNode()))

    base.ScriptedLoadableModuleLogic.getParameterNode = parameter_node
    base.ScriptedLoadableModuleWidget.setup = lambda self: None
    base.ScriptedLoadableModuleWidget.resourcePath = lambda self, name: name
    wrapper = types.ModuleType("slicer.parameterNodeWrapper")
    wrapper.parameterNodeWrapper, wrapper.Choice = wrap, tuple
    for fake in (base, wrapper):
        monkeypatch.setitem(sys.modules, fake.__name__, fake)
    selection = slicer.vtkMRMLSelectionNode()
    slicer.app.applicationLogic = lambda: types.SimpleNamespace(GetSelectionNode=lambda: selection)
    for name, value in (
        ("loadUI", lambda path: make_widget("qMRMLWidget")),
        ("childWidgetVariables", lambda widget: ui),
    ):
        monkeypatch.setattr(slicer.util, name, value, raising=False)
    monkeypatch.syspath_prepend(str(ROOT / "StrokeSAM"))
    monkeypatch.delitem(sys.modules, "StrokeSAM", raising=False)
    import StrokeSAM

    observer = scene.AddObserver(scene.StartCloseEvent, lambda caller, event: nodes.clear())
    widget = StrokeSAM.StrokeSAMWidget()
    widget.layout, widget.parent = fake_class("QVBoxLayout")(), types.SimpleNamespace(isEntered=True)
    widget.selection = selection
    yield widget
    widget.cleanup()
    scene.RemoveObserver(observer)  # VTK's wrapping crashes if the observer outlives its scene
    nodes.clear()
    sys.modules.pop("StrokeSAM", None)


def test_the_volume_that_is_shown_is_the_first_input(module, ui, scene):
    from nodes import add_volume

    module.selection.SetActiveVolumeID(add_volume(scene).GetID())
    module.setup()
    assert module._parameterNode.ncct.GetName() == "CT" and ui.applyButton.enabled


def test_setup_works_before_slicers_startup_is_completed(module, ui, tmp_path, monkeypatch):
    """Slicer may start with this module."""
    monkeypatch.delenv("STROKESAM_WEIGHTS")
    module.setup()
    assert Path(ui.weightsFolderEdit.currentPath) == tmp_path / "cache" / "StrokeSAM" / "weights"


def test_a_choice_by_a_script_is_shown_in_the_panel(module, ui):
    module.setup()
    module._parameterNode.method = "diffusion"
    assert ui.dwiSelector.visible and not ui.ncctSelector.visible


def test_closing_the_scene_creates_a_new_parameter_node(module, scene):
    module.setup()
    first = module._parameterNode
    first.method = "diffusion"
    scene.Clear(False)
    assert first.connected == 0
    assert module._parameterNode is not first and module._parameterNode.method == ""


def test_while_another_module_is_shown_the_new_parameter_node_waits_for_enter(module, ui, scene):
    module.setup()
    module.parent.isEntered = False
    scene.Clear(False)
    assert module._parameterNode is None and not ui.applyButton.enabled
    module.enter()
    assert module._parameterNode.method == ""


def test_entering_again_connects_nothing_twice(module):
    module.setup()
    first = module._parameterNode
    module.enter()
    assert (first.connected, module._parameterNode.connected) == (0, 1)
    assert len(module.Observations) == 3


def test_the_effect_opens_the_section_weights(module, ui):
    module.setup()
    module.showWeights("medsam2")
    assert "MedSAM2" in ui.termsLabel.text and ui.weightsCollapsibleButton.collapsed is False


def test_after_cleanup_nothing_is_observed(module, scene):
    module.setup()
    module.cleanup()
    assert module.Observations == []
    module.lesionWidget = module.weightsWidget = None
