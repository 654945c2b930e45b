"""The sample of Slicer's module Sample Data: a synthetic head CT with a known infarct.

It is computed on this computer, not downloaded.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import qt
import SampleData
import slicer

from StrokeSAMLib.core.version import __version__
from StrokeSAMLib.mrml.volumes import setStrokeWindow
from StrokeSAMLib.ui.module.wait_cursor import waitCursor
from StrokeSAMLib.ui.translation import tr as _

NAME = "StrokeHeadCT"
# The version is part of the name, so that a new version makes the sample anew.
_FILE = f"{NAME}-{__version__}.nrrd"


def registerSample(thumbnail: str) -> None:
    """Add the sample to the module Sample Data.

    Args:
        thumbnail: path of the picture on its button.
    """
    source = SampleSource(thumbnail)
    sources = SampleData.SampleDataLogic.sampleDataSourcesByCategory().setdefault("StrokeSAM", [])
    if source not in sources:
        sources.append(source)


class SampleSource(SampleData.SampleDataSource):
    """A source of Sample Data whose file is made when its address is used for the first time.

    `customDownloader` would work only for the buttons of Sample Data; `downloadSample` ignores it.
    """

    def __init__(self, thumbnail: str):
        super().__init__(
            sampleName=NAME,
            uris=[""],
            fileNames=[_FILE],
            nodeNames=[NAME],
            loadFileTypes=["VolumeFile"],
            thumbnailFileName=thumbnail,
        )

    @property
    def uris(self) -> list[str]:
        """The address of the file, which exists afterwards.

        Raises:
            InputError: Slicer's cache folder cannot be written to.
        """
        path = Path(slicer.app.cachePath) / "StrokeSAM" / _FILE
        if not path.exists():
            _showProgress(_("Making the synthetic head CT; this takes some seconds"))
            with waitCursor():
                _writeSample(path)
            _showProgress("")
        return _Addresses([path.as_uri()])

    @uris.setter
    def uris(self, addresses: list[str]) -> None:
        """Ignore the addresses that the base class sets."""

    def __str__(self) -> str:
        # The text of the base class has the addresses, which would make the file.
        return _FILE


class _Addresses(list):
    """The addresses of the sample. After the last one, the volume that was loaded gets a stroke window.

    Sample Data loads the volume of an address before it iterates to the next one.
    """

    def __iter__(self) -> Iterator[str]:
        before = {node.GetID() for node in _samples()}
        yield from super().__iter__()
        for node in _samples():
            if node.GetID() not in before:
                setStrokeWindow(node)


def _samples() -> list[slicer.vtkMRMLScalarVolumeNode]:
    scene = slicer.mrmlScene
    count = scene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode")
    nodes = [scene.GetNthNodeByClass(n, "vtkMRMLScalarVolumeNode") for n in range(count)]
    return [node for node in nodes if node.GetName().startswith(NAME)]


def _writeSample(path: Path) -> None:
    from StrokeSAMLib.io.writing import write_image
    from StrokeSAMLib.phantom import head_ct

    path.parent.mkdir(parents=True, exist_ok=True)
    write_image(head_ct().ncct, path)


def _showProgress(text: str) -> None:
    slicer.util.showStatusMessage(text)
    # The text appears before the main thread is blocked. A second click must not make the file once more.
    slicer.app.processEvents(qt.QEventLoop.ExcludeUserInputEvents)
