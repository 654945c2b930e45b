"""Stand-ins for widgets that do more than `fake_qt.Widget`, and the names of the ctk and qMRML widgets."""

import fake_qt
from fake_qt import NAMES, Widget, fake_class, send

# PySide6 does not have these classes. Each entry has a base class and the further names that the extension uses.
OTHER_CLASSES = {
    "ctkCollapsibleButton": ("QAbstractButton", ("collapsed", "setCollapsed")),
    "ctkPathLineEdit": ("QWidget", ("currentPath", "setCurrentPath", "currentPathChanged(QString)")),
    "qMRMLNodeComboBox": ("QWidget", ()),
    "qMRMLWidget": ("QWidget", ("setMRMLScene",)),
    "qMRMLSegmentEditorWidget": (
        "qMRMLWidget",
        (
            "activeEffect",
            "setActiveEffectByName",
            "setCurrentSegmentID",
            "setSegmentationNode",
            "setSourceVolumeNode",
        ),
    ),
    "qSlicerSegmentEditorScriptedEffect": ("QObject", ("self", "setParameter")),
}
NAMES.update({name: {"bases": [base], "names": list(names)} for name, (base, names) in OTHER_CLASSES.items()})


class QFont(Widget): ...


class QTableWidgetItem(Widget):
    def font(self):
        return QFont()


class CellText:
    """A cell of a table, whose text is read by a method."""

    def __init__(self, item):
        self._item = item

    def text(self):
        return self._item.properties["text"]


class QTableWidget(Widget):
    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.record.cells = {}

    def setRowCount(self, count):
        self.properties["rowCount"] = count
        self.record.cells = {place: item for place, item in self.record.cells.items() if place[0] < count}

    def setItem(self, row, column, item):
        self.record.cells[row, column] = item
        send(self, "cellChanged(int,int)", row, column)

    def item(self, row, column):
        return CellText(self.record.cells[row, column])

    def selectRow(self, row):
        send(self, "currentCellChanged(int,int,int,int)", row, 0, -1, -1)

    def resizeColumnsToContents(self): ...

    def resizeColumnToContents(self, column): ...


def texts(table):
    """The texts of a table's cells, row by row."""
    cells = table.record.cells
    columns = 1 + max(column for _row, column in cells)
    return [[cells[row, column].text for column in range(columns)] for row in range(table.rowCount)]


class QComboBox(Widget):
    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.record.items = []
        self.properties["currentIndex"] = -1

    def addItem(self, text, data=None):
        self.record.items.append((text, data))
        if len(self.record.items) == 1:
            self.setCurrentIndex(0)

    def clear(self):
        self.record.items.clear()
        self.properties["currentIndex"] = -1

    def itemData(self, index):
        return self.record.items[index][1]

    def findData(self, data):
        return [each for _text, each in self.record.items].index(data)

    def setCurrentIndex(self, index):
        self.properties["currentIndex"] = index
        send(self, "currentIndexChanged(int)", index)


class QCheckBox(Widget):
    def setChecked(self, checked):
        self.properties["checked"] = checked
        send(self, "toggled(bool)", checked)


class QLineEdit(Widget): ...


class ctkPathLineEdit(Widget):
    """A path field with its inner line edit, which knows whether the user has modified the text."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.record.children.append(QLineEdit())

    def findChild(self, kind):
        (child,) = [each for each in self.record.children if each.qt_class == kind.qt_class]
        return child

    def setCurrentPath(self, path, modified=False):
        self.record.children[0].properties["modified"] = modified
        self.properties["currentPath"] = path
        send(self, "currentPathChanged(QString)", path)


def type_path(edit, path):
    """Type a path into a path field, one key after the other."""
    for length in range(1, len(path) + 1):
        edit.setCurrentPath(path[:length], modified=True)


def press_enter(edit):
    """Finish the editing of a path field."""
    send(edit.record.children[0], "editingFinished()")


_CLASSES = {cls.__name__: cls for cls in (QTableWidget, QComboBox, QCheckBox, ctkPathLineEdit)}


def make_widget(qt_class):
    """A stand-in for a widget of the class `qt_class`."""
    return _CLASSES.get(qt_class, fake_class(qt_class))()


def make_panel_module():
    """The module `qt` for the module's panel: also tables with items."""
    qt = fake_qt.make_module()
    qt.QTableWidgetItem = QTableWidgetItem
    return qt
