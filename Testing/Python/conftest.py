"""Fixtures: a real MRML scene of the slicer-core wheel."""

import pytest


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
