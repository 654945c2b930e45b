"""UNETR's decoder slice by slice: the same function in half the memory, for inference on a CPU.

A volume is a list of its slices, (channel, row, column). Each slice is freed when the next volume's slice is computed
from it. Only norms need a complete volume before they can continue, and they do not copy it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, cast

import torch
import torch.nn.functional as F
from monai.networks.blocks.dynunet_block import UnetResBlock
from monai.networks.blocks.unetr_block import UnetrUpBlock
from torch import nn

from StrokeSAMLib.core.memory import release_memory
from StrokeSAMLib.nets.cpu.streaming_convolution import SliceConvolution, neighbouring_slices
from StrokeSAMLib.nets.cpu.streaming_norms import NormStatistics
from StrokeSAMLib.nets.models.layers import pop_each

if TYPE_CHECKING:
    from StrokeSAMLib.nets.models.unetr import UnetrDecoder

Slices = list[torch.Tensor]


class SlicedDecoder(nn.Module):
    """A `UnetrDecoder` of three dimensions that up-samples within slices only.

    Args:
        decoder: the decoder; its weights are copied where `dtype` differs from theirs.
        dtype: torch.float32 or torch.bfloat16, the precision of convolutions and of their outputs. Norms are float32.
    """

    def __init__(self, decoder: UnetrDecoder, dtype: torch.dtype = torch.float32):
        super().__init__()
        self._decoder = decoder
        self._image = _ResidualBlock(cast(UnetResBlock, decoder.encoder1.layer), dtype)
        self._coarse = [_Level(block, dtype) for block in (decoder.decoder5, decoder.decoder4, decoder.decoder3)]
        self._finest = _Level(decoder.decoder2, dtype)

    def decode(
        self,
        image: torch.Tensor,
        hidden: Iterable[torch.Tensor],
        bottom: torch.Tensor,
        prompts: Iterable[torch.Tensor] | None = None,
    ) -> torch.Tensor:
        """See `UnetrDecoder.decode`."""
        # The skips get no name here: their memory is freed while the slices are decoded.
        cases = [
            list(map(_slices, case)) for case in zip(image, *self._decoder.skips(hidden, prompts), bottom, strict=True)
        ]
        return torch.stack([self._decode_one(case) for case in cases])

    def _decode_one(self, volumes: list[Slices]) -> torch.Tensor:
        """Decode one entry of the batch: the image, the skips from fine to coarse, the bottom. Empties the lists."""
        image, *skips, x = volumes
        for level, skip in zip(self._coarse, reversed(skips), strict=True):
            x = level(x, skip)
        x = self._finest(x, self._image(pop_each(image)))
        return torch.stack([self._decoder.out(each[None, :, None].float())[0, :, 0] for each in x], dim=1)


class _Level:
    """A `UnetrUpBlock`: up-sampling, concatenation with the skip, convolutions."""

    def __init__(self, block: UnetrUpBlock, dtype: torch.dtype):
        self._up = cast(nn.ConvTranspose3d, block.transp_conv.conv).weight.detach()[:, :, 0].to(dtype)
        self._residual = _ResidualBlock(cast(UnetResBlock, block.conv_block), dtype)

    def __call__(self, x: Slices, skip: Slices) -> Slices:
        """`x` has half the rows and columns of `skip`. Both lists are empty afterwards."""
        side = self._up.shape[-1]
        finer = (F.conv_transpose2d(each[None].to(self._up.dtype), self._up, stride=side)[0] for each in pop_each(x))
        return self._residual(torch.cat(both) for both in zip(finer, pop_each(skip), strict=True))


class _ResidualBlock:
    """A `UnetResBlock` that changes the number of channels."""

    def __init__(self, block: UnetResBlock, dtype: torch.dtype):
        self._dtype = dtype
        convolutions = (cast(nn.Conv3d, each.conv) for each in (block.conv1, block.conv2))
        self._first, self._second = (SliceConvolution(each, dtype) for each in convolutions)
        self._shortcut = cast(nn.Conv3d, block.conv3.conv).weight.detach().flatten(1).to(dtype)
        self._slope = cast(nn.LeakyReLU, block.lrelu).negative_slope

    def __call__(self, slices: Iterable[torch.Tensor]) -> Slices:
        # Earlier steps leave free memory in small pieces, which would add to the peak.
        release_memory()
        first, shortcut = [], []
        for three in neighbouring_slices(slices):
            first.append(self._first.convolve_middle(three))
            middle = three[:, 1]
            shortcut.append((self._shortcut @ middle.flatten(1).to(self._dtype)).unflatten(1, middle.shape[1:]))
        second = list(self._second(F.leaky_relu_(each, self._slope) for each in _normalised(first)))
        return [
            F.leaky_relu_(residual + short, self._slope).to(self._dtype)
            for residual, short in zip(_normalised(second), _normalised(shortcut), strict=True)
        ]


def _normalised(slices: Slices) -> Iterator[torch.Tensor]:
    """Yield each slice in float32, its channels normalised over all slices. The list is empty afterwards."""
    volume = NormStatistics.combined(NormStatistics.of_piece(each.flatten(1).float()) for each in slices)
    factor, summand = (each[..., None] for each in volume.factor_and_summand())
    return (each.float() * factor + summand for each in pop_each(slices))


def _slices(volume: torch.Tensor) -> Slices:
    """The slices of (channel, z, row, column)."""
    return list(volume.unbind(1))
