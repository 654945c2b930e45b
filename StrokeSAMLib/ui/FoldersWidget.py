"""The folders in the section Advanced, which Slicer's settings keep."""

from __future__ import annotations

from collections.abc import Callable

from StrokeSAMLib.ui.settings import setWeightsFolder, setWheelFolder, weightsFolder, wheelFolder


class FoldersWidget:
    """Where weights are kept, and where packages come from without internet."""

    def __init__(self, ui: object, weightsMoved: Callable[[], None]):
        """`weightsMoved` is called when another folder for weights was named."""
        self._weightsMoved = weightsMoved
        ui.weightsFolderEdit.setCurrentPath(weightsFolder())
        ui.wheelFolderEdit.setCurrentPath(wheelFolder())
        ui.weightsFolderEdit.connect("currentPathChanged(QString)", self._onWeightsFolder)
        ui.wheelFolderEdit.connect("currentPathChanged(QString)", setWheelFolder)

    def _onWeightsFolder(self, folder: str) -> None:
        setWeightsFolder(folder)
        self._weightsMoved()
