"""Validate a lesion network on synthetic patients of anatomies that it was not trained on.

The network is a shipped one, or one just trained. The script prints Markdown: detection, Dice and false volume by
lesion volume, contrast, noise, slice thickness, the head's turn and the error of the brain mask; the lesion-free
patients; the reliability of the probability. With --rule it also compares a method without weights on the same
patients, as scans of 3 mm without a skull. That method finds its own brain mask and mirror image.

    python Testing/Benchmarks/lesion_networks.py ncct-unet FOLDER_OF_TISSUE_MAPS [--weights FILE] [--patients 300]
"""

import argparse
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from StrokeSAMLib.lesion import segment
from StrokeSAMLib.lesion.methods import dwi_unet, ncct_unet
from StrokeSAMLib.lesion.registry import find_method
from StrokeSAMLib.lesion.unet import load_unet
from StrokeSAMLib.training.synthesis import Patient, read_anatomies
from StrokeSAMLib.training.validation import Case, Validation, validate

# No patient of a training has such a seed (see training/step.py, and the greatest seed of cli/train.py).
_FIRST_SEED = 2_000_000_000
_LESION_FREE = 0.25
_SMALL_ML, _CONTRAST_TO_NOISE = 1.0, (0, 1, 2, 4, np.inf)
_BINS = {
    "ncct-unet": {
        "volume_ml": (0.1, 1, 3, 10, 30, 100, 300),
        "contrast_hu": (2, 3, 4.5, 6, 9, 13.1),
        "noise_hu": (0.3, 0.6, 1.2, 2.3),
        "slice_mm": (1, 3, 5, 8.1),
        "turn_deg": (0, 6, 10, 30),
        "mask_dice": (0.5, 0.97, 0.985, 1.01),
    },
    "dwi-unet": {
        "volume_ml": (0.02, 0.3, 1, 3, 10, 30, 100, 300),
        "adc_part": (0.45, 0.55, 0.65, 0.81),
        "noise": (0.003, 0.008, 0.018, 0.036),
        "slice_mm": (2, 3.5, 5, 7.1),
        "turn_deg": (0, 6, 10, 30),
        "mask_dice": (0.5, 0.97, 0.985, 1.01),
    },
}


def asymmetry(patient: Patient) -> np.ndarray:
    """The lesion by the method `asymmetry`, 0 or 1, in the density that the network inputs were made from."""
    return _segment(patient, "asymmetry", {"ncct": np.where(patient.brain, 32 + 10 * patient.network_inputs[0], 0)})


def diffusion(patient: Patient) -> np.ndarray:
    """The lesion by the method `diffusion`, 0 or 1, in the signal and ADC that the network inputs were made from."""
    adc = patient.facts["normal_adc"] * patient.network_inputs[1]
    return _segment(patient, "diffusion", {"dwi": 300 * patient.network_inputs[0], "adc": adc})


PREDICTIONS = {"ncct-unet": ncct_unet.predict, "dwi-unet": dwi_unet.predict}
RULES: dict[str, Callable[[Patient], np.ndarray]] = {"ncct-unet": asymmetry, "dwi-unet": diffusion}


def _segment(patient: Patient, method: str, inputs: Mapping[str, np.ndarray]) -> np.ndarray:
    images = {}
    for name, array in inputs.items():
        images[name] = sitk.GetImageFromArray(array.astype(np.float32))
        images[name].SetSpacing(patient.spacing[::-1])
    return sitk.GetArrayFromImage(segment(images, method).mask).astype(np.float32)


def figures(cases: Sequence[Case]) -> str:
    """Three cells of the table: detected lesions, mean Dice, mean false volume."""
    found, dice, false = (np.mean([getattr(each, key) for each in cases]) for key in ("found", "dice", "false_ml"))
    return f" {found:.0%} | {dice:.2f} | {false:.1f} |"


def table(kind: str, contenders: Mapping[str, Validation]) -> None:
    """Print the results of each contender by the patients' facts."""

    def row(name: str, *selection: object) -> None:
        cases = [each.with_lesion(*selection) for each in contenders.values()]
        if cases[0]:
            print(f"| {name} | {len(cases[0])} |" + "".join(map(figures, cases)))

    print("| patients with | n |" + "".join(f" {contender}: found | Dice | false, ml |" for contender in contenders))
    print("|---|---|" + "---|---|---|" * len(contenders))
    row("any lesion", "volume_ml", 0, np.inf)
    for fact, edges in _BINS[kind].items():
        for low, high in pairwise(edges):
            row(f"{fact} {low:g}–{high:g}", fact, low, high)
    for low, high in pairwise(_CONTRAST_TO_NOISE):
        row(f"below {_SMALL_ML:g} ml, contrast to noise {low:g}–{high:g}", "contrast_to_noise", low, high, _SMALL_ML)
    print()
    for contender, each in contenders.items():
        false = np.array([case.false_ml for case in each.lesion_free()] or [np.nan])
        small = f"{contender} at most 1 ml in {np.mean(false <= 1):.0%}"
        print(f"Lesion-free: {len(false)}, {small}, worst {false.max():.1f} ml")


def reliability(network: Validation) -> None:
    """Print the reliability of the network's probability."""
    print("\n| probability | voxels | mean | lesion |\n|---|---|---|---|")
    for n, (count, mean, lesion) in enumerate(network.reliability):
        print(f"| {n / 10:.1f}–{(n + 1) / 10:.1f} | {count:.0f} | {mean:.2f} | {lesion:.2f} |")


def main() -> None:
    """Validate the network that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("network", choices=tuple(_BINS))
    parser.add_argument("anatomy", type=Path)
    parser.add_argument("--weights", default="")
    parser.add_argument("--patients", type=int, default=300)
    parser.add_argument("--first", type=int, default=_FIRST_SEED, help="seed of the first patient")
    parser.add_argument("--doubt-below", type=float, help="ml; by default the method's")
    parser.add_argument("--mirror", action="store_true")
    parser.add_argument(
        "--rule", action="store_true", help="compare with the method without weights; `asymmetry` takes 10 s a patient"
    )
    arguments = parser.parse_args()
    values = {name: getattr(arguments, name) for name in ("weights", "mirror", "doubt_below")}
    options = find_method(arguments.network).build_options(
        {name: value for name, value in values.items() if value is not None}
    )
    network = load_unet(arguments.network, options, print)
    validate_on_patients = partial(
        validate,
        kind=arguments.network,
        anatomies=read_anatomies(arguments.anatomy),
        seeds=range(arguments.first, arguments.first + arguments.patients),
        threshold=options.threshold,
        lesion_free=_LESION_FREE,
    )
    contenders = {
        arguments.network: validate_on_patients(
            lambda patient: PREDICTIONS[arguments.network](network, patient.network_inputs, patient.brain, options),
            min_volume_ml=options.min_volume,
            doubt_below_ml=options.doubt_below,
        )
    }
    if arguments.rule:
        rule = RULES[arguments.network]
        contenders[rule.__name__] = validate_on_patients(rule, min_volume_ml=0.0)
    table(arguments.network, contenders)
    reliability(contenders[arguments.network])


if __name__ == "__main__":
    main()
