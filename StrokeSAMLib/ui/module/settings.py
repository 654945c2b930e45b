"""Settings of the extension that Slicer stores independently of scenes."""

from __future__ import annotations

import os
from pathlib import Path

import qt
import slicer

from StrokeSAMLib.ui.install.package_installer import WHEEL_FOLDER_SETTING
from StrokeSAMLib.weights.store import FOLDER_VARIABLE

WEIGHTS_FOLDER_SETTING = "StrokeSAM/WeightsFolder"


def exportWeightsFolder() -> None:
    """Pass the weights folder to the library in an environment variable, unless the variable is already set."""
    os.environ.setdefault(FOLDER_VARIABLE, _weightsFolderSetting())


def weightsFolder() -> str:
    """The current folder for weights."""
    return os.environ[FOLDER_VARIABLE]


def setWeightsFolder(folder: str) -> None:
    """Set the folder for weights, also for later runs of Slicer. Files are not moved.

    Args:
        folder: the folder; "" for the default.
    """
    qt.QSettings().setValue(WEIGHTS_FOLDER_SETTING, folder.strip())
    os.environ[FOLDER_VARIABLE] = _weightsFolderSetting()


def wheelFolder() -> str:
    """The folder of wheels from which packages are installed; "" for the internet."""
    return str(slicer.util.settingsValue(WHEEL_FOLDER_SETTING, "") or "")


def setWheelFolder(folder: str) -> None:
    """Set the folder of wheels from which packages are installed; "" for the internet."""
    qt.QSettings().setValue(WHEEL_FOLDER_SETTING, folder.strip())


def _weightsFolderSetting() -> str:
    """The weights folder in Slicer's settings, or the default folder in Slicer's cache."""
    default = (Path(slicer.app.cachePath) / "StrokeSAM" / "weights").as_posix()
    return str(slicer.util.settingsValue(WEIGHTS_FOLDER_SETTING, "") or default)
