"""The sample of Sample Data, with a stand-in for that module, which loads sources as Slicer's does."""

import importlib
import sys
import types
from pathlib import Path
from urllib.request import urlretrieve

import pytest
import SimpleITK as sitk

slicer = pytest.importorskip("slicer")


class SampleDataSource:
    """The parts of Slicer's class that the extension uses."""

    def __init__(self, sampleName, uris, fileNames, nodeNames, loadFileTypes, thumbnailFileName):
        assert len(uris) == len(fileNames) == len(nodeNames) == len(loadFileTypes) == 1
        self.sampleName, self.uris, self.fileNames, self.nodeNames = sampleName, uris, fileNames, nodeNames
        self.loadFileTypes, self.thumbnailFileName, self.customDownloader = loadFileTypes, thumbnailFileName, None

    def __eq__(self, other):
        return str(self) == str(other)

    def __str__(self):
        return "\n".join(map(str, zip(self.fileNames, self.uris, self.nodeNames, strict=True)))


@pytest.fixture
def sample(qt, scene, monkeypatch, tmp_path):
    """The module `sample`; tests read `sources`, `made` and `status`, and call `download`."""
    from StrokeSAMLib.mrml.volumes import volumeNodeFromImage

    data = types.ModuleType("SampleData")
    data.SampleDataSource = SampleDataSource
    sources, made, status = {}, [], []

    def head_ct():
        made.append(1)
        image = sitk.Image(8, 8, 4, sitk.sitkInt16)
        image.SetSpacing((2.0, 2.0, 5.0))
        return types.SimpleNamespace(ncct=image)

    def download(source):
        """Load a source as `SampleDataLogic.downloadFromSource` does."""
        nodes = []
        for uri, fileName, nodeName in zip(source.uris, source.fileNames, source.nodeNames, strict=False):
            urlretrieve(uri, tmp_path / fileName)
            node = volumeNodeFromImage(sitk.ReadImage(str(tmp_path / fileName)), scene, nodeName)
            nodes.append(node)
        return nodes

    data.SampleDataLogic = types.SimpleNamespace(sampleDataSourcesByCategory=lambda: sources)
    monkeypatch.setitem(sys.modules, "SampleData", data)
    monkeypatch.setattr("StrokeSAMLib.phantom.head_ct", head_ct)
    monkeypatch.setattr(slicer.util, "showStatusMessage", status.append, raising=False)
    sample = importlib.import_module("StrokeSAMLib.ui.module.sample")
    sample.registerSample("icon.png")
    return types.SimpleNamespace(
        module=sample, sources=sources, made=made, status=status, download=download, source=sources["StrokeSAM"][0]
    )


def test_registering_makes_no_file_and_adds_the_sample_once(sample, tmp_path):
    sample.module.registerSample("icon.png")
    assert len(sample.sources["StrokeSAM"]) == 1 and not sample.made and not (tmp_path / "cache").exists()
    assert sample.source.sampleName == "StrokeHeadCT" and sample.source.customDownloader is None


def test_the_file_is_made_once_with_a_sign_of_work(sample, qt):
    (uri,) = sample.source.uris
    assert uri.startswith("file:///") and uri.endswith("/StrokeSAM/StrokeHeadCT-0.1.0.nrrd")
    assert len(sample.status) == 2 and "head CT" in sample.status[0] and sample.status[1] == ""
    assert qt.cursors.shown == [qt.Qt.WaitCursor] and qt.cursors.current == []
    sample.download(sample.source)
    assert sample.made == [1]
    assert [path.name for path in Path(slicer.app.cachePath, "StrokeSAM").iterdir()] == ["StrokeHeadCT-0.1.0.nrrd"]


def test_the_loaded_volume_has_a_stroke_window(sample, scene):
    from nodes import add_volume

    older = add_volume(scene, name="StrokeHeadCT")
    older.CreateDefaultDisplayNodes()
    (node,) = sample.download(sample.source)
    display = node.GetDisplayNode()
    assert (display.GetWindow(), display.GetLevel(), display.GetAutoWindowLevel()) == (80, 40, 0)
    assert older.GetDisplayNode().GetAutoWindowLevel() == 1
    assert node.GetName() == "StrokeHeadCT" and node.GetSpacing() == (2.0, 2.0, 5.0)


def test_a_new_version_makes_the_file_anew(sample, monkeypatch):
    sample.download(sample.source)
    monkeypatch.setattr(sample.module, "_FILE", "StrokeHeadCT-0.2.0.nrrd")
    assert sample.source.uris[0].endswith("0.2.0.nrrd") and sample.made == [1, 1]
