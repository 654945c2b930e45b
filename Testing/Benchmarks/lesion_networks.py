"""A shipped lesion network, or one just trained, on synthetic patients of anatomies it was not trained on.

Detection, Dice and false volume by lesion volume, contrast, noise, slice thickness, the head's turn and the error of
the brain mask; lesion-free patients; reliability of the probability. Prints Markdown.

    python Testing/Benchmarks/lesion_networks.py ncct-unet FOLDER_OF_TISSUE_MAPS [--weights FILE] [--patients 300]
"""

import argparse
from itertools import pairwise
from pathlib import Path

import numpy as np

from StrokeSAMLib.lesion.registry import find_method
from StrokeSAMLib.lesion.unet import network_for, probability
from StrokeSAMLib.training.synthesis import read_anatomies
from StrokeSAMLib.training.validation import Case, Validation, validate

# No training's patients have such numbers (training/loop.py).
_FIRST_SEED = 2_000_000_000
_LESION_FREE = 0.25
_SMALL_ML, _CONTRAST_TO_NOISE = 1.0, (0, 1, 2, 4, np.inf)
_BINS = {
    "ncct-unet": {
        "volume_ml": (0.1, 1, 3, 10, 30, 100, 300),
        "contrast_hu": (3, 4.5, 6, 9, 13.1),
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


def row(name: str, cases: list[Case]) -> str:
    """A line of the table."""
    if not cases:
        return f"| {name} | 0 | | | |"
    found, dice, false = (np.array([getattr(each, key) for each in cases]) for key in ("found", "dice", "false_ml"))
    return f"| {name} | {len(cases)} | {found.mean():.0%} | {dice.mean():.2f} | {np.mean(false):.1f} |"


def tables(kind: str, found: Validation) -> None:
    """Print what was found."""
    print("| patients with | n | found | Dice | false, ml |\n|---|---|---|---|---|")
    print(row("any lesion", found.within("volume_ml", 0, np.inf)))
    for fact, edges in _BINS[kind].items():
        for low, high in pairwise(edges):
            print(row(f"{fact} {low:g}–{high:g}", found.within(fact, low, high)))
    for low, high in pairwise(_CONTRAST_TO_NOISE):
        cases = found.within("contrast_to_noise", low, high, _SMALL_ML)
        print(row(f"below {_SMALL_ML:g} ml, contrast to noise {low:g}–{high:g}", cases))
    false = np.array([each.false_ml for each in found.lesion_free()])
    print(f"\nLesion-free: {len(false)}, false at most 1 ml in {np.mean(false <= 1):.0%}, worst {false.max():.1f} ml")
    print("\n| probability | voxels | mean | lesion |\n|---|---|---|---|")
    for n, (count, mean, lesion) in enumerate(found.reliability):
        print(f"| {n / 10:.1f}–{(n + 1) / 10:.1f} | {count:.0f} | {mean:.2f} | {lesion:.2f} |")


def main() -> None:
    """Validate as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("network", choices=tuple(_BINS))
    parser.add_argument("anatomy", type=Path)
    parser.add_argument("--weights", default="")
    parser.add_argument("--patients", type=int, default=300)
    parser.add_argument("--mirror", action="store_true")
    asked = parser.parse_args()
    options = find_method(asked.network).build_options({"weights": asked.weights, "mirror": asked.mirror})
    network = network_for(asked.network, options, print)
    found = validate(
        lambda one: probability(network, one.channels, one.brain, options.mirror),
        asked.network,
        read_anatomies(asked.anatomy),
        range(_FIRST_SEED, _FIRST_SEED + asked.patients),
        options.threshold,
        options.min_volume,
        _LESION_FREE,
    )
    tables(asked.network, found)


if __name__ == "__main__":
    main()
