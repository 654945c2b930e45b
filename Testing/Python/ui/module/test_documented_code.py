"""The Python code in README.md and docs/slicer.md, as in Slicer's console after a click on the sample.

Testing/Slicer/docs_tests.py runs the same blocks inside Slicer.
"""

import numpy as np
import pytest
import SimpleITK as sitk
from docs_code import python_blocks, run_block
from module_file import import_module_file
from nodes import segment_array

from StrokeSAMLib.mrml.volumes import volumeNodeFromImage
from StrokeSAMLib.phantom import head_ct

slicer = pytest.importorskip("slicer")


@pytest.fixture(scope="module")
def head():
    """The sample on a coarse grid, for speed."""
    return head_ct(size=(128, 128, 26), spacing_mm=(1.8, 1.8, 6.0))


@pytest.fixture
def console(qt, scene, head, monkeypatch):
    """The names of Slicer's console, with the sample in the scene."""
    import_module_file(monkeypatch)
    volumeNodeFromImage(head.ncct, scene, "StrokeHeadCT")
    return {"slicer": slicer, "getNode": slicer.util.getNode}


def written_ml(segmentation_node, volume_node):
    """The volume of the first segment, ml."""
    id = segmentation_node.GetSegmentation().GetNthSegmentID(0)
    return segment_array(segmentation_node, id, volume_node).sum() * np.prod(volume_node.GetSpacing()) / 1000


def test_the_code_for_slicers_console_in_the_readme_runs(console):
    names = run_block(python_blocks("README.md")[0], "README.md", console)
    volume = names["volumeNode"]
    automatic, drawn = names["segmentationNode"], names["session"].segmentationNode
    assert written_ml(automatic, volume) > 40 and written_ml(drawn, volume) > 40


def test_the_code_for_slicers_console_in_the_docs_runs(console):
    (code,) = python_blocks("docs/slicer.md")
    names = run_block(code, "docs/slicer.md", console)
    segmentation = names["segmentationNode"].GetSegmentation()
    assert segmentation.GetNumberOfSegments() == 2
    assert segmentation.GetNthSegmentID(1) == names["segmentId"]


def test_the_code_for_any_python_in_the_readme_runs(head, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    sitk.WriteImage(head.ncct, "head.nii.gz")
    run_block(python_blocks("README.md")[1], "README.md", {})
    volume, side = capsys.readouterr().out.split()
    assert float(volume) > 40 and side == "left"
    assert sitk.GetArrayFromImage(sitk.ReadImage("lesion.nii.gz")).any()
