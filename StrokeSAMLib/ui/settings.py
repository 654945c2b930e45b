"""What Slicer's settings keep for the extension, across scenes."""

from __future__ import annotations

import os
from pathlib import Path

import qt
import slicer

from StrokeSAMLib.ui.packages import WHEEL_FOLDER_SETTING
from StrokeSAMLib.weights.store import VARIABLE

WEIGHTS_FOLDER_SETTING = "StrokeSAM/WeightsFolder"


def nameWeightsFolder() -> None:
    """Name the folder for weights to the library, by its environment variable: one that is set already wins."""
    os.environ.setdefault(VARIABLE, _keptWeightsFolder())


def weightsFolder() -> str:
    """The folder that weights are kept in now."""
    return os.environ[VARIABLE]


def setWeightsFolder(folder: str) -> None:
    """Keep weights there from now on, and after a restart; "" for the default. Files are not moved."""
    qt.QSettings().setValue(WEIGHTS_FOLDER_SETTING, folder.strip())
    os.environ[VARIABLE] = _keptWeightsFolder()


def wheelFolder() -> str:
    """The folder of wheels that packages are installed from; "" for the internet."""
    return str(slicer.util.settingsValue(WHEEL_FOLDER_SETTING, "") or "")


def setWheelFolder(folder: str) -> None:
    """Install packages from that folder from now on."""
    qt.QSettings().setValue(WHEEL_FOLDER_SETTING, folder.strip())


def _keptWeightsFolder() -> str:
    """The folder in the settings, by default one in Slicer's cache."""
    default = (Path(slicer.app.cachePath) / "StrokeSAM" / "weights").as_posix()
    return str(slicer.util.settingsValue(WEIGHTS_FOLDER_SETTING, "") or default)
