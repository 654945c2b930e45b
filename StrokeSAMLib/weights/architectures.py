"""Is a file the checkpoint of that network? Key by key, wherever the network can be built."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from StrokeSAMLib.errors import InputError
from StrokeSAMLib.weights.catalogue import Entry

if TYPE_CHECKING:
    import torch

# An architecture of the catalogue, and what the networks' modules call it.
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
    """Read a checkpoint safely, and compare its keys and shapes with those of the entry's network.

    Args:
        name: what to call the file in an error.

    Returns:
        Whether the keys were compared: not, where there is no such network here or its packages are not installed.

    Raises:
        InputError: not a checkpoint that can be read safely, or one of another network, or PyTorch is not installed.
    """
    try:
        from StrokeSAMLib.weights.checkpoint import compare_weights, read_checkpoint
    except ImportError:
        raise InputError(f"{name}: reading a checkpoint needs the Python package torch") from None
    state = read_checkpoint(path, name)
    model = network(entry.architecture)
    if model is None:
        return False
    compare_weights(model, state, name)
    return True


def network(architecture: str) -> torch.nn.Module | None:
    """The network, for its keys and shapes alone; None where this installation cannot build it."""
    try:
        import torch

        build = _builder(architecture)
    except ImportError:
        return None
    # On "meta" weights take no memory; the sam2 package asks its tensors for numbers while it builds.
    with torch.device("cpu" if architecture in _SAM2 else "meta"):
        return build() if build else None


def _builder(architecture: str) -> Callable[[], torch.nn.Module] | None:
    if architecture in _SAM2:
        from StrokeSAMLib.nets.sam2_model import build, configurations

        return partial(build, configurations()[_SAM2[architecture]])
    if architecture in _SAM:
        from StrokeSAMLib.nets import sam_models

        return getattr(sam_models, _SAM[architecture])
    if architecture in _COMPACT:
        from StrokeSAMLib.nets.compact_unet import build

        return partial(build, architecture)
    if architecture == "aisct-sam":
        from StrokeSAMLib.nets.aisct_sam import AisctSam

        return AisctSam
    return None
