"""Fixtures of the module's panel: a stand-in for Qt, and the widgets of StrokeSAM.ui."""

import sys
import types

import pytest
from fake_qt import namespace
from fake_widgets import make_panel_module, make_widget
from panels import WIDGETS

QT_MODULES = (
    *(f"module.{name}" for name in ("LesionWidget", "WeightsWidget", "FoldersWidget", "OptionTable", "PathField")),
    *(f"module.{name}" for name in ("settings", "sample", "wait_cursor")),
    "polling",
    "effect.segment_editor",
)


def forget_qt_modules():
    """Make the next import of the modules that use Qt import them again."""
    for name in QT_MODULES:
        sys.modules.pop(f"StrokeSAMLib.ui.{name}", None)


@pytest.fixture
def qt(monkeypatch, tmp_path):
    """The module `qt`, and the parts of `slicer` that only an application has.

    The test puts the answers of file dialogs into `qt.answers`, and reads the settings from `qt.settings`.
    """
    slicer = pytest.importorskip("slicer")
    qt, settings = make_panel_module(), {}
    qt.settings, qt.answers = settings, []
    qt.QSettings = lambda: namespace("QSettings", setValue=settings.__setitem__)
    answer = lambda *arguments: qt.answers.pop()  # noqa: E731
    qt.QFileDialog = namespace("QFileDialog", getSaveFileName=answer, getOpenFileName=answer)
    i18n = types.ModuleType("slicer.i18n")
    i18n.tr = lambda text: text
    i18n.translate = lambda context, text: text
    monkeypatch.setitem(sys.modules, "qt", qt)
    monkeypatch.setitem(sys.modules, "slicer.i18n", i18n)
    app = types.SimpleNamespace(
        cachePath=str(tmp_path / "cache"), applicationVersion="5.12.0", processEvents=lambda flags: None
    )
    monkeypatch.setattr(slicer, "app", app, raising=False)
    monkeypatch.setattr(slicer, "modules", types.SimpleNamespace(), raising=False)
    monkeypatch.setattr(slicer.util, "settingsValue", settings.get, raising=False)
    forget_qt_modules()
    yield qt
    forget_qt_modules()


@pytest.fixture
def ui():
    """The widgets of StrokeSAM.ui by name."""
    widgets = {name: make_widget(widget.get("class")) for name, widget in WIDGETS.items()}
    widgets["resultCollapsibleButton"].properties["width"] = 420
    return types.SimpleNamespace(**widgets)
