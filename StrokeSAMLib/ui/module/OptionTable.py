"""A table in which the user edits the options of a method."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import qt

from StrokeSAMLib.ui.module.option_rows import OptionRow

_NAME, _VALUE, _UNIT = range(3)


class OptionTable:
    """Rows of name, value and unit in a QTableWidget. Only the values can be edited."""

    def __init__(self, table: Any, onEdit: Callable[[str, str], None]):
        """Connect the table.

        Args:
            table: a QTableWidget with three columns.
            onEdit: called with the name of an option and the text that the user entered.
        """
        self._table = table
        self._onEdit = onEdit
        self._filling = False
        table.connect("cellChanged(int,int)", self._onCell)

    def show(self, rows: list[OptionRow]) -> None:
        """Replace the rows of the table."""
        self._filling = True
        self._table.setRowCount(len(rows))
        for number, row in enumerate(rows):
            for column, text in ((_NAME, row.name), (_VALUE, row.value), (_UNIT, row.unit)):
                self._table.setItem(number, column, _item(text, row, column == _VALUE))
        self._table.resizeColumnToContents(_NAME)
        self._filling = False

    def _onCell(self, row: int, column: int) -> None:
        if not self._filling and column == _VALUE:
            self._onEdit(self._table.item(row, _NAME).text(), self._table.item(row, _VALUE).text())


def _item(text: str, row: OptionRow, editable: bool) -> Any:
    item = qt.QTableWidgetItem(text)
    item.setToolTip(row.toolTip)
    flags = qt.Qt.ItemIsEnabled | qt.Qt.ItemIsSelectable
    item.setFlags(flags | qt.Qt.ItemIsEditable if editable else flags)
    if row.value != row.default:
        font = item.font()
        font.setBold(True)
        item.setFont(font)
    return item
