"""The extension's files: CMake's lists, the panel's widgets, what importing the module costs."""

import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

import pytest
from helpers import ROOT

from StrokeSAMLib.lesion import METHODS


def cmake_list(path, name):
    """The entries of `set(name …)` in a CMakeLists.txt."""
    found = re.search(rf"set\({name}\s+(.*?)\)", path.read_text(), re.DOTALL)
    return set(found.group(1).replace("${MODULE_NAME}", "StrokeSAM").split())


def tracked(folder, *suffixes):
    """The files below `folder` that have one of the suffixes, relative to it."""
    return {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.suffix in suffixes and "__pycache__" not in path.parts
    }


def test_cmake_lists_every_file_of_the_library():
    library = ROOT / "StrokeSAMLib"
    lists = library / "CMakeLists.txt"
    assert cmake_list(lists, "LIBRARY_PYTHON_SCRIPTS") == tracked(library, ".py")
    assert cmake_list(lists, "LIBRARY_PYTHON_RESOURCES") == tracked(library, ".json")


def test_cmake_lists_every_file_of_the_module():
    module = ROOT / "StrokeSAM"
    lists = module / "CMakeLists.txt"
    assert cmake_list(lists, "MODULE_PYTHON_SCRIPTS") == tracked(module, ".py")
    assert cmake_list(lists, "MODULE_PYTHON_RESOURCES") == tracked(module, ".png", ".ui", ".json")


PANEL = ElementTree.parse(ROOT / "StrokeSAM/Resources/UI/StrokeSAM.ui")
WIDGETS = {widget.get("name"): widget for widget in PANEL.iter("widget")}


class TestPanelFile:
    def test_has_every_widget_that_the_code_uses(self):
        code = (ROOT / "StrokeSAMLib/ui/LesionWidget.py").read_text()
        used = set(re.findall(r"\bui\.(\w+(?:Selector|Box|Button|Bar|Label|Table))\b", code))
        assert used
        assert used <= WIDGETS.keys()

    def test_has_a_selector_and_a_label_for_every_input(self):
        keys = {entry.key for method in METHODS if method.organ == "brain" for entry in method.inputs}
        assert keys <= {name.removesuffix("Selector") for name in WIDGETS if name.endswith("Selector")}
        assert keys <= {name.removesuffix("Label") for name in WIDGETS if name.endswith("Label")}

    def test_every_control_has_a_tooltip_and_an_accessible_name(self):
        controls = ("qMRMLNodeComboBox", "QComboBox", "QPushButton", "QProgressBar", "QTableWidget")
        for name, widget in WIDGETS.items():
            if widget.get("class") in controls:
                properties = {entry.get("name") for entry in widget.findall("property")}
                assert {"toolTip", "accessibleName"} <= properties, name

    def test_every_selector_gets_the_scene(self):
        receivers = {connection.findtext("receiver") for connection in PANEL.iter("connection")}
        assert receivers == {name for name, widget in WIDGETS.items() if widget.get("class") == "qMRMLNodeComboBox"}


FAKE_SLICER = """
import sys, types
sys.path.insert(0, {module!r})
import slicer
slicer.app = types.SimpleNamespace(connect=lambda signal, slot: connected.append((signal, slot.__name__)))
connected = []
base = types.ModuleType("slicer.ScriptedLoadableModule")
for name in ("ScriptedLoadableModule", "ScriptedLoadableModuleWidget", "ScriptedLoadableModuleTest"):
    setattr(base, name, type(name, (), {{"__init__": lambda self, parent=None: None}}))
i18n = types.ModuleType("slicer.i18n")
i18n.tr, i18n.translate = lambda text: text, lambda context, text: text
sys.modules["slicer.ScriptedLoadableModule"], sys.modules["slicer.i18n"] = base, i18n
before = set(sys.modules)
import StrokeSAM
parent = types.SimpleNamespace()
StrokeSAM.StrokeSAM(parent)
heavy = [name for name in ("scipy", "SimpleITK", "torch", "PIL", "matplotlib", "pydicom") if name in sys.modules]
print(heavy, connected, parent.title, parent.categories, StrokeSAM.StrokeSAMLogic.__name__)
"""


def test_the_module_file_imports_nothing_heavy_and_says_who_it_is():
    """In a process of its own, with the few Qt-bound classes of Slicer that the module file names faked."""
    pytest.importorskip("slicer")
    code = FAKE_SLICER.format(module=str(ROOT / "StrokeSAM"))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT / "docs")
    expected = "[] [('startupCompleted()', 'onStartupCompleted')] StrokeSAM ['Segmentation'] StrokeSAMLogic"
    assert done.stdout.strip() == expected, done.stderr
