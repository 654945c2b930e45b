"""Synthetic patients from tissue maps: anatomy, lesion, mimics of a lesion, and the physics of the scanner.

The idea is that of SynthSeg (Billot et al. 2023, Med Image Anal 86:102789): a network that was trained on every
plausible anatomy, contrast and artefact needs no real image.

from StrokeSAMLib.training.synthesis import make_patient, read_anatomies
patient = make_patient("dwi-unet", read_anatomies(folder), seed=1)
"""

from StrokeSAMLib.training.synthesis.anatomy import Anatomy, read_anatomies
from StrokeSAMLib.training.synthesis.patient import KINDS, Patient, make_patient

__all__ = ["KINDS", "Anatomy", "Patient", "make_patient", "read_anatomies"]
