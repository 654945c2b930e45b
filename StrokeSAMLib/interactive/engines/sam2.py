"""SAM 2.1 and MedSAM2: the image encoder, the prompted head and the memory of a video model, slice by slice.

The networks are those of the `sam2` package. The package's video predictor keeps one encoded image, loads each slice as
float32 from JPEG files, and loses a click on a slice that it has tracked. This engine leaves the features to the
caller, takes the volume's own 8-bit slices, and makes each prompted slice a conditioning slice. With the same prompts
the masks are the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from sam2.modeling.sam2_base import SAM2Base

from StrokeSAMLib.core.files import file_hash
from StrokeSAMLib.core.memory import release_memory
from StrokeSAMLib.core.options import build_options, option
from StrokeSAMLib.interactive.engines.base import MemoryBank, PropagationContext, Spacing
from StrokeSAMLib.interactive.engines.boxes import box_on_square
from StrokeSAMLib.interactive.engines.packed_mask import PackedMask
from StrokeSAMLib.interactive.features.footprint import MIB, Footprint
from StrokeSAMLib.interactive.features.own_pages import in_own_pages
from StrokeSAMLib.interactive.slice_prompts import SlicePrompts
from StrokeSAMLib.nets.cpu.sam2_fast import ENCODERS, speed_up
from StrokeSAMLib.nets.devices import choose_device, inference
from StrokeSAMLib.nets.models.sam2_model import build, configurations
from StrokeSAMLib.nets.options import PRECISION_CHOICES, fast_layers_option
from StrokeSAMLib.nets.precision import PRECISIONS, choose_precision, precision_note
from StrokeSAMLib.weights.checkpoint import load_weights, read_checkpoint

# Mean and standard deviation of ImageNet's channels, with which every SAM was trained.
_MEAN, _SD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
# The package's bound on logits that are used as a prompt.
_MOST_LOGIT = 32.0
# Enlargement of the next slice's box on each side, pixels of the network's input, as in MedSAM2's scripts.
_BOX_SHIFT = 5.0
# The number of conditioning slices that memory attention uses, the nearest ones. Without a limit, memory and time would
# grow with each correction.
_MOST_PROMPTED = 4
# Labels of a box's low and high corner as points.
_BOX_LABELS = (2, 3)
# Bytes of the tiny network's weights, for which the footprint was measured; larger networks are scaled from it.
_TINY_WEIGHTS = 38_962_498 * 4


@dataclass(frozen=True, eq=False)
class Sam2Features:
    """The features of an encoded slice: maps at strides 4, 8 and 16, (1, channel, row, column)."""

    maps: tuple[torch.Tensor, ...]

    @property
    def nbytes(self) -> int:
        """See `Features.nbytes`."""
        return sum(level.numel() * level.element_size() for level in self.maps)

    def to(self, device: str) -> Sam2Features:
        """See `Features.to`."""
        return Sam2Features(tuple(level.to(device) for level in self.maps))

    def __reduce__(self) -> tuple[Any, ...]:
        return _from_arrays, tuple(level.numpy() for level in self.maps)


def _from_arrays(*maps: np.ndarray) -> Sam2Features:
    return Sam2Features(tuple(torch.from_numpy(level) for level in maps))


@dataclass(eq=False)
class Sam2Prediction:
    """A prediction on one slice, with its memory for other slices.

    Attributes:
        logits: logits at a quarter of the input's size, (1, 1, row, column).
        pointer: object pointer, (1, 256): the object as one vector.
        score: object score, (1, 1): a logit of the object's presence on the slice.
        memory: memory features, bfloat16 (1, 64, row, column); on a prompted slice they are encoded on first use.
    """

    logits: torch.Tensor
    pointer: torch.Tensor
    score: torch.Tensor
    memory: torch.Tensor | None = None
    _mask: PackedMask | None = field(default=None, repr=False)

    def mask(self, shape: tuple[int, int]) -> np.ndarray:
        """See `Prediction.mask`: the pixels whose logits, resampled bilinearly, are above 0."""
        if self._mask is None or self._mask.shape != shape:
            self._mask = PackedMask.pack(self._threshold(shape))
        return self._mask.unpack()

    def _threshold(self, shape: tuple[int, int]) -> np.ndarray:
        with torch.inference_mode():
            full = F.interpolate(self.logits.float(), size=shape, mode="bilinear", align_corners=False)
            return (full[0, 0] > 0).cpu().numpy()


class Sam2Engine:
    """An engine with a SAM 2 network. It keeps no state of a session."""

    accepts = frozenset({"point", "box", "mask"})
    tracks = True

    def __init__(
        self,
        id: str,
        model: SAM2Base,
        description: Mapping[str, Any] | None = None,
        notes: tuple[str, ...] = (),
    ):
        self.id = id
        self.notes = notes
        self.model = model
        self._description = dict(description or {})
        self._weights = int(self._description.pop("bytes", _TINY_WEIGHTS))
        self._mean = torch.tensor(_MEAN, device=self.device).view(1, 3, 1, 1)
        self._sd = torch.tensor(_SD, device=self.device).view(1, 3, 1, 1)
        release_memory()  # left over from packing the weights

    @property
    def device(self) -> torch.device:
        """The device of the network."""
        return self.model.device

    @inference
    def encode(self, pixels: np.ndarray, spacing: Spacing) -> Sam2Features:
        """See `Engine.encode`."""
        size = self.model.image_size
        grey = np.ascontiguousarray(pixels)
        if grey.shape != (size, size):
            grey = np.asarray(Image.fromarray(grey).resize((size, size)))  # bicubic, as in the package's loader
        image = torch.from_numpy(grey.copy()).to(self.device).float().div_(255)
        return self.encode_image((image.expand(1, 3, size, size) - self._mean) / self._sd)

    @inference
    def encode_image(self, image: torch.Tensor) -> Sam2Features:
        """The features of a normalised image of the network's size, Float32 (1, 3, row, column)."""
        output = self.model.forward_image(image)
        return Sam2Features(tuple(in_own_pages(level) for level in output["backbone_fpn"]))

    @inference
    def predict(
        self,
        features: Sam2Features,
        prompts: SlicePrompts,
        previous: Sam2Prediction | None = None,
        context: PropagationContext | None = None,
    ) -> Sam2Prediction:
        """See `Engine.predict`."""
        points = self._points(prompts)
        mask = self._mask(prompts.mask) if points is None and prompts.mask is not None else None
        previous_logits = None
        if previous is not None and points is not None:
            previous_logits = previous.logits.to(self.device).clamp(-_MOST_LOGIT, _MOST_LOGIT)
        return self._step(features, context, points=points, mask=mask, previous_logits=previous_logits)

    @inference
    def follow(self, features: Sam2Features, neighbour: Sam2Prediction, shape: tuple[int, int]) -> Sam2Prediction:
        """See `Engine.follow`; the box of the next slice is that of MedSAM2's scripts."""
        box = box_on_square(neighbour.mask(shape), self.model.image_size, _BOX_SHIFT)
        return self.predict(features, SlicePrompts(shape, box=box))

    @inference
    def remember(self, features: Sam2Features, prediction: Sam2Prediction) -> None:
        """See `TrackingEngine.remember`."""
        if prediction.memory is not None:
            return
        size, logits = (self.model.image_size,) * 2, prediction.logits.to(self.device)
        memory, _ = self.model._encode_new_memory(
            *self._current(features)[::2],
            pred_masks_high_res=F.interpolate(logits, size=size, mode="bilinear", align_corners=False),
            object_score_logits=prediction.score.to(self.device),
            is_mask_from_pts=True,
        )
        prediction.memory = memory.to(torch.bfloat16)

    @inference
    def track(self, features: Sam2Features, context: PropagationContext) -> Sam2Prediction:
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
            prediction=int(0.3 * scale * MIB),
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
        context: PropagationContext | None,
        points: dict[str, torch.Tensor] | None = None,
        mask: torch.Tensor | None = None,
        previous_logits: torch.Tensor | None = None,
        remember: bool = False,
    ) -> Sam2Prediction:
        current, positions, sizes = self._current(features)
        output = self.model.track_step(
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
            prev_sam_mask_logits=previous_logits,
        )
        memory = None
        if remember:
            # The package stores the memory in bfloat16 on every device, so the rounding is part of its result.
            memory = in_own_pages(output["maskmem_features"].to(torch.bfloat16))
        return Sam2Prediction(
            in_own_pages(output["pred_masks"]), output["obj_ptr"], output["object_score_logits"], memory
        )

    def _current(self, features: Sam2Features) -> tuple[list[torch.Tensor], list[torch.Tensor], list[tuple[int, ...]]]:
        """The feature maps and position encodings as (row · column, 1, channel), and the sizes of the maps."""
        flat = [level.flatten(2).permute(2, 0, 1) for level in features.maps]
        # The network uses the position encoding of the coarsest level only.
        position = self.model.image_encoder.neck.position_encoding(features.maps[-1])
        positions = [position.flatten(2).permute(2, 0, 1)]
        return flat, positions, [tuple(level.shape[-2:]) for level in features.maps]

    def _outputs(self, bank: MemoryBank) -> dict[str, dict[int, dict[str, Any]]]:
        """The memory bank as the network's `track_step` takes it."""

        position: list[torch.Tensor] = []  # the same for all slices

        def output(prediction: Sam2Prediction) -> dict[str, Any]:
            memory = cast(torch.Tensor, prediction.memory).to(self.device)
            if not position:
                position.append(self.model.memory_encoder.position_encoding(memory.float()))
            pointer = prediction.pointer.to(self.device)
            return {"maskmem_features": memory, "maskmem_pos_enc": position, "obj_ptr": pointer}

        own_tracked = cast(Mapping[int, Sam2Prediction], bank.tracked)
        own_prompted = cast(Mapping[int, Sam2Prediction], bank.prompted)
        # Predictions of box propagation have no memory.
        tracked = {k: output(each) for k, each in own_tracked.items() if each.memory is not None}
        prompted = {k: output(each) for k, each in own_prompted.items()}
        return {"cond_frame_outputs": prompted, "non_cond_frame_outputs": tracked}

    def _points(self, prompts: SlicePrompts) -> dict[str, torch.Tensor] | None:
        """The points in pixels of the input, after the two corners of the box; None without either."""
        positions, labels = prompts.points.reshape(-1, 2), prompts.labels.astype(np.int32)
        if prompts.box is not None:
            positions = np.vstack([np.asarray(prompts.box, np.float32).reshape(2, 2), positions])
            labels = np.concatenate([np.asarray(_BOX_LABELS, np.int32), labels])
        if len(positions) == 0:
            return None
        rows, columns = prompts.shape
        relative = torch.from_numpy(positions.astype(np.float32)) / torch.tensor([columns, rows])
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
    """Options of every SAM 2."""

    image_size: int = option(0, "side of the network's input; 0: the network's own", "pixels", choices=(0, 512, 1024))
    precision: str = option("auto", "precision of the image encoder and of memory attention", choices=PRECISION_CHOICES)
    encoder: str = option("torch", "library that runs the image encoder on a CPU", choices=tuple(ENCODERS))
    fast_layers: bool = fast_layers_option()


def load(id: str, weights: Path, device: str, options: dict[str, Any]) -> Sam2Engine:
    """Load engine `id` with the checkpoint `weights`."""
    chosen = build_options(Options, options, f"engine {id}")
    configuration = configurations()[id]
    size = chosen.image_size or configuration["image_size"]
    device = choose_device(device)
    precision = choose_precision(chosen.precision, device)
    model = build({**configuration, "image_size": size}, _MOST_PROMPTED)
    size_bytes = sum(parameter.numel() * parameter.element_size() for parameter in model.parameters())
    load_weights(model, read_checkpoint(weights), str(weights))
    model = speed_up(model.to(device), PRECISIONS[precision], chosen.encoder, chosen.fast_layers)
    settings = {**asdict(chosen), "image_size": size, "precision": precision}
    notes = precision_note(chosen.precision, precision, device)
    return Sam2Engine(id, model, {**settings, "weights": file_hash(weights), "bytes": size_bytes}, tuple(notes))
