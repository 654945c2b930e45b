"""The extension's files: CMake's lists, icons, the panel's widgets, and the imports of the module file."""

import os
import re
import subprocess
import sys
from functools import partial

import pytest
from helpers import ROOT
from panels import PANEL, WIDGETS
from PIL import Image, ImageChops

from StrokeSAMLib.ui.module.lesion_panel import OFFERED
from StrokeSAMLib.weights.store import FOLDER_VARIABLE


def cmake_list(path, name):
    """The entries of `set(name …)` in the file `path`, a CMakeLists.txt."""
    match = re.search(rf"set\({name}\s+(.*?)\)", path.read_text("utf-8"), re.DOTALL)
    return set(match.group(1).replace("${MODULE_NAME}", "StrokeSAM").split())


def tracked(folder, *suffixes):
    """The files in `folder` and its subfolders with one of the suffixes, relative to `folder`."""
    return {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.suffix in suffixes and "__pycache__" not in path.parts
    }


def test_cmake_lists_every_file_of_the_library():
    library = ROOT / "StrokeSAMLib"
    lists = library / "CMakeLists.txt"
    assert cmake_list(lists, "LIBRARY_PYTHON_SCRIPTS") == tracked(library, ".py")
    assert cmake_list(lists, "LIBRARY_PYTHON_RESOURCES") == tracked(library, ".json", ".md", ".safetensors")


def test_cmake_lists_every_file_of_the_module():
    module = ROOT / "StrokeSAM"
    lists = module / "CMakeLists.txt"
    assert cmake_list(lists, "MODULE_PYTHON_SCRIPTS") == tracked(module, ".py")
    assert cmake_list(lists, "MODULE_PYTHON_RESOURCES") == tracked(module, ".png", ".ui", ".json", ".txt") - {
        "CMakeLists.txt"
    }


ICONS = sorted((ROOT / "StrokeSAM/Resources/Icons").glob("*.png"))


@pytest.mark.parametrize("path", ICONS, ids=lambda path: path.stem)
def test_an_icon_has_its_size_and_shows_on_light_and_dark(path):
    name, _, size = path.stem.partition("-")
    side = int(size) if size else 32 if name.startswith("Tool") else 128
    with Image.open(path) as icon:
        assert icon.size == (side, side)
        for background in ("#ffffff", "#f0f0f0", "#2b2b2b"):
            plain = Image.new("RGBA", icon.size, background)
            composite = Image.alpha_composite(plain, icon.convert("RGBA"))
            difference = ImageChops.difference(composite.convert("L"), plain.convert("L"))
            visible = sum(difference.histogram()[48:])
            assert visible > 0.1 * side * side, background


SECTIONS = ("Lesion", "Weights", "Folders")


def property_of(widget, name):
    """The text of a widget's property; None if it has no such property."""
    return next((entry[0].text for entry in widget.findall("property") if entry.get("name") == name), None)


class TestPanelFile:
    def test_the_file_has_every_widget_that_the_code_uses(self):
        code = "".join((ROOT / f"StrokeSAMLib/ui/module/{name}Widget.py").read_text("utf-8") for name in SECTIONS)
        used = set(re.findall(r"ui\.([a-z]\w+(?:Selector|Box|Button|Bar|Label|Table|Edit))\b", code))
        assert len(used) > 25
        assert used <= WIDGETS.keys()

    def test_every_input_has_a_selector_and_a_label(self):
        keys = {entry.key for method in OFFERED for entry in method.inputs}
        assert keys <= {name.removesuffix("Selector") for name in WIDGETS if name.endswith("Selector")}
        assert keys <= {name.removesuffix("Label") for name in WIDGETS if name.endswith("Label")}

    def test_every_control_has_a_tooltip_and_an_accessible_name(self):
        passive = ("QWidget", "qMRMLWidget", "ctkCollapsibleButton", "QLabel")
        controls = {name: widget for name, widget in WIDGETS.items() if widget.get("class") not in passive}
        assert len(controls) > 20
        for name, widget in controls.items():
            texts = {entry.get("name"): entry.findtext("string") for entry in widget.findall("property")}
            assert texts.get("toolTip") and texts.get("accessibleName"), name

    def test_every_label_of_a_control_has_a_buddy(self):
        labels = {name: w for name, w in WIDGETS.items() if (property_of(w, "text") or "").endswith(":")}
        assert len(labels) > 8
        for name, widget in labels.items():
            assert property_of(widget, "buddy") in WIDGETS, name

    def test_every_choice_is_a_saved_parameter(self):
        code = (ROOT / "StrokeSAM/StrokeSAM.py").read_text("utf-8")
        saved = set(re.findall(r"^    (\w+): ", code.split("class StrokeSAMParameterNode")[1], re.MULTILINE))
        bound = {property_of(widget, "SlicerParameterName") for widget in WIDGETS.values()} - {None}
        assert bound == saved - {"method", "options"}
        assert {entry.key for method in OFFERED for entry in method.inputs} <= bound
        from StrokeSAMLib.ui.module.lesion_state import LesionPanelState

        assert set(LesionPanelState.__annotations__) <= saved

    def test_no_table_or_text_can_widen_the_window(self):
        """A table or text whose content sets its width would make the window grow, without end if it stretches."""
        flexible = ("messageLabel", "summaryLabel", "termsLabel", "weightsMessageLabel", "pictureLabel")
        tables = {name for name, widget in WIDGETS.items() if widget.get("class") == "QTableWidget"}
        assert tables == {"resultTable", "optionTable", "weightsTable"}
        for name in (*flexible, *tables):
            policy = WIDGETS[name].find("property[@name='sizePolicy']/sizepolicy")
            assert policy is not None and policy.get("hsizetype") == "Ignored", name
        assert WIDGETS["pictureLabel"].findtext("property[@name='minimumSize']/size/width") == "1"

    def test_every_selector_gets_the_scene(self):
        receivers = {connection.findtext("receiver") for connection in PANEL.iter("connection")}
        assert receivers == {name for name, widget in WIDGETS.items() if widget.get("class") == "qMRMLNodeComboBox"}


