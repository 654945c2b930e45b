"""StrokeSAMWidget in a real scene, with stand-ins for Qt, the parameter node and Slicer's base classes."""

import logging
import sys
import types
from pathlib import Path

import pytest
from fake_qt import fake_class, run_single_shots
from fake_widgets import make_widget
from module_file import import_module_file

slicer = pytest.importorskip("slicer")


@pytest.fixture
def module(qt, ui, scene, store, monkeypatch):
    """The module's widget before `setup`."""
    StrokeSAM, base = import_module_file(monkeypatch)
    nodes = {}

    def parameter_node(logic):
        assert logic.moduleName == "StrokeSAM"
        return nodes.setdefault("one", types.SimpleNamespace(values={}, node=slicer.vtkMRMLScriptedModuleNode()))

    base.ScriptedLoadableModuleLogic.getParameterNode = parameter_node
    base.ScriptedLoadableModuleWidget.setup = lambda self: None
    base.ScriptedLoadableModuleWidget.resourcePath = lambda self, name: name
    base.ScriptedLoadableModuleWidget.onReload = lambda self: self.reloads.append(list(sys.modules))
    selection = slicer.vtkMRMLSelectionNode()
    slicer.app.applicationLogic = lambda: types.SimpleNamespace(GetSelectionNode=lambda: selection)
    for name, value in (
        ("loadUI", lambda path: make_widget("qMRMLWidget")),
        ("childWidgetVariables", lambda widget: ui),
    ):
        monkeypatch.setattr(slicer.util, name, value, raising=False)
    observer = scene.AddObserver(scene.StartCloseEvent, lambda caller, event: nodes.clear())
    widget = StrokeSAM.StrokeSAMWidget()
    widget.layout, widget.parent = fake_class("QVBoxLayout")(), types.SimpleNamespace(isEntered=True)
    widget.selection, widget.reloads = selection, []
    yield widget
    widget.cleanup()
    scene.RemoveObserver(observer)  # VTK's wrapping crashes if the observer outlives its scene
    nodes.clear()


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
    assert len(module.Observations) == 6


@pytest.fixture
def loading(scene):
    """A function that does some work within a state of the scene, as Slicer does while it loads a scene."""

    def load(work):
        scene.StartState(scene.ImportState)
        work()
        scene.EndState(scene.ImportState)

    return load


def test_while_a_scene_is_loaded_the_module_lets_go_of_the_parameter_node(module, ui, loading):
    """The selectors would otherwise replace the loaded choices by those that they show."""
    module.setup()
    first, states = module._parameterNode, []

    def load():
        states.append((module._parameterNode, first.connected, ui.applyButton.enabled))
        first.node.values["method"] = "diffusion"

    loading(load)
    assert states == [(None, 0, False)]
    assert module._parameterNode.method == "diffusion" and module._parameterNode.connected == 1
    assert ui.dwiSelector.visible


def test_progress_of_the_loading_is_not_its_end(module, scene, loading):
    module.setup()
    states = []

    def load():
        scene.InvokeEvent(scene.ProgressImportEvent)
        states.append(module._parameterNode)

    loading(load)
    assert states == [None] and module._parameterNode is not None


def test_while_another_module_is_shown_the_loaded_scene_waits_for_enter(module, loading):
    module.setup()
    module.parent.isEntered = False
    loading(lambda: None)
    assert module._parameterNode is None
    module.enter()
    assert module._parameterNode is not None


