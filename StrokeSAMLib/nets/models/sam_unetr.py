"""SAM-UNETR, version 2: SAM's ViT-H on slices of a prostate MR, with UNETR's decoder.

Version 1 is left out: it created layers with random weights at every call, which no checkpoint contains.
"""

from __future__ import annotations

import torch

from StrokeSAMLib.nets.models.unetr import UnetrDecoder
from StrokeSAMLib.nets.models.vit import ImageEncoder

SIZE = 128
_CHANNELS = 5
# The blocks that attend to the full image; the decoder takes their outputs.
_GLOBAL_BLOCKS = (7, 15, 23, 31)


class SamUnetr(UnetrDecoder):
    """(slice, 5, 128, 128): T2W, ADC, high-b DWI, central and peripheral zone → logits (slice, 2, 128, 128).

    Args:
        width, depth, heads: channels, blocks and attention heads of the ViT; by default ViT-H's.
        feature: channels at full resolution.
    """

    image_encoder_vit: ImageEncoder

    def __init__(self, width: int = 1280, depth: int = 32, heads: int = 16, feature: int = 20):
        encoder = ImageEncoder(width, depth, heads, SIZE, global_blocks=_GLOBAL_BLOCKS, channels=_CHANNELS)
        super().__init__(_CHANNELS, width, width, feature, up=(2, 2), convolved=True, image_encoder_vit=encoder)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Predict logits of background and lesion. The checkpoints contain the encoder's neck, which is not used."""
        blocks = enumerate(self.image_encoder_vit.hidden(x))
        *skips, bottom = (tokens.permute(0, 3, 1, 2) for n, tokens in blocks if n in _GLOBAL_BLOCKS)
        return self.decode(x, skips, bottom)
