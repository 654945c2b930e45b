"""The decoder of UNETR (Hatamizadeh et al. 2022, arXiv 2103.10504) on a ViT's hidden states, of MONAI's blocks."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from monai.networks.blocks.dynunet_block import UnetOutBlock
from monai.networks.blocks.unetr_block import UnetrBasicBlock, UnetrPrUpBlock, UnetrUpBlock
from torch import nn

_CLASSES = 2


class UnetrDecoder(nn.Module):
    """A decoder of four levels with `feature`, 2, 4 and 8 times `feature` channels.

    The finest level has 16 times as many rows and columns as the ViT's grid.

    Args:
        channels: channels of the image.
        width: channels of the hidden states.
        bottom: channels of the deepest features.
        feature: channels at full resolution.
        up: factors of each up-sampling, one for each spatial dimension.
        convolved: follow each later up-sampling of the hidden states by convolutions.
        leading_modules: a subclass's modules that come before the decoder's in its checkpoints, by name.
    """

    def __init__(
        self,
        channels: int,
        width: int,
        bottom: int,
        feature: int,
        up: tuple[int, ...],
        convolved: bool,
        **leading_modules: nn.Module,
    ):
        super().__init__()
        for name, module in leading_modules.items():
            self.add_module(name, module)
        dimensions = len(up)
        self.upsamples_within_slices = up == (1, 2, 2) and not convolved
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

    def decode(
        self,
        image: torch.Tensor,
        hidden: Iterable[torch.Tensor],
        bottom: torch.Tensor,
        prompts: Iterable[torch.Tensor] | None = None,
    ) -> torch.Tensor:
        """Predict logits (batch, 2, …) of the image's size.

        Args:
            image: (batch, channel, …).
            hidden: three hidden states, (batch, width, …), from shallow to deep.
            bottom: the deepest features, (batch, bottom, …).
            prompts: tensors to add to the three skips, in the same order; None adds nothing.
        """
        skips = self.skips(hidden, prompts)
        x = self.decoder5(bottom, skips[2])
        x = self.decoder4(x, skips[1])
        x = self.decoder3(x, skips[0])
        return self.out(self.decoder2(x, self.encoder1(image)))

    def skips(self, hidden: Iterable[torch.Tensor], prompts: Iterable[torch.Tensor] | None) -> list[torch.Tensor]:
        """The skips of the three coarser levels, from fine to coarse. The arguments are those of `decode`."""
        encoders = self.encoder2, self.encoder3, self.encoder4
        skips = (encoder(x) for encoder, x in zip(encoders, hidden, strict=True))
        return list(skips) if prompts is None else [skip + more for skip, more in zip(skips, prompts, strict=True)]
