"""The pictures of the extension."""

from __future__ import annotations

from pathlib import Path

import qt

_SIZES = (16, 32, 48, 64)


def iconFolder() -> Path:
    """Where the module keeps them: beside the library from a source tree, beside the module when installed."""
    import slicer

    return Path(slicer.modules.strokesam.path).parent / "Resources" / "Icons"


def icon(name: str) -> qt.QIcon:
    """The icon called `name`, in every size in which it was drawn."""
    made, folder = qt.QIcon(), iconFolder()
    for path in (folder / f"{name}.png", *(folder / f"{name}-{size}.png" for size in _SIZES)):
        if path.exists():
            made.addFile(path.as_posix())
    return made
