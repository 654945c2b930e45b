"""SAM 2 prepared for fast inference: a model of `sam2_model.build` is changed in place.

On a CPU in float32 nothing is approximated. In bfloat16 the products of the encoder and of memory attention are
rounded; the heads and the memory encoder stay float32.
"""

from __future__ import annotations

import torch
from sam2.modeling.sam2_base import SAM2Base

from StrokeSAMLib.core.errors import OptionError
from StrokeSAMLib.nets.cpu.encoder_openvino import openvino_encoder
from StrokeSAMLib.nets.cpu.hiera_fast import FastEncoder
from StrokeSAMLib.nets.cpu.memory_attention_fast import FastMemoryAttention
from StrokeSAMLib.nets.cpu.onednn_linear import can_pack

ENCODERS = {"torch": FastEncoder, "openvino": openvino_encoder}


def speed_up(model: SAM2Base, dtype: torch.dtype, encoder: str = "torch", fast_layers: bool = True) -> SAM2Base:
    """Make `model` as fast as its device allows. In place, for inference only.

    Args:
        model: on its device, with its weights.
        dtype: torch.float32 or torch.bfloat16, the precision of the encoder and of memory attention.
        encoder: a key of `ENCODERS`, the software that runs the image encoder on a CPU.
        fast_layers: false keeps the sam2 package's own modules.

    Raises:
        OptionError: the encoder does not work here.
    """
    if model.device.type == "cpu" and fast_layers and can_pack(dtype):
        return put_fast_modules(model, dtype, encoder)
    if encoder != "torch":
        raise OptionError(f"option 'encoder' is {encoder}, which works on a CPU with fast_layers only")
    return model if dtype == torch.float32 else lower_precision(model, dtype)


def put_fast_modules(model: SAM2Base, dtype: torch.dtype = torch.float32, encoder: str = "torch") -> SAM2Base:
    """Replace the encoder and the memory attention of `model`, on a CPU, after its weights are loaded.

    Args:
        dtype: torch.float32, or torch.bfloat16 where the processor multiplies it natively.
        encoder: a key of `ENCODERS`.

    Raises:
        OptionError: the encoder does not work here.
    """
    encode = ENCODERS[encoder](model, dtype)
    # sam2 calls these methods by name, so they can be replaced on the instance.
    model.forward_image = lambda image: {"backbone_fpn": encode(image)}  # pyright: ignore[reportAttributeAccessIssue]
    model.memory_attention = FastMemoryAttention(model.memory_attention, dtype)
    # The neck stays for its table of positions. The replaced modules would take memory twice.
    del model.image_encoder.trunk, model.image_encoder.neck.convs
    return model


def lower_precision(model: SAM2Base, dtype: torch.dtype) -> SAM2Base:
    """Run the encoder and the memory attention of `model` under autocast, on any device; their outputs are float32."""
    encode, attend, device = model.forward_image, model.memory_attention.forward, model.device.type

    def encode_in_dtype(image: torch.Tensor) -> dict[str, list[torch.Tensor]]:
        with torch.autocast(device, dtype):
            return {"backbone_fpn": [level.float() for level in encode(image)["backbone_fpn"]]}

    def attend_in_dtype(**arguments: object) -> torch.Tensor:
        with torch.autocast(device, dtype):
            return attend(**arguments).float()

    model.forward_image = encode_in_dtype  # pyright: ignore[reportAttributeAccessIssue] # as in `put_fast_modules`
    model.memory_attention.forward = attend_in_dtype
    return model
