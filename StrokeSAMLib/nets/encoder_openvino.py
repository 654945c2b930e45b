"""SAM 2's image encoder through OpenVINO, for processors that it serves better than PyTorch does."""

from __future__ import annotations

from collections.abc import Callable

import torch
from sam2.modeling.sam2_base import SAM2Base

from StrokeSAMLib.errors import OptionError

Maps = list[torch.Tensor]
_HINTS = {torch.float32: "f32", torch.bfloat16: "bf16"}
# Of the maps' Euclidean norm: rounding, ten times over; bfloat16 in the deepest of SAM 2's maps.
_MOST_ERROR = {torch.float32: 1e-4, torch.bfloat16: 0.15}


def openvino_encoder(model: SAM2Base, dtype: torch.dtype) -> Callable[[torch.Tensor], Maps]:
    """The encoder of `model` compiled for this processor, and compared with the original; takes some ten seconds.

    Args:
        model: on the CPU, with its weights, not yet made faster.
        dtype: of the products.

    Returns:
        Image, float32 (1, 3, row, column), to feature maps (1, channel, row, column) at strides 4, 8 and 16.

    Raises:
        OptionError: OpenVINO is not installed, or gives something else than the original here.
    """
    try:
        import openvino
    except ImportError:
        raise OptionError("option 'encoder' is openvino, which is not installed: pip install openvino") from None
    size = (1, 3, model.image_size, model.image_size)
    image = torch.linspace(-2, 2, size[-1]).sin().outer(torch.linspace(0, 9, size[-1]).cos()).expand(size).clone()
    with torch.inference_mode():
        wanted = model.forward_image(image)["backbone_fpn"]
    network = openvino.convert_model(_Encoder(model), example_input=image, input=list(size))
    settings = {"INFERENCE_PRECISION_HINT": _HINTS[dtype], "INFERENCE_NUM_THREADS": torch.get_num_threads()}
    compiled = openvino.Core().compile_model(network, "CPU", settings)

    def encode(image: torch.Tensor) -> Maps:
        found = compiled(image.numpy())
        return [torch.from_numpy(found[n].copy()) for n in range(len(wanted))]

    worst = max(float((a - b).norm() / b.norm()) for a, b in zip(encode(image), wanted, strict=True))
    if not worst <= _MOST_ERROR[dtype]:
        raise OptionError(f"option 'encoder': openvino errs by {worst:.1%} on this processor; use encoder=torch")
    return encode


class _Encoder(torch.nn.Module):
    """What is to be compiled: tensor to tensors."""

    def __init__(self, model: SAM2Base):
        super().__init__()
        self.model = model

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return tuple(self.model.forward_image(image)["backbone_fpn"])
