"""The check that a file is a checkpoint of a given network, key by key, wherever the network can be built."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from StrokeSAMLib.core.errors import InputError
from StrokeSAMLib.weights.catalogue import Entry

if TYPE_CHECKING:
    import torch

# The catalogue's architectures, each with its name in sam2.json, in sam_models.py or in compact_unet.py.
_SAM2 = {
    "sam2.1-hiera-tiny": "sam2.1-tiny",
    "sam2.1-hiera-small": "sam2.1-small",
    "sam2.1-hiera-base-plus": "sam2.1-base-plus",
    "sam2.1-hiera-large": "sam2.1-large",
    "sam2.1-hiera-tiny-512": "medsam2",
}
_SAM = {
    "sam-vit-b": "sam_vit_b",
    "sam-med2d": "sam_med2d",
    "lite-medsam": "lite_medsam",
    "swift-medsam": "swift_medsam",
}
_COMPACT = ("ncct-unet", "dwi-unet")


def check_weights(entry: Entry, path: Path, name: str) -> bool:
    """Read a checkpoint safely and compare its keys and shapes with those of the entry's network.

    Args:
        entry: the catalogue's entry that the file should be.
        path: the file.
        name: the file's name in errors.

    Returns:
        Whether the keys were compared. They are not where StrokeSAM has no such network or its packages are missing.

    Raises:
        InputError: the file is not a checkpoint, cannot be read safely or belongs to another network; or PyTorch is
            not installed.
    """
    try:
        from StrokeSAMLib.weights.checkpoint import compare_weights, read_checkpoint
    except ImportError:
        raise InputError(f"{name}: reading a checkpoint needs the Python package torch") from None
    weights = read_checkpoint(path, name)
    model = build_network(entry.architecture)
    if model is None:
        return False
    compare_weights(model, weights, name)
    return True


def build_network(architecture: str) -> torch.nn.Module | None:
    """The network of an architecture, for its keys and shapes only; None where this installation cannot build it."""
    try:
        import torch

        build = _builder(architecture)
    except ImportError:
        return None
    # Weights on the device "meta" take no memory. The sam2 package reads values of its tensors while it builds.
    with torch.device("cpu" if architecture in _SAM2 else "meta"):
        return build() if build else None


def _builder(architecture: str) -> Callable[[], torch.nn.Module] | None:
    if architecture in _SAM2:
        from StrokeSAMLib.nets.models.sam2_model import build, configurations

        return partial(build, configurations()[_SAM2[architecture]])
    if architecture in _SAM:
        from StrokeSAMLib.nets.models import sam_models

        return getattr(sam_models, _SAM[architecture])
    if architecture in _COMPACT:
        from StrokeSAMLib.nets.models.compact_unet import build

        return partial(build, architecture)
    if architecture == "prompt-unet":
        from StrokeSAMLib.nets.models.prompt_unet import PromptUNet

        return PromptUNet
    if architecture == "aisct-sam":
        from StrokeSAMLib.nets.models.aisct_sam import AisctSam

        return AisctSam
    return None
