"""The stand-in for Qt refuses names that the Qt classes do not have, and knows every class that the extension uses."""

import re

import fake_qt
import pytest
from fake_qt import NAMES, Widget, names_of
from fake_widgets import OTHER_CLASSES, make_widget
from helpers import ROOT
from panels import WIDGETS


@pytest.fixture
def qt():
    return fake_qt.make_module()


def test_a_misspelt_method_fails(qt):
    button = qt.QPushButton("Apply")
    for call in (lambda: button.setTolTip("tip"), lambda: button.adWidget(None), lambda: button.clik()):
        with pytest.raises(AttributeError, match="QPushButton has no"):
            call()
    with pytest.raises(AttributeError, match="QHBoxLayout has no addWidgt"):
        qt.QHBoxLayout().addWidgt(button)


def test_a_misspelt_property_fails(qt):
    box = qt.QCheckBox("Only slices")
    with pytest.raises(AttributeError, match="QCheckBox has no cheked"):
        box.cheked  # noqa: B018
    with pytest.raises(AttributeError, match="QCheckBox has no property cheked"):
        box.cheked = True
    with pytest.raises(AttributeError, match="ctkCollapsibleButton has no property colapsed"):
        make_widget("ctkCollapsibleButton").colapsed = False


@pytest.mark.parametrize("signal", ["cliked(bool)", "clicked(int)", "clicked"])
def test_a_misspelt_signal_fails(qt, signal):
    button = qt.QPushButton("Apply")
    for call in (button.connect, button.disconnect):
        with pytest.raises(AttributeError, match="QPushButton has no signal"):
            call(signal, print)
    button.connect("clicked(bool)", print)


def test_a_signal_of_a_ctk_widget_is_checked():
    edit = make_widget("ctkPathLineEdit")
    edit.connect("currentPathChanged(QString)", print)
    with pytest.raises(AttributeError, match="ctkPathLineEdit has no signal"):
        edit.connect("currentPathChanged()", print)


def test_a_stand_in_cannot_implement_a_method_that_qt_does_not_have():
    with pytest.raises(AttributeError, match="QTimer has no begin"):
        type("QTimer", (Widget,), {"begin": lambda self: None})


def test_a_name_of_a_base_class_is_known(qt):
    assert {"setText", "setEnabled", "deleteLater", "clicked(bool)"} <= names_of("QPushButton")
    qt.QPushButton("Apply").setEnabled(False)


def test_the_file_has_every_class_that_the_extension_uses():
    """Otherwise run Testing/qt_names.py."""
    paths = (path for folder in ("StrokeSAM", "StrokeSAMLib/ui") for path in (ROOT / folder).rglob("*.py"))
    used = set(re.findall(r"\bqt\.(Q\w+)", "".join(path.read_text("utf-8") for path in paths)))
    used |= {widget.get("class") for widget in WIDGETS.values()}
    assert len(used) > 25
    assert used - NAMES.keys() == set()
    assert not {name for name in OTHER_CLASSES if name.startswith("Q")}
