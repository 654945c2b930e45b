"""SAM ViT-B, MedSAM and SAM-Med2D: networks for single slices, propagated by box."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

from StrokeSAMLib.core.files import file_hash
from StrokeSAMLib.core.options import build_options
from StrokeSAMLib.interactive.engines.base import PropagationContext, Spacing
from StrokeSAMLib.interactive.engines.boxes import SliceBox, box_on_square
from StrokeSAMLib.interactive.engines.packed_mask import PackedMask
from StrokeSAMLib.interactive.features.footprint import MIB, Footprint
from StrokeSAMLib.interactive.slice_prompts import SlicePrompts
from StrokeSAMLib.nets.cpu.fast_layers import put_fast_layers
from StrokeSAMLib.nets.devices import choose_device, inference
from StrokeSAMLib.nets.models.sam_models import PromptedSam, sam_med2d, sam_vit_b
from StrokeSAMLib.nets.options import fast_layers_option
from StrokeSAMLib.weights.checkpoint import load_weights, read_checkpoint

# Mean and standard deviation of ImageNet's channels, on a scale of 0…255.
_MEAN, _SD = np.array([123.675, 116.28, 103.53]), np.array([58.395, 57.12, 57.375])
# Enlargement of the next slice's box on each side, pixels of the network's input.
_SHIFT = 5.0
# The logit inside a drawn mask; outside it is the negative of this.
_DRAWN_LOGIT = 10.0


@dataclass(frozen=True)
class Frame:
    """The placement of a slice in the network's square input.

    Attributes:
        shape: (row, column) of the slice.
        content: (row, column) of the part of the input that the slice fills, from its first pixel; the rest is padding.
        size: side of the input, pixels.
    """

    shape: tuple[int, int]
    content: tuple[int, int]
    size: int

    @classmethod
    def stretched(cls, shape: tuple[int, int], size: int) -> Frame:
        """A slice stretched to the whole input; its aspect ratio is lost."""
        return cls(shape, (size, size), size)

    @classmethod
    def fitted(cls, shape: tuple[int, int], size: int) -> Frame:
        """A slice whose longer side fills the input; its aspect ratio is kept."""
        scale = size / max(shape)
        return cls(shape, (int(shape[0] * scale + 0.5), int(shape[1] * scale + 0.5)), size)

    def to_input(self, positions: np.ndarray) -> np.ndarray:
        """Map positions (column, row), (n, 2), from the slice to the input."""
        return np.asarray(positions, np.float32) * (self.content[1] / self.shape[1], self.content[0] / self.shape[0])

    def to_slice(self, logits: torch.Tensor) -> torch.Tensor:
        """Resample logits (1, 1, row, column) from the input to the slice."""
        square = F.interpolate(logits, size=(self.size, self.size), mode="bilinear", align_corners=False)
        return F.interpolate(
            square[..., : self.content[0], : self.content[1]], size=self.shape, mode="bilinear", align_corners=False
        )


@dataclass(frozen=True, eq=False)
class SamFeatures:
    """The features of an encoded slice: `embedding`, (1, channel, row, column)."""

    embedding: torch.Tensor
    frame: Frame

    @property
    def nbytes(self) -> int:
        """See `Features.nbytes`."""
        return self.embedding.numel() * self.embedding.element_size()

    def to(self, device: str) -> SamFeatures:
        """See `Features.to`."""
        return SamFeatures(self.embedding.to(device), self.frame)

    def __reduce__(self) -> tuple[Any, ...]:
        return _from_array, (self.embedding.numpy(), self.frame)


def _from_array(embedding: np.ndarray, frame: Frame) -> SamFeatures:
    return SamFeatures(torch.from_numpy(embedding), frame)


@dataclass(eq=False)
class SamPrediction:
    """A prediction: logits of the network, (1, 1, row, column), and its own estimate of their mask's IoU."""

    logits: torch.Tensor
    frame: Frame
    quality: float | None = None
    _mask: PackedMask | None = field(default=None, repr=False)

    def mask(self, shape: tuple[int, int]) -> np.ndarray:
        """See `Prediction.mask`."""
        if self._mask is None:
            with torch.inference_mode():
                self._mask = PackedMask.pack((self.frame.to_slice(self.logits.float())[0, 0] > 0).cpu().numpy())
        return self._mask.unpack()


