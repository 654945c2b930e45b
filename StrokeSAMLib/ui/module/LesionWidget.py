"""The widgets of the section Segment lesion, connected to `LesionPanel`."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

import qt
from slicer.i18n import tr as _

from StrokeSAMLib.lesion.registry import Method
from StrokeSAMLib.mrml import StrokeSAMLogic
from StrokeSAMLib.ui.effect.segment_editor import refineInSegmentEditor
from StrokeSAMLib.ui.module.lesion_panel import LesionPanel
from StrokeSAMLib.ui.module.option_rows import OptionRow
from StrokeSAMLib.ui.module.OptionTable import OptionTable
from StrokeSAMLib.ui.module.wait_cursor import waitCursor
from StrokeSAMLib.ui.polling import Polling
from StrokeSAMLib.ui.translation import trLibrary

INPUT_KEYS = ("ncct", "dwi", "adc", "b0")


class LesionWidget:
    """Implements `lesion_interfaces.View` with the widgets of StrokeSAM.ui.

    Attributes:
        panel: the section's logic.
    """

    def __init__(self, ui: object, logic: StrokeSAMLogic):
        """Connect the widgets.

        Args:
            ui: the widgets of StrokeSAM.ui by name.
            logic: segments lesions in the scene.
        """
        self._ui = ui
        self._filling = False
        self.panel = LesionPanel(self, logic, refineInSegmentEditor)
        self._polling = Polling(self.panel)
        self._options = OptionTable(ui.optionTable, self.panel.setOption)
        self._connect()
        self.setRunning(False)
        self.showResult([], None)

    def cleanup(self) -> None:
        """Stop the timer and the worker."""
        self._polling.end()
        self.panel.close()

    def wake(self) -> None:
        self._polling.wake()

    def showMethods(self, items: list[tuple[str, str]]) -> None:
        self._filling = True
        self._ui.methodComboBox.clear()
        for id, text in items:
            self._ui.methodComboBox.addItem(text, id)
        self._filling = False

    def showMethod(self, method: Method) -> None:
        ui, keys = self._ui, [entry.key for entry in method.inputs]
        self._filling = True
        ui.methodComboBox.setCurrentIndex(ui.methodComboBox.findData(method.id))
        self._filling = False
        ui.summaryLabel.setText(trLibrary(method.summary))
        for key in INPUT_KEYS:
            getattr(ui, f"{key}Selector").setVisible(key in keys)
            getattr(ui, f"{key}Label").setVisible(key in keys)

    def showOptions(self, rows: list[OptionRow]) -> None:
        self._options.show(rows)
        self._ui.resetButton.setEnabled(any(row.value != row.default for row in rows))

    def setApplyEnabled(self, enabled: bool, toolTip: str) -> None:
        self._ui.applyButton.setEnabled(enabled)
        self._ui.applyButton.setToolTip(toolTip)

    def setRefineEnabled(self, enabled: bool, toolTip: str) -> None:
        self._ui.refineButton.setEnabled(enabled)
        self._ui.refineButton.setToolTip(toolTip)

    def setRunning(self, running: bool) -> None:
        self._ui.progressBar.setVisible(running)
        self._ui.cancelButton.setEnabled(running)

    def showProgress(self, fraction: float, text: str) -> None:
        self._ui.progressBar.setValue(round(fraction * 100))
        self._ui.progressBar.setFormat(f"{trLibrary(text)} (%p %)")

    def showResult(self, rows: list[tuple[str, str]], picture: Path | None) -> None:
        table = self._ui.resultTable
        table.setRowCount(len(rows))
        for row, cells in enumerate(rows):
            for column, cell in enumerate(cells):
                table.setItem(row, column, qt.QTableWidgetItem(cell))
        table.setVisible(bool(rows))
        self._showPicture(picture)

    def showMessage(self, text: str) -> None:
        self._ui.messageLabel.setText(text)
        self._ui.messageLabel.setVisible(bool(text))

    def waiting(self) -> AbstractContextManager[None]:
        return waitCursor()

    def _showPicture(self, picture: Path | None) -> None:
        label = self._ui.pictureLabel
        label.setVisible(picture is not None)
        self._ui.savePictureButton.setEnabled(picture is not None)
        pixmap = qt.QPixmap()
        if picture is not None:
            width = self._ui.resultCollapsibleButton.width - 2 * _MARGIN
            pixmap = qt.QPixmap(str(picture)).scaledToWidth(max(width, _MARGIN), qt.Qt.SmoothTransformation)
        label.setPixmap(pixmap)
        label.setMinimumHeight(pixmap.height())  # the section is no larger than its contents need at least

    def _connect(self) -> None:
        ui = self._ui
        ui.methodComboBox.connect("currentIndexChanged(int)", self._onMethod)
        ui.applyButton.connect("clicked(bool)", lambda checked: self.panel.start())
        ui.cancelButton.connect("clicked(bool)", lambda checked: self.panel.cancel())
        ui.refineButton.connect("clicked(bool)", lambda checked: self.panel.refine())
        ui.savePictureButton.connect("clicked(bool)", lambda checked: self._onSavePicture())
        ui.resetButton.connect("clicked(bool)", lambda checked: self.panel.resetOptions())

    def _onMethod(self, index: int) -> None:
        if not self._filling:
            self.panel.setMethod(self._ui.methodComboBox.itemData(index))

    def _onSavePicture(self) -> None:
        path = qt.QFileDialog.getSaveFileName(None, _("Save overview"), "overview.png", "PNG (*.png)")
        if path:
            self.panel.savePicture(path)


_MARGIN = 12
