"""The parts that both methods with a compact U-Net share: options, grid, prediction, and the selection of lesions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
from scipy.special import expit

from StrokeSAMLib.core.errors import InputError
from StrokeSAMLib.core.installed_packages import not_installed
from StrokeSAMLib.core.options import option
from StrokeSAMLib.imaging.geometry import cubic_grid, image_like, patch_of, resample_like, shrink
from StrokeSAMLib.imaging.morphology import sure_components
from StrokeSAMLib.lesion.network_inputs import GRID_MM, SIDE_MULTIPLE, VOXEL_ML, brain_box
from StrokeSAMLib.lesion.network_options import LesionNetwork, NetworkOptions
from StrokeSAMLib.lesion.plain_predictor import load_plain_predictor
from StrokeSAMLib.nets.options import PRECISION_CHOICES

_MEASURED = "docs/methods.md"
# The volume with a probability of 0.99 that makes a component of any size a lesion (docs/methods/measurements.md).
SURE_CORE_ML = 4.0


@dataclass(frozen=True)
class UNetOptions(NetworkOptions):
    """The options that both methods share."""

    precision: str = option("float32", "precision of the network", choices=PRECISION_CHOICES)
    threshold: float = option(0.3, "least probability of the lesion", "", 0.01, 0.99, _MEASURED)
    min_volume: float = option(0.02, "smallest lesion", "ml", 0, 100, _MEASURED)
    doubt_below: float = option(
        0.0, "a smaller component without a sure core is a possible lesion only", "ml", 0, 1000, _MEASURED
    )
    mirror: bool = option(False, "average the predictions of the scan and of its mirror image; twice the time")


class NetworkGrid:
    """The grid of the networks: cubic voxels of `GRID_MM` along the canonical axes of the scan, around its brain.

    Attributes:
        image: an empty image on the grid, UInt8.
        brain: the brain mask on the grid, bool (k, j, i).
    """

    def __init__(self, brain: sitk.Image):
        """Lay the grid around a brain.

        Args:
            brain: UInt8 mask on canonical axes.

        Raises:
            InputError: the brain fills no voxel of the grid.
        """
        self.image = cubic_grid(patch_of(brain).image, GRID_MM, SIDE_MULTIPLE)
        self.brain = self.resample(brain) > 0.5
        if not self.brain.any():
            raise InputError("no brain found in the scan")

    def resample(self, image: sitk.Image) -> np.ndarray:
        """`image` on the grid, Float32 (k, j, i). Finer voxels are averaged; coarser ones are interpolated."""
        coarse = shrink(sitk.Cast(image, sitk.sitkFloat32), (GRID_MM, GRID_MM, GRID_MM))
        return sitk.GetArrayFromImage(resample_like(coarse, self.image))


def load_unet(method: str, options: UNetOptions, on_note: Callable[[str], None]) -> LesionNetwork:
    """Load the network of a method: in PyTorch, or in NumPy where PyTorch is not installed.

    Args:
        method: "ncct-unet" or "dwi-unet".
        options: of the method.
        on_note: called with each line for the user.

    Raises:
        InputError: there are no weights, or they cannot be used.
    """
    if not_installed(("torch", "safetensors")):
        return load_plain_predictor(method, options, on_note)
    from StrokeSAMLib.lesion.predictor import load_predictor
    from StrokeSAMLib.nets.models.compact_unet import build

    return load_predictor(method, lambda: build(method), options, on_note)


def predict_probability(
    predictor: LesionNetwork, inputs: np.ndarray, brain: np.ndarray, mirror: bool = False
) -> np.ndarray:
    """Predict the probability of the lesion, Float32 (k, j, i); 0 outside the brain.

    Args:
        predictor: the network.
        inputs: network inputs, Float32 (channel, k, j, i) on the grid of the networks.
        brain: bool (k, j, i), not empty.
        mirror: predict the mirror image as well, and take the mean.
    """
    box = brain_box(brain)
    cropped = np.ascontiguousarray(inputs[(None, slice(None), *box)])
    logits = predictor(cropped)[0]
    if mirror:
        logits = (logits + predictor(np.ascontiguousarray(cropped[..., ::-1]))[0][..., ::-1]) / 2
    probability = np.zeros(brain.shape, np.float32)
    probability[box] = expit(logits)
    return probability * brain


def lesion_on_scan(
    probability: np.ndarray, grid: NetworkGrid, brain: sitk.Image, options: UNetOptions
) -> tuple[sitk.Image, sitk.Image, sitk.Image]:
    """The lesion on the grid of the scan.

    Args:
        probability: Float32 (k, j, i) on `grid`.
        grid: the grid of the network.
        brain: the brain mask on the grid of the scan, UInt8.
        options: threshold and volumes of a lesion.

    Returns:
        The lesion and what may be a lesion (UInt8), and the probability (Float32), all 0 outside the brain.
    """

    def resampled(array: np.ndarray) -> sitk.Image:
        return sitk.Mask(resample_like(image_like(array, grid.image), brain), brain)

    lesion, possible = (resampled(part) >= options.threshold for part in split_lesions(probability, options))
    return lesion, sitk.And(possible, sitk.Not(lesion)), resampled(probability)


def split_lesions(probability: np.ndarray, options: UNetOptions) -> tuple[np.ndarray, np.ndarray]:
    """Split a probability into that of the lesions and that of what may be a lesion.

    Volumes count on the grid of the network, where the limits were chosen. On a finer grid a lesion has less volume at
    0.99, because the probability falls off between the voxels.

    Args:
        probability: Float32 (k, j, i) on the grid of the network.
        options: threshold and volumes of a lesion.

    Returns:
        Two of Float32 (k, j, i). Both keep the probability below the threshold, for the interpolation of outlines.
    """
    volumes = (options.min_volume, options.doubt_below, SURE_CORE_ML)
    sure, doubtful = sure_components(probability, options.threshold, *(volume / VOXEL_ML for volume in volumes))
    above = probability >= options.threshold
    return np.where(above & ~sure, 0, probability), np.where(above & ~doubtful, 0, probability)
