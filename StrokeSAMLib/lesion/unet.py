"""What the methods with a compact U-Net share: their grid, their network, its answer, the lesion in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
from scipy.special import expit

from StrokeSAMLib.errors import InputError
from StrokeSAMLib.imaging.channels import GRID_MM, MULTIPLE, VOXEL_ML, brain_box
from StrokeSAMLib.imaging.geometry import cubic_grid, like, patch_of, resample_like, shrink
from StrokeSAMLib.imaging.morphology import sure_components
from StrokeSAMLib.lesion.network import Asked, NetworkOptions, ask
from StrokeSAMLib.nets.compact_unet import build
from StrokeSAMLib.nets.precision import PRECISION_CHOICES
from StrokeSAMLib.options import option

_MEASURED = "docs/methods.md"


@dataclass(frozen=True)
class UNetOptions(NetworkOptions):
    """What both methods can be told."""

    precision: str = option("float32", "of the network", choices=PRECISION_CHOICES)
    threshold: float = option(0.3, "least probability of the lesion", "", 0.01, 0.99, _MEASURED)
    min_volume: float = option(0.02, "smallest lesion", "ml", 0, 100, _MEASURED)
    sure_volume: float = option(0.0, "least volume in a lesion with a probability of 0.99", "ml", 0, 100, _MEASURED)
    mirror: bool = option(False, "the mean of the answers to the scan and to its mirror image; twice the time")


class Grid:
    """The networks' grid: cubic voxels of `GRID_MM` along the scan's canonical axes, about its brain.

    Attributes:
        image: the grid, empty.
        brain: bool (k, j, i) on it.
    """

    def __init__(self, brain: sitk.Image):
        """`brain`: UInt8, on canonical axes.

        Raises:
            InputError: it holds no voxel of the grid.
        """
        self.image = cubic_grid(patch_of(brain).image, GRID_MM, MULTIPLE)
        self.brain = self.sampled(brain) > 0.5
        if not self.brain.any():
            raise InputError("no brain found in the scan")

    def sampled(self, image: sitk.Image) -> np.ndarray:
        """`image` on the grid, Float32 (k, j, i): averaged over finer voxels, interpolated between coarser ones."""
        coarse = shrink(sitk.Cast(image, sitk.sitkFloat32), (GRID_MM,) * 3)
        return sitk.GetArrayFromImage(resample_like(coarse, self.image))


def network_for(method: str, options: UNetOptions, told: Callable[[str], None]) -> Asked:
    """The network of the method, ready.

    Raises:
        InputError: no weights, or such as cannot be used.
    """
    return ask(method, lambda: build(method), options, told)


def probability(network: Asked, channels: np.ndarray, brain: np.ndarray, mirror: bool = False) -> np.ndarray:
    """The network's answer, Float32 (k, j, i); 0 outside the brain.

    Args:
        channels: (channel, k, j, i) on the networks' grid, Float32.
        brain: bool (k, j, i), not empty.
        mirror: also ask of the mirror image, and take the mean.
    """
    box = brain_box(brain)
    shown = np.ascontiguousarray(channels[(None, slice(None), *box)])
    logits = network(shown)[0]
    if mirror:
        logits = (logits + network(np.ascontiguousarray(shown[..., ::-1]))[0][..., ::-1]) / 2
    answer = np.zeros(brain.shape, np.float32)
    answer[box] = expit(logits)
    return answer * brain


def on_scan(
    answer: np.ndarray, grid: Grid, brain: sitk.Image, options: UNetOptions
) -> tuple[sitk.Image, sitk.Image, list[str]]:
    """The lesion (UInt8) and the probability (Float32) on the grid of the scan's brain mask, 0 outside the brain; and
    notes.

    Args:
        answer: on `grid`.
    """

    def placed(array: np.ndarray) -> sitk.Image:
        return sitk.Mask(resample_like(like(array, grid.image), brain), brain)

    lesion, notes = lesion_in(answer, options)
    return placed(lesion) >= options.threshold, placed(answer), notes


def lesion_in(answer: np.ndarray, options: UNetOptions) -> tuple[np.ndarray, list[str]]:
    """The answer with 0 for what reaches the threshold but is too small or not sure enough; and a note of the latter.

    Volumes count on the networks' grid, where they were chosen: between its voxels a probability falls off, and on a
    finer grid the same lesion holds less of 0.99.
    """
    sure, doubtful = sure_components(
        answer, options.threshold, options.min_volume / VOXEL_ML, options.sure_volume / VOXEL_ML
    )
    doubtful_ml = np.count_nonzero(doubtful) * VOXEL_ML
    notes = [f"{doubtful_ml:.1f} ml are left out that may be lesion; sure_volume=0 keeps them"] if doubtful_ml else []
    return np.where((answer >= options.threshold) & ~sure, 0, answer), notes
