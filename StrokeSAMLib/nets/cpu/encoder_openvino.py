"""SAM 2's image encoder through OpenVINO, for processors on which OpenVINO is faster than PyTorch."""

from __future__ import annotations

from collections.abc import Callable

import torch
from sam2.modeling.sam2_base import SAM2Base

from StrokeSAMLib.core.errors import OptionError

FeatureMaps = list[torch.Tensor]
_HINTS = {torch.float32: "f32", torch.bfloat16: "bf16"}
# The greatest error, as a part of a map's Euclidean norm: ten times the rounding of float32, and the rounding of
# bfloat16 in SAM 2's deepest map.
_MOST_ERROR = {torch.float32: 1e-4, torch.bfloat16: 0.15}


def openvino_encoder(model: SAM2Base, dtype: torch.dtype) -> Callable[[torch.Tensor], FeatureMaps]:
    """Compile the encoder of `model` for this processor and compare it with the original; takes some ten seconds.

    Args:
        model: on the CPU, with its weights, its layers not yet replaced.
        dtype: torch.float32 or torch.bfloat16, the precision of the matrix products.

    Returns:
        A function of an image, float32 (1, 3, row, column), that gives feature maps (1, channel, row, column) at
        strides 4, 8 and 16.

    Raises:
        OptionError: OpenVINO is not installed, or its results differ from the original's on this processor.
    """
    try:
        import openvino
    except ImportError:
        raise OptionError("option 'encoder' is openvino, which is not installed: pip install openvino") from None
    size = (1, 3, model.image_size, model.image_size)
    image = torch.linspace(-2, 2, size[-1]).sin().outer(torch.linspace(0, 9, size[-1]).cos()).expand(size).clone()
    with torch.inference_mode():
        expected = model.forward_image(image)["backbone_fpn"]
    network = openvino.convert_model(_ImageToMaps(model), example_input=image, input=list(size))
    settings = {"INFERENCE_PRECISION_HINT": _HINTS[dtype], "INFERENCE_NUM_THREADS": torch.get_num_threads()}
    compiled = openvino.Core().compile_model(network, "CPU", settings)

    def encode(image: torch.Tensor) -> FeatureMaps:
        outputs = compiled(image.numpy())
        return [torch.from_numpy(outputs[n].copy()) for n in range(len(expected))]

    error = max(float((a - b).norm() / b.norm()) for a, b in zip(encode(image), expected, strict=True))
    if not error <= _MOST_ERROR[dtype]:
        raise OptionError(f"option 'encoder': openvino errs by {error:.1%} on this processor; use encoder=torch")
    return encode


class _ImageToMaps(torch.nn.Module):
    """The encoder as a function of one tensor that returns tensors, as OpenVINO needs it."""

    def __init__(self, model: SAM2Base):
        super().__init__()
        self.model = model

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return tuple(self.model.forward_image(image)["backbone_fpn"])
