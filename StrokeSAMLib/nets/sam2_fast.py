"""The same SAM 2 function, sooner, on a CPU: what `sam2_model.build` made is changed in place, for inference only.

Nothing is approximated in float32. In bfloat16 the products of the encoder and of memory attention are rounded; the
heads and the memory encoder stay float32.
"""

from __future__ import annotations

from functools import partial

import torch
from sam2.modeling.sam2_base import SAM2Base

from StrokeSAMLib.nets.hiera_fast import FastEncoder
from StrokeSAMLib.nets.memory_attention_fast import FastMemoryAttention
from StrokeSAMLib.nets.packed import PackedLinear, QuantisedLinear, can_pack


def accelerate(model: SAM2Base, dtype: torch.dtype = torch.float32, int8: bool = False) -> SAM2Base:
    """`model` with its encoder and its memory attention replaced; call after its weights are loaded.

    Args:
        dtype: torch.float32, or torch.bfloat16 where the processor multiplies it natively.
        int8: the encoder's linear layers in 8 bits; see `int8_error` first.
    """
    layer = QuantisedLinear if int8 else partial(PackedLinear, dtype=dtype)
    encoder = FastEncoder(model, layer, dtype)
    model.forward_image = lambda image: {"backbone_fpn": encoder(image)}
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


def int8_error(model: SAM2Base) -> float:
    """How wrong 8 bits are on this processor: the relative error of an encoded image of noise, 0…1.

    Without VNNI the products saturate, and it is several times larger.
    """
    image = torch.linspace(-2, 2, 3 * model.image_size**2).sin().view(1, 3, model.image_size, model.image_size)
    with torch.inference_mode():
        wanted = model.forward_image(image)["backbone_fpn"][-1]
        found = FastEncoder(model, QuantisedLinear, torch.float32)(image)[-1]
        return float((found - wanted).norm() / wanted.norm())


def speed_up(model: SAM2Base, dtype: torch.dtype, int8: bool = False) -> SAM2Base:
    """`model` made as fast as its device allows in `dtype`; `int8` is for the encoder, on a CPU."""
    if model.device.type == "cpu" and can_pack():
        return accelerate(model, dtype, int8)
    return model if dtype == torch.float32 else lower_precision(model, dtype)
