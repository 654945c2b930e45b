"""SAM ViT-B, MedSAM and SAM-Med2D: networks of single slices, propagated by boxes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

from StrokeSAMLib.files import file_hash
from StrokeSAMLib.interactive.engines.base import Context, Spacing
from StrokeSAMLib.interactive.engines.boxes import SliceBox, box_on_square
from StrokeSAMLib.interactive.engines.packed_mask import PackedMask
from StrokeSAMLib.interactive.memory import MIB, Footprint
from StrokeSAMLib.interactive.slices import SlicePrompts
from StrokeSAMLib.nets.devices import choose_device, inference
from StrokeSAMLib.nets.packed import pack_layers
from StrokeSAMLib.nets.sam_models import PromptedSam, sam_med2d, sam_vit_b
from StrokeSAMLib.options import NoOptions, build_options
from StrokeSAMLib.weights.checkpoint import load_weights, read_checkpoint

# ImageNet's, on 0…255.
_MEAN, _SD = np.array([123.675, 116.28, 103.53]), np.array([58.395, 57.12, 57.375])
_SHIFT = 5.0
_DRAWN_LOGIT = 10.0


@dataclass(frozen=True)
class Frame:
    """How a slice of `shape` lies in the network's square input: `used` (row, column) of `size`, the rest padding."""

    shape: tuple[int, int]
    used: tuple[int, int]
    size: int

    @classmethod
    def stretched(cls, shape: tuple[int, int], size: int) -> Frame:
        """The whole square, the aspect lost."""
        return cls(shape, (size, size), size)

    @classmethod
    def fitted(cls, shape: tuple[int, int], size: int) -> Frame:
        """The longer side fills it, the aspect stays."""
        scale = size / max(shape)
        return cls(shape, (int(shape[0] * scale + 0.5), int(shape[1] * scale + 0.5)), size)

    def to_input(self, places: np.ndarray) -> np.ndarray:
        """(n, 2) of (column, row), from the slice to the input."""
        return np.asarray(places, np.float32) * (self.used[1] / self.shape[1], self.used[0] / self.shape[0])

    def to_slice(self, logits: torch.Tensor) -> torch.Tensor:
        """Logits (1, 1, row, column) of the whole square on the slice."""
        whole = F.interpolate(logits, size=(self.size, self.size), mode="bilinear", align_corners=False)
        return F.interpolate(
            whole[..., : self.used[0], : self.used[1]], size=self.shape, mode="bilinear", align_corners=False
        )


@dataclass(frozen=True, eq=False)
class SamFeatures:
    """An encoded slice."""

    embedding: torch.Tensor
    frame: Frame

    @property
    def nbytes(self) -> int:
        """Memory that it takes."""
        return self.embedding.numel() * self.embedding.element_size()

    def to(self, device: str) -> SamFeatures:
        """The same on another device."""
        return SamFeatures(self.embedding.to(device), self.frame)

    def __reduce__(self) -> tuple[Any, ...]:
        return _from_array, (self.embedding.numpy(), self.frame)


def _from_array(embedding: np.ndarray, frame: Frame) -> SamFeatures:
    return SamFeatures(torch.from_numpy(embedding), frame)


@dataclass(eq=False)
class SamAnswer:
    """Logits as the network gives them, (1, 1, row, column)."""

    logits: torch.Tensor
    frame: Frame
    _mask: PackedMask | None = field(default=None, repr=False)

    def mask(self, shape: tuple[int, int]) -> np.ndarray:
        """Bool (row, column)."""
        if self._mask is None:
            with torch.inference_mode():
                self._mask = PackedMask.of((self.frame.to_slice(self.logits.float())[0, 0] > 0).cpu().numpy())
        return self._mask.unpacked()


@dataclass(frozen=True)
class Recipe:
    """How a network was trained to be used.

    Attributes:
        build: makes it.
        size: of its input.
        frame: how a slice lies in it.
        image: an 8-bit slice as the input's channels, Float32 (3, row, column) of the frame's used part.
        several: for how many points alone it is asked for three masks, the best of which is taken.
        grid: rows of the embedding; of logits there are four times as many.
        model, working: memory, bytes (see `Footprint`).
        accepts: the prompts that it was trained on.
        next_box: the box of the next slice, from this slice's mask.
    """

    build: Callable[[], PromptedSam]
    size: int
    frame: Callable[[tuple[int, int], int], Frame]
    image: Callable[[np.ndarray, tuple[int, int]], np.ndarray]
    grid: int
    model: int
    working: int
    several: int = 0
    accepts: frozenset[str] = frozenset({"box", "mask"})
    next_box: Callable[[np.ndarray, int], SliceBox] = lambda mask, size: box_on_square(mask, size, _SHIFT)


