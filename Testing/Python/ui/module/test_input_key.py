"""The input for which a volume is suitable, by its name, DICOM tags and intensities."""

from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("slicer")

from nodes import add_volume

from StrokeSAMLib.ui.module.input_key import inputKey, inputKeyOf


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("DWI", "dwi"),
        ("ax dwi b1000", "dwi"),
        ("ep2d_diff_3scan_TRACEW", "dwi"),
        ("Trace", "dwi"),
        ("b=1000", "dwi"),
        ("sub-strokecase0001_dwi", "dwi"),
        ("ADC", "adc"),
        ("ep2d_diff_3scan_trace_p2_ADC", "adc"),
        ("Apparent Diffusion Coefficient", "adc"),
        ("DWI_b0", "b0"),
        ("b=0 image", "b0"),
        ("CT", "ncct"),
        ("3: NCCT Head 5.0", "ncct"),
        ("CTA Head", ""),
        ("CT Perfusion", ""),
        ("FLAIR", ""),
        ("Cascade", ""),
        ("eADC", ""),
    ],
)
def test_a_name_tells_the_input(name, key):
    assert inputKey(name) == key


@pytest.mark.parametrize(
    ("modality", "lowest", "key"),
    [("CT", 0.0, "ncct"), ("MR", -1024.0, ""), ("PT", -1024.0, ""), ("", -1024.0, "ncct"), ("", 0.0, "")],
)
def test_modality_and_intensities_tell_a_ct_if_the_name_does_not(modality, lowest, key):
    assert inputKey("Series 4", modality, lowest) == key


def test_a_node_is_classified_by_its_dicom_tags(scene, monkeypatch):
    import slicer

    tags = {"0008,0060": "MR", "0008,103E": "REG", "0008,0008": r"DERIVED\PRIMARY\DIFFUSION\ADC"}
    database = SimpleNamespace(instanceValue=lambda uid, tag: tags[tag] if uid == "1.2.3" else "")
    monkeypatch.setattr(slicer, "dicomDatabase", database, raising=False)
    node = add_volume(scene, name="Series 4")
    assert inputKeyOf(node) == ""
    node.SetAttribute("DICOM.instanceUIDs", "1.2.3 1.2.4")
    assert inputKeyOf(node) == "adc"


def test_a_node_is_classified_by_its_intensities(scene):
    assert inputKeyOf(add_volume(scene, name="Series 4", values=np.full((2, 3, 4), -1000, np.int16))) == "ncct"


def test_a_labelmap_or_a_volume_without_voxels_is_no_input(scene):
    for kind in ("vtkMRMLLabelMapVolumeNode", "vtkMRMLScalarVolumeNode"):
        assert inputKeyOf(scene.AddNewNodeByClass(kind, "CT")) == ""
