"""A synthetic patient: the network inputs and the true lesion."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from StrokeSAMLib.evaluation.metrics import dice
from StrokeSAMLib.lesion.network_inputs import GRID_MM, VOXEL_ML
from StrokeSAMLib.training.synthesis.anatomy import Anatomy
from StrokeSAMLib.training.synthesis.ct import ct_patient
from StrokeSAMLib.training.synthesis.diffusion import diffusion_patient
from StrokeSAMLib.training.synthesis.fields import Shape, chance
from StrokeSAMLib.training.synthesis.lesions import Lesion, infarcts, no_lesion
from StrokeSAMLib.training.synthesis.physics import Scan
from StrokeSAMLib.training.synthesis.posed_head import PosedHead, pose


@dataclass(frozen=True)
class Kind:
    """The scans that a network is trained on, and the infarcts that they can show.

    Attributes:
        image: (head, lesion, rng) → the scan.
        volume_ml: least and greatest volume of the infarct.
        lacunes: the part of patients whose infarct is a lacune.
        emboli: the part of patients with a few more small infarcts, and the part of those that lie on the other side.
        lesion_free: the part of patients without an infarct.
    """

    image: Callable[[PosedHead, Lesion, np.random.Generator], Scan]
    volume_ml: tuple[float, float]
    lacunes: float
    emboli: tuple[float, float]
    lesion_free: float


# A CT hardly ever shows an infarct of a millilitre in its first hours, so the network does not learn to guess.
# Diffusion shows emboli. A network trained with few emboli beside a large infarct missed them in a real patient.
KINDS = {
    "ncct-unet": Kind(ct_patient, (5.0, 250.0), 0.05, (0.25, 0.2), 0.25),
    "dwi-unet": Kind(diffusion_patient, (0.1, 250.0), 0.25, (0.4, 0.5), 0.15),
}
# 168 × 216 × 168 mm, enough for every adult's brain in any pose.
SHAPE: Shape = (56, 72, 56)


@dataclass(frozen=True)
class Patient:
    """A synthetic patient on the networks' grid; the axes (k, j, i) run to S, P and L.

    Attributes:
        network_inputs: float32 (channel, k, j, i), see `lesion.network_inputs`.
        lesion: bool (k, j, i), within the brain mask.
        brain: bool (k, j, i), the brain mask with its errors.
        facts: the drawn parameters by name and unit: the infarct (also outside the brain mask), contrast, noise, slice
            thickness, the head's turn, the mask's Dice.
        spacing: (k, j, i), mm.
    """

    network_inputs: np.ndarray
    lesion: np.ndarray
    brain: np.ndarray
    facts: dict[str, float] = field(default_factory=dict)
    spacing: tuple[float, float, float] = (GRID_MM, GRID_MM, GRID_MM)


def make_patient(kind: str, anatomies: Sequence[Anatomy], seed: int, lesion_free: float | None = None) -> Patient:
    """The synthetic patient with this seed: the same for the same arguments.

    Args:
        kind: a key of `KINDS`.
        anatomies: brains, of which one is drawn.
        seed: seed of all random numbers.
        lesion_free: the part of patients without a lesion; None for the kind's own.
    """
    rng = np.random.default_rng(seed)
    head = pose(anatomies[int(rng.integers(len(anatomies)))], SHAPE, (GRID_MM, GRID_MM, GRID_MM), rng)
    settings = KINDS[kind]
    free = settings.lesion_free if lesion_free is None else lesion_free
    if chance(rng, free):
        lesion = no_lesion(head)
    else:
        lesion = infarcts(head, settings.volume_ml, settings.lacunes, settings.emboli, rng)
    scan = settings.image(head, lesion, rng)
    drawn = {"drawn_ml": np.count_nonzero(lesion.mask) * VOXEL_ML}
    facts = {**scan.facts, **drawn, "turn_deg": head.turn, "mask_dice": dice(head.brain > 0.5, scan.brain)}
    return Patient(scan.network_inputs, lesion.mask & scan.brain, scan.brain, facts)