class TestNewVolumes:
    def test_a_ct_is_preselected_once_it_is_loaded(self, module, scene, ui):
        from nodes import add_volume

        module.setup()
        first = add_volume(scene, name="Head CT")
        assert module._parameterNode.ncct is None
        run_single_shots()
        assert module._parameterNode.ncct is first and ui.applyButton.enabled
        add_volume(scene, name="Second CT")
        run_single_shots()
        assert module._parameterNode.ncct is first

    def test_dwi_and_adc_are_preselected_by_their_names(self, module, scene):
        from nodes import add_volume

        module.setup()
        adc, dwi = add_volume(scene, name="ep2d_diff_ADC"), add_volume(scene, name="ep2d_diff_TRACEW")
        run_single_shots()
        module._parameterNode.method = "diffusion"
        assert (module._parameterNode.adc, module._parameterNode.dwi, module._parameterNode.ncct) == (adc, dwi, None)

    def test_volumes_of_a_loaded_scene_and_those_that_are_gone_again_are_not_suggested(self, module, scene, loading):
        from nodes import add_volume

        module.setup()
        loading(lambda: add_volume(scene, name="CT"))
        scene.RemoveNode(add_volume(scene, name="CT"))
        run_single_shots()
        assert module._parameterNode.ncct is None

    def test_a_volume_loaded_while_another_module_is_shown_is_not_suggested(self, module, scene):
        from nodes import add_volume

        module.setup()
        module.parent.isEntered = False
        add_volume(scene, name="CT")
        run_single_shots()
        assert module._parameterNode.ncct is None


def test_a_dwi_that_is_shown_is_no_ct(module, scene):
    from nodes import add_volume

    module.selection.SetActiveVolumeID(add_volume(scene, name="DWI").GetID())
    module.setup()
    assert module._parameterNode.ncct is None and module._parameterNode.dwi.GetName() == "DWI"


class TestStartUp:
    """The registrations at start-up are independent."""

    NAMES = ("registerSettings", "registerSegmentEditorEffect", "registerTerminology", "registerSampleData")

    @pytest.mark.parametrize("failing", NAMES)
    def test_a_registration_that_fails_is_logged_and_the_others_go_on(self, module, monkeypatch, caplog, failing):
        import StrokeSAM

        done = []

        def refuse():
            raise RuntimeError("no such thing")

        for name in self.NAMES:
            register = refuse if name == failing else lambda name=name: done.append(name)
            monkeypatch.setattr(StrokeSAM, name, register)
        StrokeSAM.StrokeSAM.onStartupCompleted(None)
        assert done == [name for name in self.NAMES if name != failing]
        (record,) = caplog.records
        assert record.levelno == logging.ERROR and "could not be registered: no such thing" in record.message

    def test_in_an_old_slicer_the_effect_is_not_registered(self, module, old_slicer, caplog):
        import StrokeSAM

        StrokeSAM.registerSegmentEditorEffect()
        assert [record.message for record in caplog.records] == [old_slicer]


@pytest.fixture
def old_slicer(monkeypatch):
    """A Slicer without the logic that writes segments; returns the sentence for the user."""
    monkeypatch.delattr(slicer, "vtkSlicerSegmentEditorLogic")
    slicer.app.applicationVersion = "5.8.1"
    return "StrokeSAM needs Slicer 5.10 or newer; this is Slicer 5.8.1."


def test_in_an_old_slicer_the_panel_says_which_one_is_needed(module, old_slicer):
    module.setup()
    (label,) = module.layout.record.children
    assert label.text == old_slicer and label.wordWrap is True
    module.enter()
    assert module.Observations == []


@pytest.fixture
def restored_imports():
    """Restores the imported modules after the test."""
    before = dict(sys.modules)
    yield
    sys.modules.clear()
    sys.modules.update(before)


def test_reload_imports_library_and_effect_anew(module, restored_imports):
    effect = "SegmentEditorStrokeSAMLib"
    sys.modules[effect] = types.ModuleType(effect)
    module.setup()
    effects = []
    editor = types.SimpleNamespace(setActiveEffectByName=effects.append)
    slicer.modules.SegmentEditorWidget = types.SimpleNamespace(editor=editor)
    module.onReload()
    (names,) = module.reloads
    assert effects == [""] and "slicer" in names
    assert [name for name in names if name.partition(".")[0] in ("StrokeSAMLib", effect)] == []


def test_the_effect_opens_the_section_weights(module, ui):
    module.setup()
    module.showWeights("medsam2")
    assert "MedSAM2" in ui.termsLabel.text and ui.weightsCollapsibleButton.collapsed is False


def test_after_cleanup_nothing_is_observed(module, scene):
    module.setup()
    first = module._parameterNode
    module.cleanup()
    assert module.Observations == [] and first.connected == 0
    module.cleanup()
