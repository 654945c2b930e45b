"""A shipped lesion network, or one just trained, on synthetic patients of anatomies it was not trained on.

Detection, Dice and false volume by lesion volume, contrast, noise, slice thickness, the head's turn and the error of
the brain mask; lesion-free patients; reliability of the probability. Prints Markdown. Peer, with --rule: the method
without weights on the same patients, as scans of 3 mm without a skull; it finds its brain mask and mirror image itself.

    python Testing/Benchmarks/lesion_networks.py ncct-unet FOLDER_OF_TISSUE_MAPS [--weights FILE] [--patients 300]
"""

import argparse
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from StrokeSAMLib.lesion import dwi_unet, ncct_unet, segment
from StrokeSAMLib.lesion.registry import find_method
from StrokeSAMLib.lesion.unet import network_for
from StrokeSAMLib.training.synthesis import Patient, read_anatomies
from StrokeSAMLib.training.validation import Case, Validation, validate

# No training's patients have such numbers (training/step.py, and the greatest seed of cli_train.py).
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


def asymmetry(one: Patient) -> np.ndarray:
    """The rule's lesion in the density that the channels were made of, 0 or 1."""
    return _segmented(one, "asymmetry", {"ncct": np.where(one.brain, 32 + 10 * one.channels[0], 0)})


def diffusion(one: Patient) -> np.ndarray:
    """The rule's lesion in the signal and the ADC that the channels were made of, 0 or 1."""
    adc = one.facts["normal_adc"] * one.channels[1]
    return _segmented(one, "diffusion", {"dwi": 300 * one.channels[0], "adc": adc})


ANSWERS = {"ncct-unet": ncct_unet.answer, "dwi-unet": dwi_unet.answer}
RULES: dict[str, Callable[[Patient], np.ndarray]] = {"ncct-unet": asymmetry, "dwi-unet": diffusion}


def _segmented(one: Patient, method: str, inputs: Mapping[str, np.ndarray]) -> np.ndarray:
    images = {}
    for name, array in inputs.items():
        images[name] = sitk.GetImageFromArray(array.astype(np.float32))
        images[name].SetSpacing(one.spacing[::-1])
    return sitk.GetArrayFromImage(segment(images, method).mask).astype(np.float32)


def figures(cases: Sequence[Case]) -> str:
    """Three cells of the table."""
    found, dice, false = (np.mean([getattr(each, key) for each in cases]) for key in ("found", "dice", "false_ml"))
    return f" {found:.0%} | {dice:.2f} | {false:.1f} |"


def table(kind: str, contenders: Mapping[str, Validation]) -> None:
    """Print how each did on which patients."""

    def row(name: str, *within: object) -> None:
        cases = [each.within(*within) for each in contenders.values()]
        if cases[0]:
            print(f"| {name} | {len(cases[0])} |" + "".join(map(figures, cases)))

    print("| patients with | n |" + "".join(f" {who}: found | Dice | false, ml |" for who in contenders))
    print("|---|---|" + "---|---|---|" * len(contenders))
    row("any lesion", "volume_ml", 0, np.inf)
    for fact, edges in _BINS[kind].items():
        for low, high in pairwise(edges):
            row(f"{fact} {low:g}–{high:g}", fact, low, high)
    for low, high in pairwise(_CONTRAST_TO_NOISE):
        row(f"below {_SMALL_ML:g} ml, contrast to noise {low:g}–{high:g}", "contrast_to_noise", low, high, _SMALL_ML)
    print()
    for who, each in contenders.items():
        false = np.array([case.false_ml for case in each.lesion_free()] or [np.nan])
        print(f"Lesion-free: {len(false)}, {who} at most 1 ml in {np.mean(false <= 1):.0%}, worst {false.max():.1f} ml")


def reliability(network: Validation) -> None:
    """Print what its probabilities are worth."""
    print("\n| probability | voxels | mean | lesion |\n|---|---|---|---|")
    for n, (count, mean, lesion) in enumerate(network.reliability):
        print(f"| {n / 10:.1f}–{(n + 1) / 10:.1f} | {count:.0f} | {mean:.2f} | {lesion:.2f} |")


def main() -> None:
    """Validate as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("network", choices=tuple(_BINS))
    parser.add_argument("anatomy", type=Path)
    parser.add_argument("--weights", default="")
    parser.add_argument("--patients", type=int, default=300)
    parser.add_argument("--first", type=int, default=_FIRST_SEED, help="seed of the first patient")
    parser.add_argument("--sure-volume", type=float, help="ml; by default as the method has it")
    parser.add_argument("--mirror", action="store_true")
    parser.add_argument("--rule", action="store_true", help="compare with the rule; `asymmetry` takes 10 s a patient")
    asked = parser.parse_args()
    given = {name: getattr(asked, name) for name in ("weights", "mirror", "sure_volume")}
    options = find_method(asked.network).build_options(
        {name: value for name, value in given.items() if value is not None}
    )
    network = network_for(asked.network, options, print)
    on_patients = partial(
        validate,
        kind=asked.network,
        anatomies=read_anatomies(asked.anatomy),
        seeds=range(asked.first, asked.first + asked.patients),
        threshold=options.threshold,
        lesion_free=_LESION_FREE,
    )
    contenders = {
        asked.network: on_patients(
            lambda one: ANSWERS[asked.network](network, one.channels, one.brain, options),
            min_volume_ml=options.min_volume,
            sure_volume_ml=options.sure_volume,
        )
    }
    if asked.rule:
        rule = RULES[asked.network]
        contenders[rule.__name__] = on_patients(rule, min_volume_ml=0.0)
    table(asked.network, contenders)
    reliability(contenders[asked.network])


if __name__ == "__main__":
    main()
