"""The input of a method for which a volume is suitable, by the volume's name, DICOM tags and intensities."""

from __future__ import annotations

import re

import slicer

_MODALITY, _IMAGE_TYPE, _SERIES_DESCRIPTION = "0008,0060", "0008,0008", "0008,103E"
# A word begins and ends at any sign that is not a letter: "ep2d_TRACE_b1000" has three words.
_ADC = re.compile(r"(?<![a-z])adc(?![a-z])|apparent[\s_-]*diffusion", re.IGNORECASE)
_B0 = re.compile(r"(?<![a-z0-9])b[\s_=-]*0+(?![0-9])", re.IGNORECASE)
_B1000 = re.compile(r"(?<![a-z0-9])b[\s_=-]*1000(?![0-9])", re.IGNORECASE)
_DWI = re.compile(r"(?<![a-z])(?:dwi|tracew?)(?![a-z])|diffusion[\s_-]*weighted", re.IGNORECASE)
_CT = re.compile(r"(?<![a-z])(?:ct|ncct|cct)(?![a-z])", re.IGNORECASE)
_CONTRAST = re.compile(r"(?<![a-z])(?:cta|ctp)(?![a-z])|angio|perfusion", re.IGNORECASE)
# Only CT has values as low as that of air, −1000 HU; 500 HU are left for filters and padding.
_AIR_HU = -500.0


def inputKey(description: str, modality: str = "", lowest: float | None = None) -> str:
    """The key of the input for which a volume is suitable: "ncct", "dwi", "adc" or "b0"; "" if none is certain.

    Args:
        description: the volume's name, and its DICOM series description and image type.
        modality: the DICOM modality; "" if it is unknown.
        lowest: the volume's lowest intensity; None if it is unknown.
    """
    if modality in ("", "MR"):
        key = _diffusionKey(description)
        if key or modality == "MR":
            return key
    if modality not in ("", "CT") or _CONTRAST.search(description):
        return ""
    isCt = modality == "CT" or _CT.search(description) or (lowest is not None and lowest <= _AIR_HU)
    return "ncct" if isCt else ""


def inputKeyOf(volumeNode: slicer.vtkMRMLScalarVolumeNode) -> str:
    """The key of the input for which a volume node is suitable; "" if none is certain."""
    data = volumeNode.GetImageData()
    # A labelmap or a diffusion volume with several directions is a scalar volume, too.
    if volumeNode.GetClassName() != "vtkMRMLScalarVolumeNode" or data is None:
        return ""
    modality, *texts = _dicomValues(volumeNode, (_MODALITY, _SERIES_DESCRIPTION, _IMAGE_TYPE))
    return inputKey(" ".join([volumeNode.GetName() or "", *texts]), modality, data.GetScalarRange()[0])


def _diffusionKey(description: str) -> str:
    if _ADC.search(description):
        return "adc"
    if _B1000.search(description):
        return "dwi"
    if _B0.search(description):
        return "b0"
    return "dwi" if _DWI.search(description) else ""


def _dicomValues(volumeNode: slicer.vtkMRMLScalarVolumeNode, tags: tuple[str, ...]) -> list[str]:
    """The values of DICOM tags of the volume's first file; "" for each if the volume is not from DICOM."""
    instances = (volumeNode.GetAttribute("DICOM.instanceUIDs") or "").split()
    database = getattr(slicer, "dicomDatabase", None)  # a Slicer without DICOM has none
    if not instances or database is None:
        return [""] * len(tags)
    return [str(database.instanceValue(instances[0], tag) or "") for tag in tags]
