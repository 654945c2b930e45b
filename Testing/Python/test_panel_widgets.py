"""The panel's widgets on fakes of Qt that have the names of StrokeSAM.ui; the presenters are real."""

import sys
import types
from pathlib import Path

import pytest
from download_server import HASH
from fake_qt import Widget, make_module
from fake_widgets import KINDS, Item, Pixmap
from helpers import ROOT
from panels import WIDGETS, FakeLogic, new_state, poll_until_idle

slicer = pytest.importorskip("slicer")

MODULES = ("LesionWidget", "WeightsWidget", "FoldersWidget", "OptionTable", "polling", "settings", "segment_editor")


@pytest.fixture
def qt(monkeypatch, tmp_path):
    """`qt`, with settings and file dialogs that the test answers; and of `slicer` what an application adds."""
    made, kept = make_module(), {}
    made.kept, made.answers = kept, []
    made.QTableWidgetItem, made.QPixmap = Item, Pixmap
    made.QSettings = lambda: types.SimpleNamespace(setValue=kept.__setitem__)
    chosen = lambda *arguments: made.answers.pop()  # noqa: E731
    made.QFileDialog = types.SimpleNamespace(getSaveFileName=chosen, getOpenFileName=chosen)
    made.Qt = types.SimpleNamespace(ItemIsEnabled=1, ItemIsSelectable=2, ItemIsEditable=4, SmoothTransformation=1)
    i18n = types.ModuleType("slicer.i18n")
    i18n.tr = lambda text: text
    monkeypatch.setitem(sys.modules, "qt", made)
    monkeypatch.setitem(sys.modules, "slicer.i18n", i18n)
    monkeypatch.setattr(slicer, "app", types.SimpleNamespace(cachePath=str(tmp_path / "cache")), raising=False)
    monkeypatch.setattr(slicer.util, "settingsValue", kept.get, raising=False)
    for name in MODULES:
        monkeypatch.delitem(sys.modules, f"StrokeSAMLib.ui.{name}", raising=False)
    yield made
    for name in MODULES:
        sys.modules.pop(f"StrokeSAMLib.ui.{name}", None)


@pytest.fixture
def ui():
    made = {name: KINDS.get(widget.get("class"), Widget)() for name, widget in WIDGETS.items()}
    made["resultCollapsibleButton"].width = 420
    return types.SimpleNamespace(**made)


@pytest.fixture
def lesion(qt, ui):
    from StrokeSAMLib.ui.LesionWidget import LesionWidget

    logic = FakeLogic()
    logic.go.set()
    made = LesionWidget(ui, logic)
    made.state = new_state()
    made.panel.setState(made.state)
    poll_until_idle(made.panel)
    yield made
    made.cleanup()


@pytest.fixture
def weights(qt, ui, store):
    from StrokeSAMLib.ui.WeightsWidget import WeightsWidget

    made = WeightsWidget(ui)
    yield made
    made.cleanup()


def click(button):
    assert button.enabled and button.visible
    button.send("clicked(bool)", False)


