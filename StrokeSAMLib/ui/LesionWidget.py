"""The widgets of the module's panel, wired to `LesionPanel`."""

from __future__ import annotations

import qt

from StrokeSAMLib.lesion.registry import METHODS
from StrokeSAMLib.mrml import StrokeSAMLogic
from StrokeSAMLib.ui.lesion_panel import LesionPanel

_POLL_MS = 50
INPUT_KEYS = ("ncct", "dwi", "adc", "b0")


class LesionWidget:
    """Implements `lesion_panel.View` with the widgets of StrokeSAM.ui."""

    def __init__(self, ui: object, logic: StrokeSAMLogic):
        self._ui = ui
        self._timer = qt.QTimer()
        self._timer.setInterval(_POLL_MS)
        self.panel = LesionPanel(self, logic)
        self.panel.applied = ui.segmentationSelector.setCurrentNode
        self._selectors = {key: getattr(ui, f"{key}Selector") for key in INPUT_KEYS}
        self._connect()
        for method in METHODS:
            if method.organ == "brain":
                ui.methodComboBox.addItem(method.title, method.id)
        self.setRunning(False)

    def cleanup(self) -> None:
        """Stop the timer and the worker."""
        self._timer.stop()
        self.panel.close()

    def showInputs(self, keys: tuple[str, ...]) -> None:
        for key, selector in self._selectors.items():
            selector.setVisible(key in keys)
            getattr(self._ui, f"{key}Label").setVisible(key in keys)
        self._ui.summaryLabel.text = self.panel.method.summary

    def setApplyEnabled(self, enabled: bool, reason: str) -> None:
        self._ui.applyButton.enabled = enabled
        self._ui.applyButton.toolTip = reason

    def setRunning(self, running: bool) -> None:
        self._ui.progressBar.setVisible(running)
        self._ui.cancelButton.enabled = running
        if running:
            self._timer.start()
            self._ui.messageLabel.text = ""

    def showProgress(self, fraction: float, text: str) -> None:
        self._ui.progressBar.value = round(fraction * 100)
        self._ui.progressBar.format = f"{text} (%p %)"

    def showResult(self, rows: list[tuple[str, str]], notes: list[str]) -> None:
        table = self._ui.resultTable
        table.setRowCount(len(rows))
        for row, cells in enumerate(rows):
            for column, cell in enumerate(cells):
                table.setItem(row, column, qt.QTableWidgetItem(cell))
        self._ui.messageLabel.text = "\n".join(notes)

    def showError(self, text: str) -> None:
        self._ui.messageLabel.text = text

    def _connect(self) -> None:
        ui = self._ui
        ui.methodComboBox.connect("currentIndexChanged(int)", self._onMethod)
        for key, selector in self._selectors.items():
            selector.connect("currentNodeChanged(vtkMRMLNode*)", lambda node, key=key: self.panel.setInput(key, node))
        ui.applyButton.connect("clicked(bool)", self._onApply)
        ui.cancelButton.connect("clicked(bool)", lambda checked: self.panel.cancel())
        self._timer.connect("timeout()", self._onTimer)

    def _onMethod(self, index: int) -> None:
        self.panel.setMethod(self._ui.methodComboBox.itemData(index))

    def _onApply(self, checked: bool) -> None:
        self.panel.start(self._ui.segmentationSelector.currentNode())

    def _onTimer(self) -> None:
        self.panel.poll()
        if not self.panel.busy:
            self._timer.stop()
