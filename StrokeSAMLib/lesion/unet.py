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


@dataclass(frozen=True)
class UNetOptions(NetworkOptions):
    """The options that both methods share."""

    precision: str = option("float32", "precision of the network", choices=PRECISION_CHOICES)
    threshold: float = option(0.3, "least probability of the lesion", "", 0.01, 0.99, _MEASURED)
    min_volume: float = option(0.02, "smallest lesion", "ml", 0, 100, _MEASURED)
    sure_volume: float = option(0.0, "least volume in a lesion with a probability of 0.99", "ml", 0, 100, _MEASURED)
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
) -> tuple[sitk.Image, sitk.Image, list[str]]:
    """The lesion on the grid of the scan.

    Args:
        probability: Float32 (k, j, i) on `grid`.
        grid: the grid of the network.
        brain: the brain mask on the grid of the scan, UInt8.
        options: threshold and volumes of a lesion.

    Returns:
        The lesion (UInt8), the probability (Float32), both 0 outside the brain, and lines for the user.
    """

    def resampled(array: np.ndarray) -> sitk.Image:
        return sitk.Mask(resample_like(image_like(array, grid.image), brain), brain)

    kept, notes = keep_sure_lesions(probability, options)
    return resampled(kept) >= options.threshold, resampled(probability), notes


def keep_sure_lesions(probability: np.ndarray, options: UNetOptions) -> tuple[np.ndarray, list[str]]:
    """Set the probability of lesions that are too small or not sure enough to 0.

    Volumes count on the grid of the network, where the limits were chosen. On a finer grid a lesion has less volume at
    0.99, because the probability falls off between the voxels.

    Args:
        probability: Float32 (k, j, i) on the grid of the network.
        options: threshold, least volume, and least sure volume of a lesion.

    Returns:
        The probability of the lesions that are kept, Float32 (k, j, i), and a line for the user where a lesion was not
        sure enough.
    """
    sure, doubtful = sure_components(
        probability, options.threshold, options.min_volume / VOXEL_ML, options.sure_volume / VOXEL_ML
    )
    doubtful_ml = np.count_nonzero(doubtful) * VOXEL_ML
    notes = [f"{doubtful_ml:.1f} ml of possible lesion are left out; sure_volume=0 keeps them"] if doubtful_ml else []
    return np.where((probability >= options.threshold) & ~sure, 0, probability), notes
