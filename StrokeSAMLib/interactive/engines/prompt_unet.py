"""The engine `prompt-unet`: a small 3-D network of our own, which ships with its weights and needs no package.

It runs in NumPy. PyTorch takes longer for a single small cube on a CPU.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import scipy.ndimage as ndi

from StrokeSAMLib.core.errors import InputError
from StrokeSAMLib.core.files import file_hash
from StrokeSAMLib.core.options import NoOptions, build_options
from StrokeSAMLib.interactive.engines.prompt_turns import Network, Turn, answer_turns, is_whole, shows_object
from StrokeSAMLib.interactive.engines.random_walker import CroppedMask
from StrokeSAMLib.interactive.features.footprint import MIB, Footprint
from StrokeSAMLib.interactive.slice_prompts import PlacedPrompt
from StrokeSAMLib.interactive.slice_stack import SliceStack
from StrokeSAMLib.interactive.volume_prompts import Placed, Region, Stroke
from StrokeSAMLib.nets.plain.safetensors_file import check_shapes, read_weights
from StrokeSAMLib.nets.plain.unets import prompt_unet, prompt_unet_shapes

# Parts of the answer that no positive prompt touches are kept from this part of the largest on.
_LEAST_PART = 0.1


@dataclass(frozen=True, eq=False)
class PromptAnswer:
    """An answer in 3-D.

    Attributes:
        slices: see `VolumeAnswer.slices`.
        turn: the network's answer, for the next prompt.
        notes: see `VolumeAnswer.notes`.
    """

    slices: Mapping[int, CroppedMask]
    turn: Turn
    notes: tuple[str, ...] = ()


class PromptUNetEngine:
    """The engine of this module.

    Args:
        network: maps → logits.
        weights: SHA-256 of the weights.
    """

    id = "prompt-unet"
    accepts = frozenset({"point", "box", "scribble", "lasso", "mask"})
    device = "cpu"
    notes: tuple[str, ...] = ()

    def __init__(self, network: Network, weights: str):
        self._network, self._weights = network, weights

    def answer(
        self, stack: SliceStack, prompts: Sequence[PlacedPrompt], previous: PromptAnswer | None = None
    ) -> PromptAnswer:
        """See `VolumeEngine.answer`."""
        places: list[Placed] = [entry.pixels for entry in prompts]
        turn = answer_turns(stack, places, self._network, previous and previous.turn)
        if turn is None:
            raise InputError("no prompt says where the object is: add a positive point, or a box")
        known = {} if previous is None else previous.slices
        slices = _slices(turn, stack)
        return PromptAnswer({k: _kept(mask, known.get(k)) for k, mask in slices.items()}, turn)

    def footprint(self) -> Footprint:
        """See `AnyEngine.footprint`."""
        return Footprint(model=10 * MIB, working=60 * MIB, features=0, prediction=MIB // 16)

    def use_cpu(self) -> bool:
        """False: the engine always runs on the CPU."""
        return False

    def describe(self) -> Mapping[str, Any]:
        """The hash of the weights."""
        return {"weights": self._weights}


def load(id: str, weights: Path, device: str, options: dict[str, Any]) -> PromptUNetEngine:
    """The engine with the weights in a file; it has no options.

    Raises:
        InputError: the file has no weights of this network.
    """
    build_options(NoOptions, options, f"engine {id}")
    arrays = read_weights(weights)
    check_shapes(arrays, prompt_unet_shapes(), str(weights))
    return PromptUNetEngine(partial(prompt_unet, arrays), file_hash(weights))


def _slices(turn: Turn, stack: SliceStack) -> dict[int, CroppedMask]:
    """The masks of a turn by slice. What is drawn or clicked holds, to the voxel."""
    shape = stack.pixels.shape
    inside = _parts(turn)
    # Left out parts end between their voxels and their neighbours', as all parts do.
    probability = np.where(inside, turn.probability, turn.probability.clip(0, 0.49)).astype(np.float32)
    region = turn.cube.region(inside, shape)
    volume = np.zeros(shape, bool)
    volume[region] = turn.cube.spread(probability, region) > 0.5
    clicked = {int(k) for place in turn.places if isinstance(place, Stroke) for k in place.voxels[:, 0]}
    for place in turn.places:
        if isinstance(place, Stroke):
            volume[tuple(place.voxels.T)] = place.positive
        elif isinstance(place, Region) and not is_whole(place):
            _hold(volume, place, clicked)
    return {int(k): _cropped(volume[k]) for k in np.flatnonzero(volume.any((1, 2)))}


def _hold(volume: np.ndarray, region: Region, clicked: set[int]) -> None:
    """Keep an answer to a region: outside it, within it, or on slices without a correction equal to it."""
    for k, mask in region.slices.items():
        if not region.positive:
            volume[k] &= ~mask
        elif not region.drawn:
            volume[k] &= mask
        elif k not in clicked:
            volume[k] = mask


def _parts(turn: Turn) -> np.ndarray:
    """The answer on the cube without small parts that no prompt touches, bool (k, j, i)."""
    inside = turn.probability > 0.5
    labels, count = ndi.label(inside)
    if count < 2:
        return inside
    sizes = np.bincount(labels.ravel())[1:]
    kept = {1 + int(part) for part in np.flatnonzero(sizes >= _LEAST_PART * sizes.max())}
    for place in turn.places:
        if isinstance(place, Stroke) and shows_object(place):
            at = np.rint([turn.cube.voxel(voxel) for voxel in place.voxels]).astype(int)
            within = ((at >= 0) & (at < inside.shape)).all(1)
            kept |= {int(part) for part in labels[tuple(at[within].T)] if part}
    return np.isin(labels, sorted(kept))


def _cropped(mask: np.ndarray) -> CroppedMask:
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    crop = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].copy()
    return CroppedMask(crop, (int(rows[0]), int(columns[0])))


def _kept(mask: CroppedMask, before: CroppedMask | None) -> CroppedMask:
    """The mask `before` if it is equal, so that a view knows that nothing changed."""
    return before if before is not None and mask.equals(before) else mask
