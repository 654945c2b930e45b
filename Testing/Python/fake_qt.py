"""As much of PythonQt as the effect uses: widgets that remember what they are set to, and signals that a test sends."""

import types
from typing import ClassVar


class Widget:
    """`setX(value)` sets the attribute x; `connect("name(types)", slot)` as PythonQt has it; `send` is the test's."""

    made: ClassVar = []

    def __init__(self, *arguments):
        self.arguments = arguments
        self.children = []
        self.slots = {}
        self.enabled = self.visible = True
        self.checked, self.value, self.text = False, 0, next((a for a in arguments if isinstance(a, str)), "")
        self.alive = True
        Widget.made.append(self)

    def __getattr__(self, name):
        if name.startswith("set") and name[3:4].isupper():
            return lambda *values: setattr(self, name[3].lower() + name[4:], values[0] if len(values) == 1 else values)
        if name.startswith("add"):
            return lambda *added: self.children.append(added[0])
        raise AttributeError(name)

    def connect(self, signal, slot):
        self.slots.setdefault(signal, []).append(slot)

    def disconnect(self, signal, slot):
        kept = [each for each in self.slots.pop(signal, []) if each != slot]
        if kept:
            self.slots[signal] = kept

    def send(self, signal, *arguments):
        for slot in self.slots.get(signal, []):
            slot(*arguments)

    def deleteLater(self):
        self.alive = False

    def clear(self):
        self.children = []


class Timer(Widget):
    active = False

    def start(self):
        self.active = True

    def stop(self):
        self.active = False


class Window(Widget):
    """The main window: it knows the shortcuts that were made in it."""

    def findChildren(self, kind):
        return [each for each in Widget.made if isinstance(each, Shortcut) and each.alive]


class Pixmap(Widget):
    def fill(self, colour): ...

    def scaled(self, width, height):
        return self


class Painter(Widget):
    def drawLine(self, *ends): ...

    def drawPixmap(self, x, y, picture):
        self.arguments[0].children.append(picture.arguments[0])

    def end(self): ...


class KeySequence(str):
    def toString(self):
        return str(self)


class Shortcut(Widget):
    def __init__(self, key, window):
        super().__init__(key, window)
        self.key, self.parent, self.context = key, window, 2  # Qt's default: in all of the window

    def setEnabled(self, enabled):
        assert self.alive, "a destroyed shortcut"
        self.enabled = enabled


_WIDGETS = (
    *("QWidget", "QLabel", "QComboBox", "QListWidget", "QPushButton", "QToolButton", "QCheckBox", "QSpinBox"),
    *("QProgressBar", "QVBoxLayout", "QHBoxLayout", "QButtonGroup", "QIcon", "QCursor", "QColor", "QPen"),
)


def make_module():
    """A module `qt`."""
    qt = types.ModuleType("qt")
    for name in _WIDGETS:
        setattr(qt, name, type(name, (Widget,), {}))
    qt.QPixmap, qt.QPainter = Pixmap, Painter
    qt.QTimer, qt.QShortcut, qt.QKeySequence = Timer, Shortcut, KeySequence
    qt.Qt = types.SimpleNamespace(ToolButtonTextBesideIcon=2, CrossCursor=2, WidgetWithChildrenShortcut=1)
    return qt
