"""The densities of the tissues: from shapes to Hounsfield units."""

from __future__ import annotations

import numpy as np

from StrokeSAMLib.phantom.brain import Brain
from StrokeSAMLib.phantom.skull import Skull

# HU of an adult's head at 120 kV: grey matter 36–38, white matter 28–30, CSF near 7; textbook values (Osborn,
# Diagnostic Imaging).
AIR, FAT, SOFT_TISSUE, CSF, WHITE, GREY, DURA = -1000.0, -85.0, 45.0, 7.0, 28.5, 37.0, 50.0
EYE, DIPLOE, BONE, CALCIUM, HEADREST = 14.0, 550.0, 1100.0, 110.0, 20.0
# Grey matter loses this part more density than white matter. Their contrast fades, the earliest sign of infarction.
_GREY_LOSS = 0.35
# Swelling narrows a sulcus by this much from either side, mm.
_SWELLING_MM = 0.7
# Bone hardens the beam: tissue looks this much denser at the skull, and the effect fades over this depth.
_CUPPING_HU, _CUPPING_MM = 2.5, 5.0


def fluid(brain: Brain, infarct: np.ndarray | None) -> np.ndarray:
    """CSF in and around the brain, signed distance in mm. Swelling narrows the sulci in the infarct.

    Args:
        brain: the shapes of the brain.
        infarct: the part of infarcted tissue at each point, 0…1; None for a healthy brain.
    """
    if infarct is None:
        return brain.fluid
    return np.minimum(brain.fluid + _SWELLING_MM * infarct, brain.ventricles)


def paint(skull: Skull, brain: Brain, infarct: np.ndarray | None, density: float, soft_mm: float) -> np.ndarray:
    """The density of the head, HU, Float32.

    Args:
        skull, brain: the shapes at the points.
        infarct: the part of infarcted tissue at each point, 0…1; None for a healthy brain.
        density: change of density in infarcted white matter, HU.
        soft_mm: half the width of the edges, about half a voxel, for their partial volume.
    """

    def over(under: np.ndarray, distance: np.ndarray, hu: float | np.ndarray) -> np.ndarray:
        part = np.clip(0.5 - distance / (2 * soft_mm), 0, 1)
        return under + (hu - under) * (part * part * (3 - 2 * part))

    hu = np.full(brain.surface.shape, SOFT_TISSUE, np.float32)
    for distance, value in ((skull.fat, FAT), (skull.eyes, EYE), (skull.bone, BONE), (skull.diploe, DIPLOE)):
        hu = over(hu, distance, value)
    hu = over(hu, skull.cavity, CSF)
    tissue = over(np.full_like(hu, WHITE), brain.grey, GREY)
    if infarct is not None:
        tissue = tissue + infarct * density * (1 + _GREY_LOSS * (tissue - WHITE) / (GREY - WHITE))
    hu = over(hu, brain.surface, tissue)
    inside = skull.cavity
    hu = over(hu, np.maximum(fluid(brain, infarct), inside), CSF)
    hu = over(hu, np.maximum(brain.dura, inside), DURA)
    hu = over(hu, np.maximum(brain.calcium, inside), CALCIUM)
    hu = hu + np.where(inside < 0, _CUPPING_HU * np.exp(np.minimum(inside, 0) / _CUPPING_MM), 0)
    return over(over(hu, skull.air, AIR), skull.headrest, HEADREST)
