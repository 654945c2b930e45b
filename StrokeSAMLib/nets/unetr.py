"""The decoder of UNETR (Hatamizadeh et al. 2022, arXiv 2103.10504) of MONAI's blocks, on a ViT's hidden states."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from monai.networks.blocks import UnetOutBlock, UnetrBasicBlock, UnetrPrUpBlock, UnetrUpBlock
from torch import nn

from StrokeSAMLib.nets.unetr_fast import SlicedDecoder

_CLASSES = 2


class UnetrDecoder(nn.Module):
    """Four levels of `feature`, 2, 4 and 8 times `feature` channels over the ViT's grid, 16 times finer at the top.

    Args:
        channels: of the image.
        width, bottom: channels of the hidden states, and of the deepest.
        feature: channels at full resolution.
        up: factors of each up-sampling; their number is that of the spatial dimensions.
        convolved: whether the hidden states' later up-samplings are each followed by convolutions.
        before: modules that come first in a subclass's checkpoints.
    """

    def __init__(
        self,
        channels: int,
        width: int,
        bottom: int,
        feature: int,
        up: tuple[int, ...],
        convolved: bool,
        **before: nn.Module,
    ):
        super().__init__()
        for name, module in before.items():
            self.add_module(name, module)
        dimensions = len(up)
        self._within_slices = up == (1, 2, 2) and not convolved
        shared = {"kernel_size": 3, "norm_name": "instance", "res_block": True}
        skips = {"num_layer": 0, "stride": 1, "upsample_kernel_size": up, "conv_block": convolved, **shared}
        self.encoder1 = UnetrBasicBlock(dimensions, channels, feature, stride=1, **shared)
        self.encoder2 = UnetrPrUpBlock(dimensions, width, 2 * feature, **{**skips, "num_layer": 2})
        self.encoder3 = UnetrPrUpBlock(dimensions, width, 4 * feature, **{**skips, "num_layer": 1})
        self.encoder4 = UnetrPrUpBlock(dimensions, width, 8 * feature, **skips)
        self.decoder5 = UnetrUpBlock(dimensions, bottom, 8 * feature, upsample_kernel_size=up, **shared)
        self.decoder4 = UnetrUpBlock(dimensions, 8 * feature, 4 * feature, upsample_kernel_size=up, **shared)
        self.decoder3 = UnetrUpBlock(dimensions, 4 * feature, 2 * feature, upsample_kernel_size=up, **shared)
        self.decoder2 = UnetrUpBlock(dimensions, 2 * feature, feature, upsample_kernel_size=up, **shared)
        self.out = UnetOutBlock(dimensions, feature, _CLASSES)

    def packed(self, dtype: torch.dtype) -> nn.Module:
        """The same for inference on a CPU, see `packed.pack_layers`."""
        return SlicedDecoder(self, dtype) if self._within_slices else self

    def decode(
        self,
        image: torch.Tensor,
        hidden: Iterable[torch.Tensor],
        bottom: torch.Tensor,
        prompts: Iterable[torch.Tensor] | None = None,
    ) -> torch.Tensor:
        """Logits, of the image's size.

        Args:
            image: (batch, channel, …).
            hidden: three, (batch, width, …), from shallow to deep.
            bottom: the deepest, (batch, bottom, …).
            prompts: what is added to the three skips, in their order; None: nothing.
        """
        skips = self.skips(hidden, prompts)
        x = self.decoder5(bottom, skips[2])
        x = self.decoder4(x, skips[1])
        x = self.decoder3(x, skips[0])
        return self.out(self.decoder2(x, self.encoder1(image)))

    def skips(self, hidden: Iterable[torch.Tensor], prompts: Iterable[torch.Tensor] | None) -> list[torch.Tensor]:
        """What the levels join, from fine to coarse, but for the image's own; of `decode`'s arguments."""
        encoders = self.encoder2, self.encoder3, self.encoder4
        skips = (encoder(x) for encoder, x in zip(encoders, hidden, strict=True))
        return list(skips) if prompts is None else [skip + more for skip, more in zip(skips, prompts, strict=True)]