class TestLesion:
    def test_the_scenes_method_outlives_the_filling_of_the_list(self, lesion, ui):
        lesion.panel.setState(new_state(method="diffusion"))
        assert ui.methodComboBox.itemData(ui.methodComboBox.currentIndex) == "diffusion"
        assert [ui.ncctSelector.visible, ui.dwiSelector.visible, ui.adcLabel.visible] == [False, True, True]

    def test_choosing_in_the_list(self, lesion, ui):
        ui.methodComboBox.setCurrentIndex(ui.methodComboBox.findData("diffusion"))
        assert lesion.state.method == "diffusion" and ui.dwiSelector.visible and not ui.ncctSelector.visible

    def test_from_apply_to_the_saved_picture(self, lesion, ui, qt, tmp_path):
        assert not ui.applyButton.enabled and not ui.resultTable.visible and not ui.pictureLabel.visible
        lesion.state.ncct = "node"
        lesion.panel.onState()
        click(ui.applyButton)
        assert ui.progressBar.visible and ui.cancelButton.enabled and lesion._polling._timer.active
        poll_until_idle(lesion.panel)
        lesion._polling._timer.send("timeout()")
        assert not lesion._polling._timer.active and not ui.progressBar.visible
        assert ui.resultTable.visible and ui.resultTable.texts()[0][0] == "Volume"
        assert ui.pictureLabel.visible and 300 < ui.pictureLabel.pixmap.width < 420 and ui.refineButton.enabled
        qt.answers.append(str(tmp_path / "lesion.png"))
        click(ui.savePictureButton)
        assert (tmp_path / "lesion.png").read_bytes()[1:4] == b"PNG"
        qt.answers.append("")
        click(ui.savePictureButton)
        assert len(list(tmp_path.glob("*.png"))) == 1

    def test_an_option_is_edited_and_reset_in_the_table(self, lesion, ui):
        ui.methodComboBox.setCurrentIndex(ui.methodComboBox.findData("diffusion"))
        poll_until_idle(lesion.panel)
        row = next(n for n, cells in enumerate(ui.optionTable.texts()) if cells[0] == "seed_adc")
        assert lesion.state.options == "{}" and not ui.resetButton.enabled
        flags = [ui.optionTable.cells[row, column].flags for column in range(3)]
        assert flags == [3, 7, 3] and "default 620" in ui.optionTable.cells[row, 1].toolTip
        ui.optionTable.setItem(row, 1, Item("600"))
        assert lesion.state.options == '{"diffusion": {"seed_adc": "600"}}'
        click(ui.resetButton)
        assert lesion.state.options == "{}" and ui.optionTable.texts()[row][1] == "620.0"

    def test_gone_no_timer_ticks(self, lesion):
        lesion.cleanup()
        assert not lesion._polling._timer.active and not lesion._polling._timer.slots
        lesion._polling._timer.slots["timeout()"] = []


class TestWeights:
    def test_fetched_and_deleted(self, weights, ui, entry, store):
        made = entry("whole")
        assert not ui.fetchButton.enabled and not ui.weightsProgressBar.visible
        weights.open(made.id)
        assert ui.weightsCollapsibleButton.collapsed is False
        assert made.licence in ui.termsLabel.text and made.url in ui.termsLabel.text
        ui.acceptCheckBox.setChecked(True)
        click(ui.fetchButton)
        assert ui.weightsCancelButton.visible and not ui.fetchButton.enabled and weights._polling._timer.active
        poll_until_idle(weights.panel)
        assert store.verify(made.id) == HASH and ui.weightsTable.texts()[0][:2] == ["SAM 2.1 tiny", "yes"]
        assert not ui.weightsCancelButton.visible
        click(ui.deleteButton)
        assert ui.weightsTable.texts()[0][1] == "no" and ui.weightsMessageLabel.text.startswith("Deleted")

    def test_a_file_is_imported_unless_the_dialog_is_dismissed(self, weights, ui, qt, swift, store):
        weights.open("swift-medsam")
        qt.answers.append("")
        click(ui.importButton)
        assert not weights.panel.busy
        qt.answers.append(str(swift))
        click(ui.importButton)
        poll_until_idle(weights.panel)
        assert store.find("swift-medsam") and ui.verifyButton.enabled

    def test_what_a_catalogue_says_is_text_and_no_markup(self, weights, ui, entry):
        weights.open(entry("whole", licence="<a & b>").id)
        assert "&lt;a &amp; b&gt;" in ui.termsLabel.text

    def test_what_ships_can_be_checked_and_not_deleted(self, weights, ui):
        weights.open("ncct-unet")
        assert ui.verifyButton.enabled and not ui.deleteButton.enabled


