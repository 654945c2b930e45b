"""SAM-UNETR, version 2: SAM's ViT-H on slices of prostate MR, with UNETR's decoder; and the import of SAM's weights.

Version 1 is left out: it made layers with random weights at every call, which no checkpoint holds.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F

from StrokeSAMLib.nets.unetr import UnetrDecoder
from StrokeSAMLib.nets.vit import ImageEncoder

SIZE = 128
CHANNELS = 5
_HIDDEN = (7, 15, 23, 31)
_ENCODER = "image_encoder."


class SamUnetr(UnetrDecoder):
    """(slice, 5, 128, 128): T2W, ADC, high-b DWI, central and peripheral zone → logits (slice, 2, 128, 128).

    Args:
        width, depth, heads: of the ViT; ViT-H's.
        feature: channels at full resolution.
    """

    def __init__(self, width: int = 1280, depth: int = 32, heads: int = 16, feature: int = 20):
        encoder = ImageEncoder(width, depth, heads, SIZE, whole=_HIDDEN, channels=CHANNELS)
        super().__init__(CHANNELS, width, width, feature, up=(2, 2), convolved=True, image_encoder_vit=encoder)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """See the class. The encoder's neck is in the checkpoints, and unused."""
        blocks = enumerate(self.image_encoder_vit.hidden(x))
        *skips, bottom = (tokens.permute(0, 3, 1, 2) for n, tokens in blocks if n in _HIDDEN)
        return self.decode(x, skips, bottom)


def import_sam(state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The encoder's weights for SAM-UNETR from a checkpoint of SAM ViT-H, keys as `image_encoder_vit`'s own.

    Positions are interpolated to the smaller grid, and the patches' three channels, as a depth, to five.
    """
    taken = {key.removeprefix(_ENCODER): value for key, value in state.items() if key.startswith(_ENCODER)}
    side = SIZE // 16
    taken["pos_embed"] = resized_positions(taken["pos_embed"], side)
    taken["patch_embed.proj.weight"] = resized_channels(taken["patch_embed.proj.weight"], CHANNELS)
    for block in _HIDDEN:
        for axis in "hw":
            key = f"blocks.{block}.attn.rel_pos_{axis}"
            taken[key] = resized_table(taken[key], 2 * side - 1)
    return taken


def resized_positions(positions: torch.Tensor, side: int) -> torch.Tensor:
    """(1, row, column, width) → (1, side, side, width)."""
    maps = positions.permute(0, 3, 1, 2)
    return F.interpolate(maps, (side, side), mode="bilinear", align_corners=False).permute(0, 2, 3, 1)


def resized_table(table: torch.Tensor, length: int) -> torch.Tensor:
    """Relative positions, (distance, width) → (length, width)."""
    size = (length, table.shape[1])
    return F.interpolate(table[None, None], size, mode="bilinear", align_corners=False)[0, 0]


def resized_channels(weight: torch.Tensor, channels: int) -> torch.Tensor:
    """(width, channel, row, column) of a patch embedding, for another number of channels."""
    size = (channels, *weight.shape[2:])
    return F.interpolate(weight[:, None], size, mode="trilinear", align_corners=False)[:, 0]
