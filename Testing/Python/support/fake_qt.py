"""A stand-in for PythonQt that refuses every name that the Qt class does not have.

Testing/Data/qt_names.json lists the names of each class (see Testing/qt_names.py). PythonQt offers methods and
properties as attributes, and signals as texts such as "clicked(bool)".
"""

import json
import types
from functools import cache

from helpers import ROOT

NAMES = json.loads((ROOT / "Testing" / "Data" / "qt_names.json").read_text("utf-8"))
# Values of properties before they are set.
DEFAULTS = {"enabled": True, "visible": True, "checked": False, "value": 0, "text": ""}


@cache
def names_of(qt_class):
    """The names of a class and its base classes."""
    entry = NAMES[qt_class]
    return frozenset(entry["names"]).union(*map(names_of, entry["bases"]))


def refuse(qt_class, name):
    raise AttributeError(f"{qt_class} has no {name}")


class Record:
    """A test's view of a widget: constructor arguments, added children, connected slots, and existence."""

    def __init__(self, arguments):
        self.arguments, self.children, self.slots, self.alive = arguments, [], {}, True


class Widget:
    """A widget that remembers the values of its properties.

    `setX(value)` sets the property x. `addX(child)` adds a child. A fake class may implement further methods; their
    names must be names of the Qt class, too. The attribute `record` is for tests only.
    """

    created = []  # noqa: RUF012
    qt_class = "QWidget"

    def __init_subclass__(cls, qt_class=None):
        cls.qt_class = qt_class or cls.__name__
        for name in vars(cls):
            if not name.startswith("_") and name not in ("qt_class", *names_of(cls.qt_class)):
                refuse(cls.qt_class, name)

    def __init__(self, *arguments):
        text = next((value for value in arguments if isinstance(value, str)), "")
        vars(self).update(record=Record(arguments), properties={**DEFAULTS, "text": text})
        Widget.created.append(self)

    def __getattr__(self, name):
        if name not in names_of(self.qt_class):
            refuse(self.qt_class, name)
        if name in self.properties:
            return self.properties[name]
        if name.startswith("set"):
            return lambda *values: self.properties.update({_property(name): values[0] if len(values) == 1 else values})
        if name.startswith("add"):
            return lambda child, *details: self.record.children.append(child)
        raise AttributeError(f"the stand-in for {self.qt_class} does not implement {name}")

    def __setattr__(self, name, value):
        if f"set{name[0].upper()}{name[1:]}" not in names_of(self.qt_class):
            refuse(self.qt_class, f"property {name} that can be set")
        self.properties[name] = value

    def connect(self, signal, slot):
        self._check(signal)
        self.record.slots.setdefault(signal, []).append(slot)

    def disconnect(self, signal, slot):
        self._check(signal)
        remaining = [each for each in self.record.slots.pop(signal, []) if each != slot]
        if remaining:
            self.record.slots[signal] = remaining

    def deleteLater(self):
        self.record.alive = False

    def _check(self, signal):
        if "(" not in signal or signal not in names_of(self.qt_class):
            refuse(self.qt_class, f"signal {signal}")


def _property(setter):
    return setter[3].lower() + setter[4:]


def send(widget, signal, *arguments):
    """Send a signal of a widget, as Qt does."""
    widget._check(signal)
    for slot in widget.record.slots.get(signal, []):
        slot(*arguments)


class QTimer(Widget):
    def __init__(self):
        super().__init__()
        self.stop()

    def start(self):
        self.properties["active"] = True

    def stop(self):
        self.properties["active"] = False

    @staticmethod
    def singleShot(milliseconds, slot):
        SINGLE_SHOTS.append(slot)


SINGLE_SHOTS = []


def run_single_shots():
    """Call the slots of all single shots, as Qt's event loop does."""
    while SINGLE_SHOTS:
        SINGLE_SHOTS.pop(0)()


class QMainWindow(Widget):
    """The main window, which knows the shortcuts that were created in it."""

    def findChildren(self, kind):
        return [each for each in Widget.created if each.qt_class == kind and each.record.alive]


class QListWidget(Widget):
    def clear(self):
        self.record.children.clear()


class QPixmap(Widget):
    def fill(self, colour): ...

    def scaled(self, width, height):
        return self

    def scaledToWidth(self, width, mode):
        self.properties["width"] = width
        return self

    def height(self):
        return 0


class QPainter(Widget):
    def drawLine(self, *ends): ...

    def drawPixmap(self, x, y, pixmap):
        self.record.arguments[0].record.children.append(pixmap.record.arguments[0])

    def end(self): ...


class QIcon(Widget):
    def addFile(self, path): ...


class QShortcut(Widget):
    def __init__(self, key, window):
        super().__init__(key, window)
        # The default context of Qt is the whole window.
        self.properties.update(key=key, parent=window, context=2)

    def setEnabled(self, enabled):
        assert self.record.alive, "a deleted shortcut"
        self.properties["enabled"] = enabled


class QKeySequence(str):
    def toString(self):
        return str(self)


_PLAIN = (
    *("QWidget", "QLabel", "QComboBox", "QPushButton", "QToolButton", "QCheckBox", "QSpinBox", "QProgressBar"),
    *("QLineEdit", "QVBoxLayout", "QHBoxLayout", "QButtonGroup", "QCursor", "QColor", "QPen"),
)


def fake_class(name, base=Widget):
    """A fake of the Qt class `name` without methods of its own."""
    return types.new_class(name, (base,), {"qt_class": name})


def namespace(qt_class, **members):
    """A namespace with some members of a Qt class, for example static methods."""
    for name in members:
        if name not in names_of(qt_class):
            refuse(qt_class, name)
    return types.SimpleNamespace(**members)


class OverrideCursors:
    """The cursors that the application shows instead of those of its widgets, and all that it has shown."""

    def __init__(self):
        self.current, self.shown = [], []

    def set(self, cursor):
        self.current.append(cursor)
        self.shown.append(cursor)

    def restore(self):
        self.current.pop()


def make_module():
    """A module `qt`. `qt.cursors` has the override cursors."""
    qt = types.ModuleType("qt")
    SINGLE_SHOTS.clear()
    qt.cursors = OverrideCursors()
    qt.QApplication = namespace(
        "QApplication", setOverrideCursor=qt.cursors.set, restoreOverrideCursor=qt.cursors.restore
    )
    qt.QEventLoop = types.SimpleNamespace(ExcludeUserInputEvents=1)
    for name in _PLAIN:
        setattr(qt, name, fake_class(name))
    for cls in (QTimer, QListWidget, QPixmap, QPainter, QIcon, QShortcut, QKeySequence):
        setattr(qt, cls.__name__, cls)
    qt.Qt = namespace(
        "Qt",
        ToolButtonTextBesideIcon=2,
        WidgetShortcut=0,
        WidgetWithChildrenShortcut=1,
        SmoothTransformation=1,
        ItemIsEnabled=1,
        ItemIsSelectable=2,
        ItemIsEditable=4,
        WaitCursor=3,
    )
    return qt