# The code runs in its own process, with stand-ins for the parts of Slicer that need Qt. The library is beside the
# module as in a source tree, even if it is installed. Modules that Slicer itself has imported are removed from
# sys.modules, so that a second import is visible.
FAKE_SLICER = """
import os, sys, types
from pathlib import Path
sys.path = [{module!r}, *(path for path in sys.path if not (Path(path) / "StrokeSAMLib").exists())]
sys.meta_path = [finder for finder in sys.meta_path if not getattr(finder, "__module__", "").startswith("__editable__")]
import slicer, vtk
connected, registered = [], []
slicer.app = types.SimpleNamespace(connect=lambda *signal_slot: connected.append(signal_slot), cachePath="/cache")
slicer.util.settingsValue = lambda key, default: default
terminologies = types.SimpleNamespace(LoadTerminologyFromFile=lambda path: registered.append(Path(path).name))
slicer.modules = types.SimpleNamespace(terminologies=types.SimpleNamespace(logic=lambda: terminologies))
base = types.ModuleType("slicer.ScriptedLoadableModule")
for name in ("", "Logic", "Widget", "Test"):
    name = "ScriptedLoadableModule" + name
    setattr(base, name, type(name, (), {{"__init__": lambda self, parent=None: None}}))
wrapper = types.ModuleType("slicer.parameterNodeWrapper")
wrapper.parameterNodeWrapper, wrapper.Choice = lambda wrapped: wrapped, tuple
effects = types.ModuleType("qSlicerSegmentationsEditorEffectsPythonQt")
class Effect:
    def __init__(self, parent):
        pass
    def setPythonSource(self, path):
        self.path = path
    def self(self):
        return types.SimpleNamespace(register=lambda: registered.append(Path(self.path).name))
effects.qSlicerSegmentEditorScriptedEffect = Effect
i18n = types.ModuleType("slicer.i18n")
i18n.tr, i18n.translate = lambda text: text, lambda context, text: text
samples = types.ModuleType("SampleData")
class SampleDataSource:
    def __init__(self, sampleName, **others):
        registered.append(sampleName)
samples.SampleDataSource = SampleDataSource
samples.SampleDataLogic = types.SimpleNamespace(sampleDataSourcesByCategory=lambda: {{}})
sys.modules.update({{"slicer.ScriptedLoadableModule": base, "slicer.i18n": i18n, "SampleData": samples}})
sys.modules.update({{"slicer.parameterNodeWrapper": wrapper, effects.__name__: effects, "qt": types.ModuleType("qt")}})
HEAVY = ("numpy", "scipy", "SimpleITK", "torch", "PIL", "matplotlib", "pydicom")
for name in list(sys.modules):
    if name.partition(".")[0] in HEAVY:
        del sys.modules[name]
import StrokeSAM
parent = types.SimpleNamespace()
StrokeSAM.StrokeSAM(parent)
(signal, slot), = connected
slot()
print([name for name in HEAVY if name in sys.modules], registered)
print(signal, parent.title, parent.categories, StrokeSAM.StrokeSAMLogic.__name__)
print(Path(sys.modules["StrokeSAMLib"].__file__).parent)
print(os.environ["STROKESAM_WEIGHTS"])
"""


def test_the_module_file_registers_its_parts_and_imports_nothing_heavy():
    pytest.importorskip("slicer")
    code = FAKE_SLICER.format(module=str(ROOT / "StrokeSAM"))
    environment = {name: value for name, value in os.environ.items() if name != FOLDER_VARIABLE}
    run = partial(subprocess.run, capture_output=True, encoding="utf-8", cwd=ROOT / "docs", env=environment)
    done = run([sys.executable, "-c", code])
    assert done.stdout.splitlines() == [
        "[] ['SegmentEditorEffect.py', 'StrokeSAM.term.json', 'StrokeHeadCT']",
        "startupCompleted() StrokeSAM ['Segmentation'] StrokeSAMLogic",
        str(ROOT / "StrokeSAMLib"),
        "/cache/StrokeSAM/weights",
    ], done.stderr
