"""Synthetic patients from tissue maps: anatomy, lesion, what is not the lesion, physics.

The idea is that of SynthSeg (Billot et al. 2023, Med Image Anal 86:102789): a network that has seen every plausible
anatomy, contrast and artefact needs no real image to be trained on.

from StrokeSAMLib.training.synthesis import patient, read_anatomies
sample = patient("dwi-unet", read_anatomies(folder), seed=1)
"""

from StrokeSAMLib.training.synthesis.anatomy import Anatomy, read_anatomies
from StrokeSAMLib.training.synthesis.patient import KINDS, Patient, patient

__all__ = ["KINDS", "Anatomy", "Patient", "patient", "read_anatomies"]
