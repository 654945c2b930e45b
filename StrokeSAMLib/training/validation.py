"""How well a network does on synthetic patients of anatomies that it was not trained on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import scipy.ndimage as ndi

from StrokeSAMLib.evaluation.metrics import dice
from StrokeSAMLib.imaging.morphology import FULL, sure_components
from StrokeSAMLib.training.synthesis import Anatomy, Patient, patient

_BINS = 10


@dataclass(frozen=True)
class Case:
    """One patient and what the network found.

    Attributes:
        volume_ml: of the lesion; 0 without one.
        found: whether a part of the answer touches the lesion.
        dice: of lesion and answer; 1 where both are empty.
        false_ml: of the answer's components that touch no lesion.
        facts: see `Patient.facts`; and "contrast_to_noise" of a lesion, see there.
    """

    volume_ml: float
    found: bool
    dice: float
    false_ml: float
    facts: dict[str, float]


@dataclass(frozen=True)
class Validation:
    """Cases, and how far a probability is what it says.

    Attributes:
        reliability: (bin, 3), for probabilities in tenths: voxels, their mean probability, the part that is lesion.
    """

    cases: tuple[Case, ...]
    reliability: np.ndarray

    def within(self, fact: str, low: float, high: float, most_ml: float = float("inf")) -> list[Case]:
        """The cases with a lesion below `most_ml` whose `fact` ("volume_ml", or of `facts`) lies in low ≤ x < high."""
        return [each for each in self.cases if 0 < each.volume_ml < most_ml and low <= _value(each, fact) < high]

    def lesion_free(self) -> list[Case]:
        """The cases without a lesion, also where the brain mask leaves it out."""
        return [each for each in self.cases if not each.volume_ml and not each.facts.get("drawn_ml")]


def validate(
    answer: Callable[[Patient], np.ndarray],
    kind: str,
    anatomies: Sequence[Anatomy],
    seeds: Iterable[int],
    threshold: float,
    min_volume_ml: float,
    lesion_free: float,
    sure_volume_ml: float = 0.0,
) -> Validation:
    """Ask of the synthetic patients `seeds`.

    Args:
        answer: patient → probability, Float32 (k, j, i).
        kind: see `patient`.
        anatomies: none of them one that the network was trained on.
        threshold, min_volume_ml, sure_volume_ml: what counts as the answer's lesion; see `lesion.unet.UNetOptions`.
        lesion_free: the part of patients without a lesion.
    """
    cases, sums = [], np.zeros((_BINS, 3))
    for seed in seeds:
        one = patient(kind, anatomies, seed, lesion_free)
        probability = answer(one)
        cases.append(judge(one, probability, threshold, min_volume_ml, sure_volume_ml))
        sums += _reliability(probability[one.brain], one.lesion[one.brain])
    counts = np.maximum(sums[:, :1], 1)
    return Validation(tuple(cases), np.concatenate([sums[:, :1], sums[:, 1:] / counts], axis=1))


def judge(
    one: Patient, probability: np.ndarray, threshold: float, min_volume_ml: float, sure_volume_ml: float = 0.0
) -> Case:
    """One patient's answer against the truth."""
    voxel_ml = float(np.prod(one.spacing)) / 1000
    mask, _ = sure_components(probability, threshold, min_volume_ml / voxel_ml, sure_volume_ml / voxel_ml)
    labels, _ = ndi.label(mask, structure=FULL)
    true = np.unique(labels[one.lesion & mask])
    return Case(
        volume_ml=np.count_nonzero(one.lesion) * voxel_ml,
        found=bool(true.size),
        dice=dice(one.lesion, mask),
        false_ml=np.count_nonzero(mask & ~np.isin(labels, true)) * voxel_ml,
        facts=one.facts | ({"contrast_to_noise": contrast_to_noise(one)} if one.lesion.any() else {}),
    )


def contrast_to_noise(one: Patient) -> float:
    """How far a lesion's mean in the first channel lies from that of the shell about it (of the brain, 2 to 4 voxels
    away), in the shell's standard deviations."""
    near, far = (ndi.binary_dilation(one.lesion, FULL, iterations=n) for n in (1, 4))
    image = one.channels[0]
    shell = image[far & ~near & one.brain]
    return float(abs(image[one.lesion].mean() - shell.mean()) / shell.std()) if shell.size else 0.0


def _reliability(probability: np.ndarray, lesion: np.ndarray) -> np.ndarray:
    """(bin, 3): voxels, sum of probabilities, voxels of the lesion."""
    bins = np.minimum((probability * _BINS).astype(int), _BINS - 1)
    return np.stack([np.bincount(bins, weights, _BINS) for weights in (None, probability, lesion)], axis=1)


def _value(case: Case, fact: str) -> float:
    return case.volume_ml if fact == "volume_ml" else case.facts[fact]
