"""Fixtures: a real MRML scene of the slicer-core wheel; weights, a store of them, a server of them."""

from dataclasses import replace

import pytest
from download_server import BODY, HASH, serving

from StrokeSAMLib.weights.catalogue import catalogue, find_weights
from StrokeSAMLib.weights.store import VARIABLE, Store


@pytest.fixture
def scene():
    """A fresh MRML scene, with the logics that segmentations and terminologies need, as `slicer.mrmlScene`."""
    slicer = pytest.importorskip("slicer", reason="the slicer-core wheel is not installed")
    previous = getattr(slicer, "mrmlScene", None)
    made = slicer.vtkMRMLScene()
    slicer.mrmlScene = made
    logic = slicer.vtkSlicerSegmentationsModuleLogic()
    logic.SetMRMLScene(made)
    slicer.vtkMRMLSubjectHierarchyNode.ResolveSubjectHierarchy(made)
    yield made
    made.Clear(True)
    slicer.mrmlScene = previous


@pytest.fixture(scope="session", autouse=True)
def _no_weights_of_the_user(tmp_path_factory):
    """A store that is empty, whatever this machine has."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, str(tmp_path_factory.mktemp("weights") / "none"))
        yield


@pytest.fixture
def store(tmp_path, monkeypatch):
    """An empty store of weights of the test's own, which is also the user's."""
    monkeypatch.setenv(VARIABLE, str(tmp_path / "store"))
    return Store()


@pytest.fixture
def swift(tmp_path):
    """A file with the keys of SwiftMedSAM."""
    torch = pytest.importorskip("torch")
    from StrokeSAMLib.nets.sam_models import swift_medsam

    torch.manual_seed(2)
    torch.save(swift_medsam().state_dict(), tmp_path / "downloaded.pth")
    return tmp_path / "downloaded.pth"


@pytest.fixture(scope="session")
def server():
    """A file server on this machine, reached without a proxy."""
    with pytest.MonkeyPatch.context() as patch, serving() as made:
        patch.setenv("NO_PROXY", "127.0.0.1")
        yield made


@pytest.fixture
def entry(server, monkeypatch):
    """SAM 2.1 tiny, as if its file were on `server`; what is changed is in the catalogue too."""

    def make(path, **changes):
        known = {"url": f"{server.address}/{path}", "sha256": HASH, "bytes": len(BODY), "megabytes": 1}
        made = replace(find_weights("sam2.1-tiny"), **{**known, **changes})
        monkeypatch.setitem(catalogue(), made.id, made)
        return made

    return make
