"""The folder fields in the section Advanced. Slicer's settings store their values."""

from __future__ import annotations

from collections.abc import Callable

from StrokeSAMLib.ui.module.PathField import PathField
from StrokeSAMLib.ui.module.settings import setWeightsFolder, setWheelFolder, weightsFolder, wheelFolder


class FoldersWidget:
    """Fields for the weights folder and for the folder of wheels, which is used without internet."""

    def __init__(self, ui: object, onWeightsFolder: Callable[[], None]):
        """Fill and connect the fields.

        Args:
            ui: the widgets of StrokeSAM.ui by name.
            onWeightsFolder: called after the weights folder was changed.
        """
        self._onWeightsFolder = onWeightsFolder
        self._weights = PathField(ui.weightsFolderEdit, weightsFolder(), self._changeWeightsFolder)
        self._wheels = PathField(ui.wheelFolderEdit, wheelFolder(), setWheelFolder)

    def _changeWeightsFolder(self, folder: str) -> None:
        setWeightsFolder(folder)
        self._onWeightsFolder()
