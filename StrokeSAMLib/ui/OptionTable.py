"""A table in which options are edited."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import qt

from StrokeSAMLib.ui.option_rows import OptionRow

_NAME, _VALUE, _UNIT = range(3)


class OptionTable:
    """Rows of name, value and unit on a QTableWidget; only values can be edited."""

    def __init__(self, table: Any, edited: Callable[[str, str], None]):
        """`edited` is called with the name of an option and the text that the user gave it."""
        self._table = table
        self._edited = edited
        self._filling = False
        table.connect("cellChanged(int,int)", self._onCell)

    def show(self, rows: list[OptionRow]) -> None:
        """Show these rows in the place of those before."""
        self._filling = True
        self._table.setRowCount(len(rows))
        for place, row in enumerate(rows):
            for column, text in ((_NAME, row.name), (_VALUE, row.value), (_UNIT, row.unit)):
                self._table.setItem(place, column, _item(text, row, column == _VALUE))
        self._table.resizeColumnToContents(_NAME)
        self._filling = False

    def _onCell(self, row: int, column: int) -> None:
        if not self._filling and column == _VALUE:
            self._edited(self._table.item(row, _NAME).text(), self._table.item(row, _VALUE).text())


def _item(text: str, row: OptionRow, editable: bool) -> Any:
    made = qt.QTableWidgetItem(text)
    made.setToolTip(row.help)
    flags = qt.Qt.ItemIsEnabled | qt.Qt.ItemIsSelectable
    made.setFlags(flags | qt.Qt.ItemIsEditable if editable else flags)
    if row.value != row.default:
        font = made.font()
        font.setBold(True)
        made.setFont(font)
    return made