class TestFolders:
    @pytest.fixture
    def folders(self, qt, ui, monkeypatch):
        from StrokeSAMLib.ui.FoldersWidget import FoldersWidget
        from StrokeSAMLib.ui.settings import nameWeightsFolder

        monkeypatch.delenv("STROKESAM_WEIGHTS")
        nameWeightsFolder()
        moved = []
        FoldersWidget(ui, lambda: moved.append(1))
        return moved

    def test_weights_go_into_slicers_cache_unless_told_otherwise(self, folders, ui, qt, tmp_path):
        from StrokeSAMLib.weights.store import Store

        assert Store().folder == tmp_path / "cache" / "StrokeSAM" / "weights" == Path(ui.weightsFolderEdit.currentPath)
        ui.weightsFolderEdit.setCurrentPath(str(tmp_path / "mine"))
        assert Store().folder == tmp_path / "mine" and folders
        assert qt.kept["StrokeSAM/WeightsFolder"] == str(tmp_path / "mine")
        ui.weightsFolderEdit.setCurrentPath("")
        assert Store().folder == tmp_path / "cache" / "StrokeSAM" / "weights"

    def test_the_variable_wins(self, qt, monkeypatch, tmp_path):
        from StrokeSAMLib.ui.settings import nameWeightsFolder, weightsFolder

        monkeypatch.setenv("STROKESAM_WEIGHTS", str(tmp_path / "theirs"))
        nameWeightsFolder()
        assert weightsFolder() == str(tmp_path / "theirs")

    def test_the_folder_of_wheels_is_the_one_that_installing_uses(self, folders, ui, qt):
        from StrokeSAMLib.ui.packages import WHEEL_FOLDER_SETTING

        assert ui.wheelFolderEdit.currentPath == ""
        ui.wheelFolderEdit.setCurrentPath("D:/wheels")
        assert qt.kept[WHEEL_FOLDER_SETTING] == "D:/wheels"


class TestSegmentEditor:
    """On real nodes; the editor's widget writes down what it is told."""

    class Editor:
        effect = True

        def __init__(self):
            self.told = []

        def __getattr__(self, name):
            return lambda *arguments: self.told.append((name, *arguments))

        def activeEffect(self):
            return self if self.effect else None

        def self(self):
            return self

    @pytest.fixture
    def editor(self, qt, monkeypatch):
        made = self.Editor()
        widget = types.SimpleNamespace(editor=made)
        monkeypatch.setattr(slicer.util, "selectModule", lambda name: made.told.append(name), raising=False)
        monkeypatch.setattr(slicer.util, "getModuleWidget", {"SegmentEditor": widget}.get, raising=False)
        return made

    @pytest.fixture
    def segmentation(self, scene):
        from nodes import add_volume

        from StrokeSAMLib.mrml.segments import newSegmentation

        return newSegmentation(add_volume(scene), scene)

    def test_opens_on_the_lesion_and_starts_from_it(self, editor, segmentation, scene):
        from StrokeSAMLib.mrml.tags import PROVENANCE, writeTag
        from StrokeSAMLib.ui.segment_editor import refineInSegmentEditor

        held = segmentation.GetSegmentation()
        for name in ("first", "lesion", "other"):
            held.AddEmptySegment(name)
        writeTag(held.GetSegment("lesion"), PROVENANCE, {"method": "asymmetry"})
        refineInSegmentEditor(segmentation, "cpu")
        assert editor.told == [
            "SegmentEditor",
            ("setSegmentationNode", segmentation),
            ("setSourceVolumeNode", scene.GetFirstNodeByClass("vtkMRMLScalarVolumeNode")),
            ("setCurrentSegmentID", "lesion"),
            ("setActiveEffectByName", "StrokeSAM"),
            ("setParameter", "Device", "cpu"),
            ("refine",),
        ]

    def test_without_the_mark_of_a_method_the_last_segment(self, segmentation):
        from StrokeSAMLib.mrml.origin import lesionSegmentId

        assert lesionSegmentId(segmentation) is None
        for name in ("first", "last"):
            segmentation.GetSegmentation().AddEmptySegment(name)
        assert lesionSegmentId(segmentation) == "last"

    @pytest.mark.parametrize("lacking", ["segment", "volume", "effect"])
    def test_says_what_is_lacking(self, editor, segmentation, scene, lacking):
        from StrokeSAMLib.errors import StrokeSAMError
        from StrokeSAMLib.ui.segment_editor import refineInSegmentEditor

        if lacking != "segment":
            segmentation.GetSegmentation().AddEmptySegment("lesion")
        if lacking == "volume":
            scene.RemoveNode(scene.GetFirstNodeByClass("vtkMRMLScalarVolumeNode"))
        editor.effect = lacking != "effect"
        with pytest.raises(StrokeSAMError, match=lacking):
            refineInSegmentEditor(segmentation)
        assert ("refine",) not in editor.told


