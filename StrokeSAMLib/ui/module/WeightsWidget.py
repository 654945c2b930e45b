"""The widgets of the section Weights, connected to `WeightsPanel`."""

from __future__ import annotations

import html

import qt
from slicer.i18n import tr as _

from StrokeSAMLib.ui.module.weights_panel import Actions, Row, WeightsPanel
from StrokeSAMLib.ui.polling import Polling
from StrokeSAMLib.ui.translation import trLibrary
from StrokeSAMLib.weights.catalogue import Entry


class WeightsWidget:
    """Implements `weights_panel.View` with the widgets of StrokeSAM.ui.

    Attributes:
        panel: the section's logic.
    """

    def __init__(self, ui: object):
        """Connect the widgets.

        Args:
            ui: the widgets of StrokeSAM.ui by name.
        """
        self._ui = ui
        self._ids: list[str] = []
        self._filling = False
        self.panel = WeightsPanel(self)
        self._polling = Polling(self.panel)
        self._connect()
        self.showMessage("")
        self.panel.refresh()

    def cleanup(self) -> None:
        """Stop the timer and the worker."""
        self._polling.end()
        self.panel.close()

    def open(self, id: str) -> None:
        """Expand the section and select the checkpoint `id`."""
        self._ui.weightsCollapsibleButton.collapsed = False
        self._ui.weightsTable.selectRow(self._ids.index(id))

    def wake(self) -> None:
        self._polling.wake()

    def showRows(self, rows: list[Row], selected: str | None) -> None:
        table = self._ui.weightsTable
        self._filling = True
        self._ids = [row.id for row in rows]
        table.setRowCount(len(rows))
        for number, row in enumerate(rows):
            cells = (row.title, _("yes") if row.stored else _("no"), row.size, row.licence, row.usedBy)
            for column, text in enumerate(cells):
                item = qt.QTableWidgetItem(text)
                item.setToolTip(text)
                table.setItem(number, column, item)
        table.resizeColumnsToContents()
        if selected in self._ids:
            table.selectRow(self._ids.index(selected))
        self._filling = False

    def showTerms(self, entry: Entry, source: str) -> None:
        page = html.escape(entry.page)
        self._ui.termsLabel.setText(
            f"<b>{html.escape(entry.title)}</b> (<a href='{page}'>{page}</a>)<br>"
            + _("Licence: {licence}").format(licence=f"<b>{html.escape(entry.licence)}</b>")
            + "<br>"
            + _("Please cite: {citation}").format(citation=html.escape(entry.citation))
            + "<br>"
            + _("Source: {source}").format(source=html.escape(source))
        )

    def showActions(self, actions: Actions) -> None:
        ui = self._ui
        ui.acceptCheckBox.setEnabled(actions.accept)
        ui.fetchButton.setEnabled(not actions.fetchObstacle)
        ui.fetchButton.setToolTip(actions.fetchObstacle or _("Download the selected checkpoint"))
        ui.importButton.setEnabled(actions.importFile)
        ui.verifyButton.setEnabled(actions.verify)
        ui.deleteButton.setEnabled(actions.delete)
        ui.weightsCancelButton.setVisible(actions.cancel)
        ui.weightsProgressBar.setVisible(actions.cancel)

    def showAccepted(self, accepted: bool) -> None:
        self._ui.acceptCheckBox.setChecked(accepted)

    def showProgress(self, fraction: float, text: str) -> None:
        self._ui.weightsProgressBar.setValue(round(fraction * 100))
        self._ui.weightsProgressBar.setFormat(f"{trLibrary(text)} (%p %)")

    def showMessage(self, text: str) -> None:
        self._ui.weightsMessageLabel.setText(text)
        self._ui.weightsMessageLabel.setVisible(bool(text))

    def _connect(self) -> None:
        ui, panel = self._ui, self.panel
        ui.weightsTable.connect("currentCellChanged(int,int,int,int)", self._onCell)
        ui.acceptCheckBox.connect("toggled(bool)", panel.accept)
        ui.importButton.connect("clicked(bool)", lambda checked: self._onImport())
        for button, action in (
            (ui.fetchButton, panel.fetch),
            (ui.verifyButton, panel.verify),
            (ui.deleteButton, panel.remove),
            (ui.weightsCancelButton, panel.cancel),
        ):
            button.connect("clicked(bool)", lambda checked, action=action: action())

    def _onCell(self, row: int, column: int, previousRow: int, previousColumn: int) -> None:
        if not self._filling:
            self.panel.select(self._ids[row] if 0 <= row < len(self._ids) else None)

    def _onImport(self) -> None:
        path = qt.QFileDialog.getOpenFileName(
            None, _("Import checkpoint"), "", _("Checkpoints (*.pt *.pth *.safetensors);;All files (*)")
        )
        if path:
            self.panel.importFile(path)
