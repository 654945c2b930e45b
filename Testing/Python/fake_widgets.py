"""Qt's widgets that remember more than the plain fake: tables, lists, boxes, paths, pictures."""

import types

from fake_qt import Widget


class Item(Widget):
    def font(self):
        return Widget()


class Table(Widget):
    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.cells = {}

    def setRowCount(self, count):
        self.rowCount = count
        self.cells = {place: item for place, item in self.cells.items() if place[0] < count}

    def setItem(self, row, column, item):
        self.cells[row, column] = item
        self.send("cellChanged(int,int)", row, column)

    def item(self, row, column):
        return types.SimpleNamespace(text=lambda: self.cells[row, column].text)

    def selectRow(self, row):
        self.send("currentCellChanged(int,int,int,int)", row, 0, -1, -1)

    def resizeColumnsToContents(self):
        pass

    def resizeColumnToContents(self, column):
        pass

    def texts(self):
        columns = 1 + max(column for _row, column in self.cells)
        return [[self.cells[row, column].text for column in range(columns)] for row in range(self.rowCount)]


class Combo(Widget):
    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.items, self.currentIndex = [], -1

    def addItem(self, text, data=None):
        self.items.append((text, data))
        if len(self.items) == 1:
            self.setCurrentIndex(0)

    def clear(self):
        self.items, self.currentIndex = [], -1

    def itemData(self, index):
        return self.items[index][1]

    def findData(self, data):
        return [each for _text, each in self.items].index(data)

    def setCurrentIndex(self, index):
        self.currentIndex = index
        self.send("currentIndexChanged(int)", index)


class Check(Widget):
    def setChecked(self, checked):
        self.checked = checked
        self.send("toggled(bool)", checked)


class Edit(Widget):
    def setCurrentPath(self, path):
        self.currentPath = path
        self.send("currentPathChanged(QString)", path)


class Pixmap(Widget):
    def scaledToWidth(self, width, mode):
        self.width = width
        return self


KINDS = {"QTableWidget": Table, "QComboBox": Combo, "QCheckBox": Check, "ctkPathLineEdit": Edit}
