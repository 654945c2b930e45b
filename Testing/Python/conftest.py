"""Fixtures: a real MRML scene of the slicer-core wheel; weights, their store, and a server for them."""

from dataclasses import replace

import pytest
from download_server import BODY, HASH, serving

from StrokeSAMLib.weights.catalogue import catalogue, find_weights
from StrokeSAMLib.weights.store import FOLDER_VARIABLE, Store


@pytest.fixture
def scene():
    """A fresh MRML scene, with the logics that segmentations and terminologies need, as `slicer.mrmlScene`."""
    slicer = pytest.importorskip("slicer", reason="the slicer-core wheel is not installed")
    previous = getattr(slicer, "mrmlScene", None)
    scene = slicer.vtkMRMLScene()
    slicer.mrmlScene = scene
    logic = slicer.vtkSlicerSegmentationsModuleLogic()
    logic.SetMRMLScene(scene)
    slicer.vtkMRMLSubjectHierarchyNode.ResolveSubjectHierarchy(scene)
    yield scene
    scene.Clear(True)
    slicer.mrmlScene = previous


@pytest.fixture(scope="session", autouse=True)
def _no_weights_of_the_user(tmp_path_factory):
    """Set an empty store, in place of the user's own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(FOLDER_VARIABLE, str(tmp_path_factory.mktemp("weights") / "none"))
        yield


@pytest.fixture
def store(tmp_path, monkeypatch):
    """An empty store of weights, set as the user's store."""
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "store"))
    return Store()


@pytest.fixture
def swift(tmp_path):
    """A file with the keys of SwiftMedSAM."""
    torch = pytest.importorskip("torch")
    from StrokeSAMLib.nets.models.sam_models import swift_medsam

    torch.manual_seed(2)
    torch.save(swift_medsam().state_dict(), tmp_path / "downloaded.pth")
    return tmp_path / "downloaded.pth"


@pytest.fixture(scope="session")
def server():
    """A file server on this machine, without a proxy."""
    with pytest.MonkeyPatch.context() as patch, serving() as server:
        patch.setenv("NO_PROXY", "127.0.0.1")
        yield server


@pytest.fixture
def entry(server, monkeypatch):
    """A function that points the catalogue's entry of SAM 2.1 tiny to a path on `server`, with further changes."""

    def make(path, **changes):
        values = {"url": f"{server.address}/{path}", "sha256": HASH, "bytes": len(BODY), "megabytes": 1}
        entry = replace(find_weights("sam2.1-tiny"), **{**values, **changes})
        monkeypatch.setitem(catalogue(), entry.id, entry)
        return entry

    return make
