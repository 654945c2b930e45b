"""Validation of a network on synthetic patients of anatomies that it was not trained on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import scipy.ndimage as ndi

from StrokeSAMLib.evaluation.metrics import dice
from StrokeSAMLib.imaging.morphology import CONNECTIVITY_26, sure_components
from StrokeSAMLib.lesion.unet import SURE_CORE_ML
from StrokeSAMLib.training.synthesis import Anatomy, Patient, make_patient

_BINS = 10


@dataclass(frozen=True)
class Case:
    """The result of one patient.

    Attributes:
        volume_ml: volume of the true lesion; 0 without one.
        found: whether the predicted lesion touches the true one.
        dice: Dice of the true and the predicted lesion; 1 where both are empty.
        false_ml: volume of the predicted components that touch no true lesion.
        facts: see `Patient.facts`; with a lesion also "contrast_to_noise", see `contrast_to_noise`.
    """

    volume_ml: float
    found: bool
    dice: float
    false_ml: float
    facts: dict[str, float]


@dataclass(frozen=True)
class Validation:
    """The results of a cohort.

    Attributes:
        cases: one for each patient.
        reliability: (bin, 3), one row for each tenth of the probability: number of voxels, their mean probability,
            the part of them that is lesion.
    """

    cases: tuple[Case, ...]
    reliability: np.ndarray

    def with_lesion(self, fact: str, low: float, high: float, most_ml: float = float("inf")) -> list[Case]:
        """The cases with a lesion smaller than `most_ml` whose `fact` lies in low ≤ x < high.

        Args:
            fact: "volume_ml", or a key of `Case.facts`.
            low, high: the range.
            most_ml: ml.
        """
        return [each for each in self.cases if 0 < each.volume_ml < most_ml and low <= _value(each, fact) < high]

    def lesion_free(self) -> list[Case]:
        """The cases without a lesion. A lesion outside the brain mask also counts as one."""
        return [each for each in self.cases if not each.volume_ml and not each.facts.get("drawn_ml")]


def validate(
    predict: Callable[[Patient], np.ndarray],
    kind: str,
    anatomies: Sequence[Anatomy],
    seeds: Iterable[int],
    threshold: float,
    min_volume_ml: float,
    lesion_free: float,
    doubt_below_ml: float = 0.0,
) -> Validation:
    """Predict the lesions of synthetic patients and compare them with the truth.

    Args:
        predict: patient → probability of the lesion, float32 (k, j, i).
        kind: see `make_patient`.
        anatomies: brains that the network was not trained on.
        seeds: seeds of the patients.
        threshold, min_volume_ml, doubt_below_ml: the definition of a predicted lesion; see `lesion.unet.UNetOptions`.
        lesion_free: the part of patients without a lesion.
    """
    cases, sums = [], np.zeros((_BINS, 3))
    for seed in seeds:
        patient = make_patient(kind, anatomies, seed, lesion_free)
        probability = predict(patient)
        cases.append(evaluate_patient(patient, probability, threshold, min_volume_ml, doubt_below_ml))
        sums += _reliability_sums(probability[patient.brain], patient.lesion[patient.brain])
    counts = np.maximum(sums[:, :1], 1)
    return Validation(tuple(cases), np.concatenate([sums[:, :1], sums[:, 1:] / counts], axis=1))


def evaluate_patient(
    patient: Patient, probability: np.ndarray, threshold: float, min_volume_ml: float, doubt_below_ml: float = 0.0
) -> Case:
    """Compare one patient's predicted lesion with the truth. The arguments are those of `validate`."""
    voxel_ml = float(np.prod(patient.spacing)) / 1000
    volumes = (min_volume_ml, doubt_below_ml, SURE_CORE_ML)
    mask, _ = sure_components(probability, threshold, *(volume / voxel_ml for volume in volumes))
    labels, _ = ndi.label(mask, structure=CONNECTIVITY_26)
    true = np.unique(labels[patient.lesion & mask])
    contrast = {"contrast_to_noise": contrast_to_noise(patient)} if patient.lesion.any() else {}
    return Case(
        volume_ml=np.count_nonzero(patient.lesion) * voxel_ml,
        found=bool(true.size),
        dice=dice(patient.lesion, mask),
        false_ml=np.count_nonzero(mask & ~np.isin(labels, true)) * voxel_ml,
        facts=patient.facts | contrast,
    )


def contrast_to_noise(patient: Patient) -> float:
    """The difference between lesion and surroundings in the first network input, in standard deviations.

    The surroundings are a shell of brain, 2 to 4 voxels from the lesion. The difference is that of the means; the
    standard deviation is the shell's. 0 where the shell is empty.
    """
    near, far = (ndi.binary_dilation(patient.lesion, CONNECTIVITY_26, iterations=n) for n in (1, 4))
    image = patient.network_inputs[0]
    shell = image[far & ~near & patient.brain]
    return float(abs(image[patient.lesion].mean() - shell.mean()) / shell.std()) if shell.size else 0.0


def _reliability_sums(probability: np.ndarray, lesion: np.ndarray) -> np.ndarray:
    """(bin, 3): number of voxels, sum of probabilities, number of lesion voxels."""
    bins = np.minimum((probability * _BINS).astype(int), _BINS - 1)
    return np.stack([np.bincount(bins, weights, _BINS) for weights in (None, probability, lesion)], axis=1)


def _value(case: Case, fact: str) -> float:
    return case.volume_ml if fact == "volume_ml" else case.facts[fact]
