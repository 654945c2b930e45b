"""The networks that can be trained here."""

from __future__ import annotations

from torch import nn

from StrokeSAMLib.nets.models import compact_unet, prompt_unet

INPUT_CHANNELS = {**compact_unet.INPUT_CHANNELS, "prompt-unet": prompt_unet.INPUTS}


def build(id: str) -> nn.Module:
    """The network called `id`, a key of `INPUT_CHANNELS`, with random weights."""
    return prompt_unet.PromptUNet() if id == "prompt-unet" else compact_unet.build(id)
