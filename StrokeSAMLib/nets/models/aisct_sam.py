"""AISCT-SAM: SAM-Med2D's encoder on slices of a CT, prompted by the difference from its registered mirror image.

The network is written from a description. Parameter names and shapes are those of the published checkpoints.
"""

from __future__ import annotations

import torch
from torch import nn

from StrokeSAMLib.nets.models.adapters import adapted_block
from StrokeSAMLib.nets.models.layers import pop_each, to_slices, to_volumes
from StrokeSAMLib.nets.models.self_prompt import SelfPrompt
from StrokeSAMLib.nets.models.unetr import UnetrDecoder
from StrokeSAMLib.nets.models.vit import ImageEncoder

SIZE = 256
WIDTH, DEPTH, HEADS = 768, 12, 12
GLOBAL_BLOCKS = (2, 5, 8, 11)
EMBEDDING = 256


class AisctSam(nn.Module):
    """Predict logits of background and lesion from the normalised CT and its mirror image.

    Input and output are (batch, 2, z, 256, 256).
    """

    def __init__(self):
        super().__init__()
        self.image_encoder = ImageEncoder(WIDTH, DEPTH, HEADS, SIZE, global_blocks=GLOBAL_BLOCKS, block=adapted_block)
        self.mask_decoder = UnetrDecoder(1, WIDTH, EMBEDDING, feature=16, up=(1, 2, 2), convolved=False)
        self.spg = SelfPrompt((32, 64, 128, 256))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """See the class's summary."""
        depth = x.shape[2]
        difference, *prompts = self.spg(x[:, :1], x[:, 1:])
        blocks = enumerate(self.image_encoder.hidden(to_slices(x[:, :1]), depth))
        *hidden, last = (tokens for n, tokens in blocks if n in GLOBAL_BLOCKS)
        bottom = to_volumes(self.image_encoder.embedding(last), depth) + prompts.pop()
        skips = (_channels_as_tokens(to_volumes(tokens.permute(0, 3, 1, 2), depth)) for tokens in pop_each(hidden))
        return self.mask_decoder.decode(difference, skips, bottom, pop_each(prompts))


def _channels_as_tokens(x: torch.Tensor) -> torch.Tensor:
    """Reinterpret the memory of (batch, channel, z, y, x) as tokens, channels last; the shape stays the same.

    In training, UNETR's `proj_feat`, which expects tokens with channels last, was given channels first. It shuffles
    voxels and channels, always in the same way, and the checkpoints depend on it.
    """
    batch, channels, *grid = x.shape
    return x.contiguous().view(batch, *grid, channels).permute(0, 4, 1, 2, 3)
