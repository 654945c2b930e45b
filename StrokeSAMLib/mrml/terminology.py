"""Names, colours and codes of segments: the entries of StrokeSAM.term.json.

The SNOMED CT codes are 49755003 (morphologically altered structure), 55641003 (infarct) and 12738006 (brain).
SNOMED CT has no codes that DICOM uses for the parts of a perfusion lesion, or for what may be an infarct. Their codes
are of the project's own scheme, 99STROKESAM.
"""

from __future__ import annotations

from dataclasses import dataclass

import slicer

CONTEXT = "Segmentation category and type - StrokeSAM"
ANATOMY = "Anatomic codes - DICOM master list"
_CATEGORY = ("49755003", "SCT", "Morphologically Altered Structure")
_BRAIN = ("12738006", "SCT", "Brain")
_NONE = ("", "", "")


@dataclass(frozen=True)
class Term:
    """A kind of segment: name, colour (RGB, 0…1) and code (value, scheme, meaning)."""

    name: str
    color: tuple[float, float, float]
    code: tuple[str, str, str]

    def serialized(self) -> str:
        """The entry as text, in the format of Slicer's terminology tag."""
        return slicer.vtkSlicerTerminologiesModuleLogic.SerializeTerminologyEntry(
            CONTEXT, *_CATEGORY, *self.code, *_NONE, ANATOMY, *_BRAIN, *_NONE
        )


INFARCT = Term("Ischaemic lesion", (1.0, 0.69, 0.0), ("55641003", "SCT", "Infarct"))
CORE = Term("Infarct core", (0.84, 0.15, 0.16), ("STROKESAM-1", "99STROKESAM", "Infarct core"))
PENUMBRA = Term("Penumbra", (0.34, 0.71, 0.91), ("STROKESAM-2", "99STROKESAM", "Penumbra"))
POSSIBLE = Term("Possible ischaemic lesion", (1.0, 0.88, 0.55), ("STROKESAM-3", "99STROKESAM", "Possible infarct"))
TERMS = (INFARCT, CORE, PENUMBRA, POSSIBLE)
