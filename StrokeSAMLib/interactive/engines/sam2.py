"""SAM 2.1 and MedSAM2: the image encoder, the prompted head and the memory of a video model, slice by slice.

The networks are the `sam2` package's. Its video predictor keeps one encoded image, loads every slice as float32 from
JPEG files, and loses a click on a slice that it has tracked; here features are the caller's to keep, slices are the
volume's own bytes, and a prompted slice is always a conditioning one. Under the same prompts the masks are its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from sam2.modeling.sam2_base import SAM2Base

from StrokeSAMLib.files import file_hash
from StrokeSAMLib.interactive.engines.apart import apart
from StrokeSAMLib.interactive.engines.base import Bank, Context, Spacing
from StrokeSAMLib.interactive.engines.boxes import box_on_square
from StrokeSAMLib.interactive.engines.packed_mask import PackedMask
from StrokeSAMLib.interactive.memory import MIB, Footprint
from StrokeSAMLib.interactive.slices import SlicePrompts
from StrokeSAMLib.nets.devices import choose_device, inference
from StrokeSAMLib.nets.precision import PRECISION_CHOICES, PRECISIONS, choose_precision
from StrokeSAMLib.nets.sam2_fast import ENCODERS, speed_up
from StrokeSAMLib.nets.sam2_model import build, configurations
from StrokeSAMLib.nets.trim import trim
from StrokeSAMLib.options import build_options, option
from StrokeSAMLib.weights.checkpoint import load_weights, read_checkpoint

# ImageNet's, with which every SAM was trained.
_MEAN, _SD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
# The package's bound on the logits that are given back as a prompt.
_MOST_LOGIT = 32.0
_BOX_SHIFT = 5.0
# Conditioning slices are attended to whole; beyond so many, only the nearest are, or memory and time grow with each
# correction.
_MOST_PROMPTED = 4
_BOX_LABELS = (2, 3)
# Of the tiny network; the larger ones' are counted from it.
_TINY_WEIGHTS = 38_962_498 * 4


@dataclass(frozen=True, eq=False)
class Sam2Features:
    """An encoded slice: the feature maps at strides 4, 8 and 16, (1, channel, row, column)."""

    maps: tuple[torch.Tensor, ...]

    @property
    def nbytes(self) -> int:
        """Memory that they take."""
        return sum(level.numel() * level.element_size() for level in self.maps)

    def to(self, device: str) -> Sam2Features:
        """The same on another device."""
        return Sam2Features(tuple(level.to(device) for level in self.maps))

    def __reduce__(self) -> tuple[Any, ...]:
        return _from_arrays, tuple(level.numpy() for level in self.maps)


def _from_arrays(*maps: np.ndarray) -> Sam2Features:
    return Sam2Features(tuple(torch.from_numpy(level) for level in maps))


@dataclass(eq=False)
class Sam2Answer:
    """Logits at a quarter of the input's size (1, 1, row, column), and what later slices remember.

    Attributes:
        pointer: (1, 256), the object as one vector.
        score: (1, 1), whether the object is there.
        memory: bfloat16 (1, 64, row, column); of a prompted slice it is made when first needed.
    """

    logits: torch.Tensor
    pointer: torch.Tensor
    score: torch.Tensor
    memory: torch.Tensor | None = None
    _mask: PackedMask | None = field(default=None, repr=False)

    def mask(self, shape: tuple[int, int]) -> np.ndarray:
        """Bool (row, column): where the logits, bilinear, are above 0."""
        if self._mask is None or self._mask.shape != shape:
            self._mask = PackedMask.of(self._threshold(shape))
        return self._mask.unpacked()

    def _threshold(self, shape: tuple[int, int]) -> np.ndarray:
        with torch.inference_mode():
            full = F.interpolate(self.logits.float(), size=shape, mode="bilinear", align_corners=False)
            return (full[0, 0] > 0).cpu().numpy()


class Sam2Engine:
    """A SAM 2 network as an engine. Thread-safe as the network is: its state is the caller's."""

    accepts = frozenset({"point", "box", "mask"})
    tracks = True

    def __init__(self, id: str, model: SAM2Base, description: Mapping[str, Any] | None = None):
        self.id = id
        self.model = model
        self._description = dict(description or {})
        self._weights = int(self._description.pop("bytes", _TINY_WEIGHTS))
        self._mean = torch.tensor(_MEAN, device=self.device).view(1, 3, 1, 1)
        self._sd = torch.tensor(_SD, device=self.device).view(1, 3, 1, 1)
        trim()  # what packing the weights left

    @property
    def device(self) -> torch.device:
        """Where the network is."""
        return self.model.device

    @inference
    def encode(self, pixels: np.ndarray, spacing: Spacing) -> Sam2Features:
        """See `Engine.encode`."""
        size = self.model.image_size
        grey = np.ascontiguousarray(pixels)
        if grey.shape != (size, size):
            grey = np.asarray(Image.fromarray(grey).resize((size, size)))  # bicubic, as the package's own loader
        image = torch.from_numpy(grey.copy()).to(self.device).float().div_(255)
        return self.encode_image((image.expand(1, 3, size, size) - self._mean) / self._sd)

    @inference
    def encode_image(self, image: torch.Tensor) -> Sam2Features:
        """The features of a normalised image, Float32 (1, 3, row, column) of the network's size."""
        found = self.model.forward_image(image)
        return Sam2Features(tuple(apart(level) for level in found["backbone_fpn"]))

    @inference
    def predict(
        self,
        features: Sam2Features,
        prompts: SlicePrompts,
        prior: Sam2Answer | None = None,
        context: Context | None = None,
    ) -> Sam2Answer:
        """See `Engine.predict`."""
        points = self._points(prompts)
        mask = self._mask(prompts.mask) if points is None and prompts.mask is not None else None
        former = None
        if prior is not None and points is not None:
            former = prior.logits.to(self.device).clamp(-_MOST_LOGIT, _MOST_LOGIT)
        return self._step(features, context, points=points, mask=mask, former=former)

    @inference
    def follow(self, features: Sam2Features, neighbour: Sam2Answer, shape: tuple[int, int]) -> Sam2Answer:
        """See `Engine.follow`: the procedure of MedSAM2's scripts."""
        box = box_on_square(neighbour.mask(shape), self.model.image_size, _BOX_SHIFT)
        return self.predict(features, SlicePrompts(shape, box=box))

    @inference
    def remember(self, features: Sam2Features, answer: Sam2Answer) -> None:
        """See `TrackingEngine.remember`."""
        if answer.memory is not None:
            return
        size, logits = (self.model.image_size,) * 2, answer.logits.to(self.device)
        memory, _ = self.model._encode_new_memory(
            *self._current(features)[::2],
            pred_masks_high_res=F.interpolate(logits, size=size, mode="bilinear", align_corners=False),
            object_score_logits=answer.score.to(self.device),
            is_mask_from_pts=True,
        )
        answer.memory = memory.to(torch.bfloat16)

    @inference
    def track(self, features: Sam2Features, context: Context) -> Sam2Answer:
        """See `TrackingEngine.track`."""
        return self._step(features, context, remember=True)

    def footprint(self) -> Footprint:
        """See `Engine.footprint`."""
        scale = (self.model.image_size / 512) ** 2
        half = self._description.get("precision") == "bfloat16"
        return Footprint(
            model=int(self._weights * (1.5 if half else 1.75)),
            working=int((85 if half else 155) * scale * MIB * self._weights / _TINY_WEIGHTS),
            features=int(4 * scale * MIB),
            answer=int(0.3 * scale * MIB),
        )

    def use_cpu(self) -> bool:
        """See `Engine.use_cpu`."""
        if self.device.type == "cpu":
            return False
        self.model = self.model.to("cpu")
        self._mean, self._sd = self._mean.cpu(), self._sd.cpu()
        return True

    def describe(self) -> Mapping[str, Any]:
        """See `Engine.describe`."""
        return self._description

    def _step(
        self,
        features: Sam2Features,
        context: Context | None,
        points: dict[str, torch.Tensor] | None = None,
        mask: torch.Tensor | None = None,
        former: torch.Tensor | None = None,
        remember: bool = False,
    ) -> Sam2Answer:
        current, positions, sizes = self._current(features)
        found = self.model.track_step(
            frame_idx=context.k if context else 0,
            is_init_cond_frame=context is None,
            current_vision_feats=current,
            current_vision_pos_embeds=positions,
            feat_sizes=sizes,
            point_inputs=points,
            mask_inputs=mask,
            output_dict=self._outputs(context.bank) if context else {},
            num_frames=context.count if context else 1,
            track_in_reverse=bool(context and context.backwards),
            run_mem_encoder=remember,
            prev_sam_mask_logits=former,
        )
        memory = None
        if remember:
            # The package keeps them in bfloat16, on any device: part of what the network computes.
            memory = apart(found["maskmem_features"].to(torch.bfloat16))
        return Sam2Answer(apart(found["pred_masks"]), found["obj_ptr"], found["object_score_logits"], memory)

    def _current(self, features: Sam2Features) -> tuple[list[torch.Tensor], list[torch.Tensor], list[tuple[int, int]]]:
        """Feature maps and positions as (row · column, 1, channel), and the maps' sizes."""
        flat = [level.flatten(2).permute(2, 0, 1) for level in features.maps]
        # Only the coarsest level's position is used.
        position = self.model.image_encoder.neck.position_encoding(features.maps[-1])
        positions = [position.flatten(2).permute(2, 0, 1)]
        return flat, positions, [tuple(level.shape[-2:]) for level in features.maps]

    def _outputs(self, bank: Bank) -> dict[str, dict[int, dict[str, Any]]]:
        """The memory as the network's `track_step` takes it."""

        position: list[torch.Tensor] = []  # the same of all

        def output(answer: Sam2Answer) -> dict[str, Any]:
            memory = answer.memory.to(self.device)
            if not position:
                position.append(self.model.memory_encoder.position_encoding(memory.float()))
            pointer = answer.pointer.to(self.device)
            return {"maskmem_features": memory, "maskmem_pos_enc": position, "obj_ptr": pointer}

        # Answers of box propagation were never remembered.
        tracked = {k: output(answer) for k, answer in bank.tracked.items() if answer.memory is not None}
        prompted = {k: output(answer) for k, answer in bank.prompted.items()}
        return {"cond_frame_outputs": prompted, "non_cond_frame_outputs": tracked}

    def _points(self, prompts: SlicePrompts) -> dict[str, torch.Tensor] | None:
        """Points, and a box as its two corners before them, in the network's pixels."""
        places, labels = prompts.points.reshape(-1, 2), prompts.labels.astype(np.int32)
        if prompts.box is not None:
            places = np.vstack([np.asarray(prompts.box, np.float32).reshape(2, 2), places])
            labels = np.concatenate([np.asarray(_BOX_LABELS, np.int32), labels])
        if len(places) == 0:
            return None
        rows, columns = prompts.shape
        relative = torch.from_numpy(places.astype(np.float32)) / torch.tensor([columns, rows])
        return {
            "point_coords": (relative * self.model.image_size)[None].to(self.device),
            "point_labels": torch.from_numpy(labels)[None].to(self.device),
        }

    def _mask(self, mask: np.ndarray) -> torch.Tensor:
        full = torch.from_numpy(mask.astype(np.float32))[None, None].to(self.device)
        size = (self.model.image_size,) * 2
        if mask.shape == size:
            return full
        smooth = F.interpolate(full, size=size, align_corners=False, mode="bilinear", antialias=True)
        return (smooth >= 0.5).float()


@dataclass(frozen=True)
class Options:
    """Of every SAM 2."""

    image_size: int = option(0, "side of the network's input", "pixels; 0: its own", choices=(0, 512, 1024))
    precision: str = option("auto", "of the encoder and of memory attention", choices=PRECISION_CHOICES)
    encoder: str = option("torch", "what runs the image encoder on a CPU", choices=tuple(ENCODERS))


def load(id: str, weights: Path, device: str, options: dict[str, Any]) -> Sam2Engine:
    """The engine called `id` with a checkpoint."""
    chosen = build_options(Options, options, f"engine {id}")
    configuration = configurations()[id]
    size = chosen.image_size or configuration["image_size"]
    device = choose_device(device)
    precision = choose_precision(chosen.precision, device)
    model = build({**configuration, "image_size": size}, _MOST_PROMPTED)
    count = sum(parameter.numel() * parameter.element_size() for parameter in model.parameters())
    load_weights(model, read_checkpoint(weights), str(weights))
    model = speed_up(model.to(device), PRECISIONS[precision], chosen.encoder)
    how = {"image_size": size, "precision": precision, "encoder": chosen.encoder, "weights": file_hash(weights)}
    return Sam2Engine(id, model, {**how, "bytes": count})
