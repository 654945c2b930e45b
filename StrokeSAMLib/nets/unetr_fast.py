"""UNETR's decoder from slice to slice: the same function in half the memory, for inference on a CPU.

A volume is a list of its slices, (channel, row, column), each forgotten once the next volume's is made of it. Only
norms need a whole volume before they can go on, and hold no copy of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from monai.networks.blocks import UnetResBlock, UnetrUpBlock
from torch import nn

from StrokeSAMLib.nets.by_slice import SliceConvolution, threes
from StrokeSAMLib.nets.layers import taken
from StrokeSAMLib.nets.norms import Statistics
from StrokeSAMLib.nets.trim import trim

if TYPE_CHECKING:
    from StrokeSAMLib.nets.unetr import UnetrDecoder

Slices = list[torch.Tensor]


class SlicedDecoder(nn.Module):
    """A `UnetrDecoder` of three dimensions that up-samples within slices alone.

    Args:
        dtype: of convolutions and of what they make; norms are float32.
    """

    def __init__(self, decoder: UnetrDecoder, dtype: torch.dtype = torch.float32):
        super().__init__()
        self._decoder = decoder
        self._image = _Residual(decoder.encoder1.layer, dtype)
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
        volumes = [
            list(map(_slices, one)) for one in zip(image, *self._decoder.skips(hidden, prompts), bottom, strict=True)
        ]
        return torch.stack([self._decoded(one) for one in volumes])

    def _decoded(self, volumes: list[Slices]) -> torch.Tensor:
        """Of the image, the skips from fine to coarse, and the bottom, which are empty then."""
        image, *skips, x = volumes
        for level, skip in zip(self._coarse, reversed(skips), strict=True):
            x = level(x, skip)
        x = self._finest(x, self._image(taken(image)))
        return torch.stack([self._decoder.out(each[None, :, None].float())[0, :, 0] for each in x], dim=1)


class _Level:
    """A `UnetrUpBlock`: up-sampled, joined to the skip, convolved."""

    def __init__(self, block: UnetrUpBlock, dtype: torch.dtype):
        self._up = block.transp_conv.conv.weight.detach()[:, :, 0].to(dtype)
        self._residual = _Residual(block.conv_block, dtype)

    def __call__(self, x: Slices, skip: Slices) -> Slices:
        """`x` of half the rows and columns; both are empty then."""
        side = self._up.shape[-1]
        finer = (F.conv_transpose2d(each[None].to(self._up.dtype), self._up, stride=side)[0] for each in taken(x))
        return self._residual(torch.cat(both) for both in zip(finer, taken(skip), strict=True))


class _Residual:
    """A `UnetResBlock` that changes the number of channels."""

    def __init__(self, block: UnetResBlock, dtype: torch.dtype):
        self._dtype = dtype
        self._first, self._second = (SliceConvolution(each.conv, dtype) for each in (block.conv1, block.conv2))
        self._short = block.conv3.conv.weight.detach().flatten(1).to(dtype)
        self._slope = block.lrelu.negative_slope

    def __call__(self, slices: Iterable[torch.Tensor]) -> Slices:
        # What came before left free pieces between what stays, which would add to the peak.
        trim()
        first, short = [], []
        for three in threes(slices):
            first.append(self._first.middle(three))
            here = three[:, 1]
            short.append((self._short @ here.flatten(1).to(self._dtype)).unflatten(1, here.shape[1:]))
        second = list(self._second(F.leaky_relu_(each, self._slope) for each in _normed(first)))
        return [
            F.leaky_relu_(long + straight, self._slope).to(self._dtype)
            for long, straight in zip(_normed(second), _normed(short), strict=True)
        ]


def _normed(slices: Slices) -> Iterator[torch.Tensor]:
    """Each slice, float32, each channel normed over all of them; the list is empty then."""
    scale = Statistics.of_all(Statistics.of(each.flatten(1).float()) for each in slices).scale()
    factor, summand = (each[..., None] for each in scale)
    return (each.float() * factor + summand for each in taken(slices))


def _slices(volume: torch.Tensor) -> Slices:
    """Of (channel, z, row, column)."""
    return list(volume.unbind(1))
