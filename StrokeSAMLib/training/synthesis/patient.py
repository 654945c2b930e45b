"""A synthetic patient: the channels that a network sees, and the truth."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from StrokeSAMLib.evaluation.metrics import dice
from StrokeSAMLib.imaging.channels import GRID_MM, VOXEL_ML
from StrokeSAMLib.training.synthesis.anatomy import Anatomy
from StrokeSAMLib.training.synthesis.ct import ct_patient
from StrokeSAMLib.training.synthesis.diffusion import diffusion_patient
from StrokeSAMLib.training.synthesis.fields import Shape, chance
from StrokeSAMLib.training.synthesis.head import Head, pose
from StrokeSAMLib.training.synthesis.lesions import Lesion, infarcts, no_lesion
from StrokeSAMLib.training.synthesis.physics import Scan


@dataclass(frozen=True)
class Kind:
    """What a network is trained on: how its images come about, and which infarcts they can show.

    Attributes:
        image: (head, lesion, rng) → the scan.
        volume_ml: of infarcts, from least to greatest.
        lacunes: the part of patients whose infarct is a lacune.
        emboli: the part of patients who have a few small infarcts besides, and the part of those that lie on the other
            side.
        lesion_free: the part of patients without an infarct.
    """

    image: Callable[[Head, Lesion, np.random.Generator], Scan]
    volume_ml: tuple[float, float]
    lacunes: float
    emboli: tuple[float, float]
    lesion_free: float


# A CT hardly ever shows an infarct of a millilitre in its first hours: the network is not taught to guess. Diffusion
# shows emboli, and a network that seldom saw them beside a large infarct did not see them in a patient either.
KINDS = {
    "ncct-unet": Kind(ct_patient, (5.0, 250.0), 0.05, (0.25, 0.2), 0.25),
    "dwi-unet": Kind(diffusion_patient, (0.1, 250.0), 0.25, (0.4, 0.5), 0.15),
}
# 168 × 216 × 168 mm: every adult's brain, turned.
SHAPE: Shape = (56, 72, 56)


@dataclass(frozen=True)
class Patient:
    """A synthetic case on the networks' grid; axes (k, j, i) run to S, P and L.

    Attributes:
        channels: Float32 (channel, k, j, i), see `imaging.channels`.
        lesion: bool (k, j, i), within the brain mask.
        brain: bool (k, j, i), as found, errors included.
        facts: what was drawn, by its name and unit: infarct (beyond the brain mask too), contrast, noise, slices, the
            head's turn, the mask's Dice.
        spacing: (k, j, i), mm.
    """

    channels: np.ndarray
    lesion: np.ndarray
    brain: np.ndarray
    facts: dict[str, float] = field(default_factory=dict)
    spacing: tuple[float, float, float] = (GRID_MM,) * 3


def patient(kind: str, anatomies: Sequence[Anatomy], seed: int, lesion_free: float | None = None) -> Patient:
    """The synthetic patient number `seed`: the same for the same arguments.

    Args:
        kind: one of `KINDS`.
        anatomies: one of them is drawn.
        lesion_free: the part of patients without a lesion; None for the kind's own.
    """
    rng = np.random.default_rng(seed)
    head = pose(anatomies[rng.integers(len(anatomies))], SHAPE, (GRID_MM,) * 3, rng)
    of = KINDS[kind]
    free = of.lesion_free if lesion_free is None else lesion_free
    lesion = no_lesion(head) if chance(rng, free) else infarcts(head, of.volume_ml, of.lacunes, of.emboli, rng)
    scan = of.image(head, lesion, rng)
    drawn = {"drawn_ml": np.count_nonzero(lesion.mask) * VOXEL_ML}
    facts = {**scan.facts, **drawn, "turn_deg": head.turn, "mask_dice": dice(head.brain > 0.5, scan.brain)}
    return Patient(scan.channels, lesion.mask & scan.brain, scan.brain, facts)