class SamEngine:
    """One of SAM's descendants as an engine."""

    tracks = False

    def __init__(self, id: str, model: PromptedSam, recipe: Recipe, description: Mapping[str, Any] | None = None):
        self.id = id
        self.model = model
        self.accepts = recipe.accepts
        self._recipe = recipe
        self._description = dict(description or {})

    @property
    def device(self) -> torch.device:
        """Where the network is."""
        return self.model.device

    @inference
    def encode(self, pixels: np.ndarray, spacing: Spacing) -> SamFeatures:
        """See `Engine.encode`."""
        frame = self._recipe.frame(pixels.shape, self._recipe.size)
        image = np.zeros((3, frame.size, frame.size), np.float32)
        image[:, : frame.used[0], : frame.used[1]] = self._recipe.image(np.ascontiguousarray(pixels), frame.used)
        return SamFeatures(self.model.image_encoder(torch.from_numpy(image)[None].to(self.device)), frame)

    @inference
    def predict(
        self,
        features: SamFeatures,
        prompts: SlicePrompts,
        prior: SamAnswer | None = None,
        context: Context | None = None,
    ) -> SamAnswer:
        """See `Engine.predict`."""
        if prompts.box is None and len(prompts.points) == 0:
            return self._as_drawn(features, prompts.mask)
        device, frame = self.device, features.frame
        box = points = None
        if prompts.box is not None:
            corners = self._whole(frame.to_input(np.reshape(prompts.box, (2, 2))))
            box = torch.from_numpy(corners.reshape(1, 4).astype(np.float32)).to(device)
        if len(prompts.points):
            places = torch.from_numpy(frame.to_input(prompts.points).astype(np.float32))[None].to(device)
            points = places, torch.from_numpy(prompts.labels.astype(np.int32))[None].to(device)
        several = box is None and prior is None and 0 < len(prompts.points) <= self._recipe.several
        former = prior.logits.to(device) if prior is not None else None
        logits, quality = self.model.masks(features.embedding, points, box, former, several)
        best = int(quality[0].argmax())
        return SamAnswer(logits[:, best : best + 1], frame)

    def follow(self, features: SamFeatures, neighbour: SamAnswer, shape: tuple[int, int]) -> SamAnswer:
        """See `Engine.follow`."""
        box = self._recipe.next_box(neighbour.mask(shape), self._recipe.size)
        return self.predict(features, SlicePrompts(shape, box=box))

    def footprint(self) -> Footprint:
        """See `Engine.footprint`."""
        grid = self._recipe.grid
        return Footprint(
            self._recipe.model, self._recipe.working, features=4 * 256 * grid**2, answer=4 * (4 * grid) ** 2
        )

    def use_cpu(self) -> bool:
        """See `Engine.use_cpu`."""
        if self.device.type == "cpu":
            return False
        self.model = self.model.to("cpu")
        return True

    def describe(self) -> Mapping[str, Any]:
        """See `Engine.describe`."""
        return self._description

    def _whole(self, corners: np.ndarray) -> np.ndarray:
        return corners

    def _as_drawn(self, features: SamFeatures, mask: np.ndarray) -> SamAnswer:
        """A drawn mask, as logits at the network's own output size."""
        side = 4 * features.embedding.shape[-1]
        frame = features.frame
        drawn = torch.from_numpy(mask.astype(np.float32))[None, None]
        fitted = F.interpolate(drawn, size=frame.used, mode="bilinear", align_corners=False, antialias=True)
        padded = F.pad(fitted, (0, frame.size - frame.used[1], 0, frame.size - frame.used[0]))
        small = F.interpolate(padded, size=(side, side), mode="bilinear", align_corners=False, antialias=True)
        return SamAnswer(((small * 2 - 1) * _DRAWN_LOGIT).to(self.device), frame)


def _resized(pixels: np.ndarray, used: tuple[int, int], how: Image.Resampling) -> np.ndarray:
    return np.asarray(Image.fromarray(pixels).resize((used[1], used[0]), how), np.float32)


def _normalised(how: Image.Resampling) -> Callable[[np.ndarray, tuple[int, int]], np.ndarray]:
    """Resized, then ImageNet's mean and deviation."""

    def image(pixels: np.ndarray, used: tuple[int, int]) -> np.ndarray:
        grey = _resized(pixels, used, how)
        return (grey[None] - _MEAN[:, None, None]) / _SD[:, None, None]

    return image


def _stretched_to_unit(pixels: np.ndarray, used: tuple[int, int]) -> np.ndarray:
    """Resized, then from the slice's least to its greatest value: MedSAM's way."""
    return to_unit(_resized(pixels, used, Image.Resampling.BICUBIC))


def to_unit(grey: np.ndarray) -> np.ndarray:
    """(row, column) from its least to its greatest value, as three channels."""
    span = max(float(grey.max() - grey.min()), 1e-8)
    return np.broadcast_to((grey - grey.min()) / span, (3, *grey.shape))


# Grid of the embedding, memory of the network and of its work.
_VIT_B, _MED2D = (64, 395 * MIB, 380 * MIB), (16, 1070 * MIB, 160 * MIB)
_ALL = frozenset({"box", "point", "mask"})
RECIPES = {
    "sam-vit-b": Recipe(sam_vit_b, 1024, Frame.fitted, _normalised(Image.Resampling.BILINEAR), *_VIT_B, 1, _ALL),
    # MedSAM was trained with boxes only.
    "medsam": Recipe(sam_vit_b, 1024, Frame.stretched, _stretched_to_unit, *_VIT_B),
    "sam-med2d": Recipe(sam_med2d, 256, Frame.stretched, _normalised(Image.Resampling.NEAREST), *_MED2D, 99, _ALL),
}


def load(id: str, weights: Path, device: str, options: dict[str, Any]) -> SamEngine:
    """The engine called `id` with a checkpoint; it has no options."""
    build_options(NoOptions, options, f"engine {id}")
    return SamEngine(id, loaded(RECIPES[id], weights, device), RECIPES[id], {"weights": file_hash(weights)})


def loaded(recipe: Recipe, weights: Path, device: str) -> PromptedSam:
    """The recipe's network with a checkpoint, on a device, ready to be asked."""
    model = recipe.build()
    load_weights(model, read_checkpoint(weights), str(weights))
    model = model.to(choose_device(device))
    if model.device.type == "cpu":
        pack_layers(model.image_encoder)
    return model