class StandIn:
    """A class that `parameterNodeWrapper` has wrapped, as far as the module uses it."""

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


def wrap(wrapped):
    names = wrapped.__annotations__
    defaults = {f"default_{name}": getattr(wrapped, name, None) for name in names}
    return type(wrapped.__name__, (StandIn,), {"__annotations__": names, **defaults})


class TestModule:
    """StrokeSAMWidget through its life, in a real scene; parameter node and base classes are stood in for."""

    @pytest.fixture
    def module(self, qt, ui, scene, store, monkeypatch):
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
        i18n = sys.modules["slicer.i18n"]
        i18n.translate = lambda context, text: text
        for made in (base, wrapper):
            monkeypatch.setitem(sys.modules, made.__name__, made)
        selection = slicer.vtkMRMLSelectionNode()
        slicer.app.applicationLogic = lambda: types.SimpleNamespace(GetSelectionNode=lambda: selection)
        for name, value in (("loadUI", lambda path: Widget()), ("childWidgetVariables", lambda widget: ui)):
            monkeypatch.setattr(slicer.util, name, value, raising=False)
        monkeypatch.syspath_prepend(str(ROOT / "StrokeSAM"))
        monkeypatch.delitem(sys.modules, "StrokeSAM", raising=False)
        import StrokeSAM

        observer = scene.AddObserver(scene.StartCloseEvent, lambda caller, event: nodes.clear())
        made = StrokeSAM.StrokeSAMWidget()
        made.layout, made.parent = Widget(), types.SimpleNamespace(isEntered=True)
        made.selection = selection
        yield made
        made.cleanup()
        scene.RemoveObserver(observer)  # one that outlives its scene crashes VTK's wrapping
        nodes.clear()
        sys.modules.pop("StrokeSAM", None)

    def test_the_volume_that_is_shown_is_the_input_at_first(self, module, ui, scene):
        from nodes import add_volume

        module.selection.SetActiveVolumeID(add_volume(scene).GetID())
        module.setup()
        assert module._parameterNode.ncct.GetName() == "CT" and ui.applyButton.enabled

    def test_the_module_that_slicer_starts_with_is_set_up_before_the_startup_is_completed(
        self, module, ui, tmp_path, monkeypatch
    ):
        monkeypatch.delenv("STROKESAM_WEIGHTS")
        module.setup()
        assert Path(ui.weightsFolderEdit.currentPath) == tmp_path / "cache" / "StrokeSAM" / "weights"

    def test_a_choice_by_a_script_reaches_the_panel(self, module, ui):
        module.setup()
        module._parameterNode.method = "diffusion"
        assert ui.dwiSelector.visible and not ui.ncctSelector.visible

    def test_after_the_scene_was_closed_it_is_new(self, module, scene):
        module.setup()
        first = module._parameterNode
        first.method = "diffusion"
        scene.Clear(False)
        assert first.connected == 0
        assert module._parameterNode is not first and module._parameterNode.method == ""

    def test_closed_while_another_module_is_shown_it_waits_to_be_entered(self, module, ui, scene):
        module.setup()
        module.parent.isEntered = False
        scene.Clear(False)
        assert module._parameterNode is None and not ui.applyButton.enabled
        module.enter()
        assert module._parameterNode.method == ""

    def test_entered_again_nothing_is_connected_twice(self, module):
        module.setup()
        first = module._parameterNode
        module.enter()
        assert (first.connected, module._parameterNode.connected) == (0, 1)
        assert len(module.Observations) == 3

    def test_weights_are_opened_for_the_effect(self, module, ui):
        module.setup()
        module.showWeights("medsam2")
        assert "MedSAM2" in ui.termsLabel.text and ui.weightsCollapsibleButton.collapsed is False

    def test_gone_it_observes_nothing(self, module, scene):
        module.setup()
        module.cleanup()
        assert module.Observations == []
        module.lesionWidget = module.weightsWidget = None
