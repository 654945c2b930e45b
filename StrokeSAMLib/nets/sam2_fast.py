"""The same SAM 2 function, sooner, on a CPU: what `sam2_model.build` made is changed in place, for inference only.

Nothing is approximated in float32. In bfloat16 the products of the encoder and of memory attention are rounded; the
heads and the memory encoder stay float32.
"""

from __future__ import annotations

import torch
from sam2.modeling.sam2_base import SAM2Base

from StrokeSAMLib.errors import OptionError
from StrokeSAMLib.nets.encoder_openvino import openvino_encoder
from StrokeSAMLib.nets.hiera_fast import FastEncoder
from StrokeSAMLib.nets.memory_attention_fast import FastMemoryAttention
from StrokeSAMLib.nets.packed import can_pack

ENCODERS = {"torch": FastEncoder, "openvino": openvino_encoder}


def accelerate(model: SAM2Base, dtype: torch.dtype = torch.float32, encoder: str = "torch") -> SAM2Base:
    """`model` with its encoder and its memory attention replaced; call after its weights are loaded.

    Args:
        dtype: torch.float32, or torch.bfloat16 where the processor multiplies it natively.
        encoder: of `ENCODERS`.

    Raises:
        OptionError: that encoder does not work here.
    """
    encode = ENCODERS[encoder](model, dtype)
    model.forward_image = lambda image: {"backbone_fpn": encode(image)}
    model.memory_attention = FastMemoryAttention(model.memory_attention, dtype)
    # The neck stays for its table of positions; the rest of the original is not needed twice.
    del model.image_encoder.trunk, model.image_encoder.neck.convs
    return model


def lower_precision(model: SAM2Base, dtype: torch.dtype) -> SAM2Base:
    """`model`, on any device, with its encoder and its memory attention under autocast; what they give is float32."""
    encode, attend, device = model.forward_image, model.memory_attention.forward, model.device.type

    def encoded(image: torch.Tensor) -> dict[str, list[torch.Tensor]]:
        with torch.autocast(device, dtype):
            return {"backbone_fpn": [level.float() for level in encode(image)["backbone_fpn"]]}

    def attended(**arguments: object) -> torch.Tensor:
        with torch.autocast(device, dtype):
            return attend(**arguments).float()

    model.forward_image, model.memory_attention.forward = encoded, attended
    return model


def speed_up(model: SAM2Base, dtype: torch.dtype, encoder: str = "torch") -> SAM2Base:
    """`model` made as fast as its device allows in `dtype`; `encoder` says with what, on a CPU."""
    if model.device.type == "cpu" and can_pack():
        return accelerate(model, dtype, encoder)
    if encoder != "torch":
        raise OptionError(f"option 'encoder' is {encoder}, which is for the CPU")
    return model if dtype == torch.float32 else lower_precision(model, dtype)