@dataclass(frozen=True)
class Recipe:
    """The inputs and the prompts that a network was trained with.

    Attributes:
        build: function that builds the network without weights.
        size: side of the network's square input, pixels.
        frame: function (shape, size) that places a slice in the input.
        image: function (pixels, content) that turns an 8-bit slice into the channels of the frame's content, Float32
            (3, row, column).
        grid: side of the embedding; the side of the logits is four times as long.
        model, working: memory, bytes (see `Footprint`).
        multimask_points: with up to this number of points, no box and no previous mask, the network predicts three
            masks, of which the best is used.
        accepts: types of prompts that the network was trained with.
        next_box: function (mask, size) that gives the box of the next slice in box propagation.
    """

    build: Callable[[], PromptedSam]
    size: int
    frame: Callable[[tuple[int, int], int], Frame]
    image: Callable[[np.ndarray, tuple[int, int]], np.ndarray]
    grid: int
    model: int
    working: int
    multimask_points: int = 0
    accepts: frozenset[str] = frozenset({"box", "mask"})
    next_box: Callable[[np.ndarray, int], SliceBox] = lambda mask, size: box_on_square(mask, size, _SHIFT)


class SamEngine:
    """An engine with a SAM for single slices."""

    tracks = False
    notes: tuple[str, ...] = ()

    def __init__(self, id: str, model: PromptedSam, recipe: Recipe, description: Mapping[str, Any] | None = None):
        self.id = id
        self.model = model
        self.accepts = recipe.accepts
        self._recipe = recipe
        self._description = dict(description or {})

    @property
    def device(self) -> torch.device:
        """The device of the network."""
        return self.model.device

    @inference
    def encode(self, pixels: np.ndarray, spacing: Spacing) -> SamFeatures:
        """See `Engine.encode`."""
        frame = self._recipe.frame(pixels.shape[:2], self._recipe.size)
        image = np.zeros((3, frame.size, frame.size), np.float32)
        content = self._recipe.image(np.ascontiguousarray(pixels), frame.content)
        image[:, : frame.content[0], : frame.content[1]] = content
        return SamFeatures(self.model.image_encoder(torch.from_numpy(image)[None].to(self.device)), frame)

    @inference
    def predict(
        self,
        features: SamFeatures,
        prompts: SlicePrompts,
        previous: SamPrediction | None = None,
        context: PropagationContext | None = None,
    ) -> SamPrediction:
        """See `Engine.predict`."""
        if prompts.box is None and prompts.mask is not None and len(prompts.points) == 0:
            return self._from_drawn(features, prompts.mask)
        device, frame = self.device, features.frame
        box = points = None
        if prompts.box is not None:
            corners = self._box_corners(frame.to_input(np.reshape(prompts.box, (2, 2))))
            box = torch.from_numpy(corners.reshape(1, 4).astype(np.float32)).to(device)
        if len(prompts.points):
            positions = torch.from_numpy(frame.to_input(prompts.points).astype(np.float32))[None].to(device)
            points = positions, torch.from_numpy(prompts.labels.astype(np.int32))[None].to(device)
        multimask = box is None and previous is None and 0 < len(prompts.points) <= self._recipe.multimask_points
        previous_logits = previous.logits.to(device) if previous is not None else None
        logits, quality = self.model.masks(features.embedding, points, box, previous_logits, multimask)
        best = int(quality[0].argmax())
        return SamPrediction(logits[:, best : best + 1], frame, float(quality[0, best]))

    def follow(self, features: SamFeatures, neighbour: SamPrediction, shape: tuple[int, int]) -> SamPrediction:
        """See `Engine.follow`."""
        box = self._recipe.next_box(neighbour.mask(shape), self._recipe.size)
        return self.predict(features, SlicePrompts(shape, box=box))

    def footprint(self) -> Footprint:
        """See `Engine.footprint`."""
        grid = self._recipe.grid
        return Footprint(
            self._recipe.model, self._recipe.working, features=4 * 256 * grid**2, prediction=4 * (4 * grid) ** 2
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

    def _box_corners(self, corners: np.ndarray) -> np.ndarray:
        """The corners of a box on the input, (2, 2), as the network takes them."""
        return corners

    def _from_drawn(self, features: SamFeatures, mask: np.ndarray) -> SamPrediction:
        """A drawn mask as logits of the network's output size."""
        side = 4 * features.embedding.shape[-1]
        frame = features.frame
        drawn = torch.from_numpy(mask.astype(np.float32))[None, None]
        fitted = F.interpolate(drawn, size=frame.content, mode="bilinear", align_corners=False, antialias=True)
        padded = F.pad(fitted, (0, frame.size - frame.content[1], 0, frame.size - frame.content[0]))
        small = F.interpolate(padded, size=(side, side), mode="bilinear", align_corners=False, antialias=True)
        return SamPrediction(((small * 2 - 1) * _DRAWN_LOGIT).to(self.device), frame)


def _resized(pixels: np.ndarray, content: tuple[int, int], resampling: Image.Resampling) -> np.ndarray:
    return np.asarray(Image.fromarray(pixels).resize((content[1], content[0]), resampling), np.float32)


def _normalised(resampling: Image.Resampling) -> Callable[[np.ndarray, tuple[int, int]], np.ndarray]:
    """A `Recipe.image` that resizes, then normalises with ImageNet's mean and standard deviation."""

    def image(pixels: np.ndarray, content: tuple[int, int]) -> np.ndarray:
        grey = _resized(pixels, content, resampling)
        return (grey[None] - _MEAN[:, None, None]) / _SD[:, None, None]

    return image


def _resized_to_unit(pixels: np.ndarray, content: tuple[int, int]) -> np.ndarray:
    """A `Recipe.image` as in MedSAM: resized, then scaled from the slice's least to its greatest value."""
    return to_unit(_resized(pixels, content, Image.Resampling.BICUBIC))


def to_unit(grey: np.ndarray) -> np.ndarray:
    """Scale from the least to the greatest value to 0…1; repeat (row, column) as channels (3, row, column)."""
    span = max(float(grey.max() - grey.min()), 1e-8)
    return np.broadcast_to((grey - grey.min()) / span, (3, *grey.shape[-2:]))


# `grid`, `model` and `working` of the recipes.
_VIT_B, _MED2D = (64, 395 * MIB, 380 * MIB), (16, 1070 * MIB, 160 * MIB)
_ALL = frozenset({"box", "point", "mask"})
RECIPES = {
    "sam-vit-b": Recipe(sam_vit_b, 1024, Frame.fitted, _normalised(Image.Resampling.BILINEAR), *_VIT_B, 1, _ALL),
    # MedSAM was trained with boxes only.
    "medsam": Recipe(sam_vit_b, 1024, Frame.stretched, _resized_to_unit, *_VIT_B),
    "sam-med2d": Recipe(sam_med2d, 256, Frame.stretched, _normalised(Image.Resampling.NEAREST), *_MED2D, 99, _ALL),
}


@dataclass(frozen=True)
class Options:
    """Options of the engines with a SAM for single slices."""

    fast_layers: bool = fast_layers_option()


def load(id: str, weights: Path, device: str, options: dict[str, Any]) -> SamEngine:
    """Load engine `id` with the checkpoint `weights`."""
    chosen = build_options(Options, options, f"engine {id}")
    model = load_network(RECIPES[id], weights, device, chosen.fast_layers)
    return SamEngine(id, model, RECIPES[id], {**asdict(chosen), "weights": file_hash(weights)})


def load_network(recipe: Recipe, weights: Path, device: str, fast_layers: bool) -> PromptedSam:
    """Build the recipe's network on `device` with the checkpoint `weights`.

    Args:
        recipe: recipe of the network.
        weights: file of the checkpoint.
        device: "auto", "cpu", "cuda" or "mps".
        fast_layers: on a CPU, replace layers with faster ones (see `nets.cpu.fast_layers`).
    """
    model = recipe.build()
    load_weights(model, read_checkpoint(weights), str(weights))
    model = model.to(choose_device(device))
    if model.device.type == "cpu" and fast_layers:
        put_fast_layers(model.image_encoder)
    return model
