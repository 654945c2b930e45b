"""Layers in NumPy against PyTorch's."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
import torch.nn.functional as F

from StrokeSAMLib.nets.plain import layers


def random(*shape):
    return np.random.default_rng(sum(shape)).standard_normal(shape, dtype=np.float32)


@pytest.mark.parametrize("kernel", [(3, 3, 3), (1, 3, 3), (1, 1, 1), (3, 1, 1)])
@pytest.mark.parametrize("stride", [(1, 1, 1), (2, 2, 2), (1, 2, 2), (2, 1, 1)])
@pytest.mark.parametrize("size", [(8, 6, 10), (5, 7, 3), (1, 2, 2)])
def test_a_convolution_equals_torchs(kernel, stride, size):
    x, weight, bias = random(3, *size), random(4, 3, *kernel), random(4)
    padding = [side // 2 for side in kernel]
    expected = F.conv3d(*(torch.from_numpy(each) for each in (x[None], weight, bias)), stride, padding)[0].numpy()
    np.testing.assert_allclose(layers.convolve(x, weight, bias, stride), expected, atol=1e-5)


def test_a_convolution_in_several_blocks_equals_one_in_a_single_block(monkeypatch):
    x, weight = random(3, 9, 6, 5), random(4, 3, 3, 3, 3)
    whole = layers.convolve(x, weight, None, (2, 1, 1))
    monkeypatch.setattr(layers, "_BLOCK", 1)
    np.testing.assert_allclose(layers.convolve(x, weight, None, (2, 1, 1)), whole, atol=1e-5)


def test_group_norm_equals_torchs():
    x, weight, bias = 5 + random(8, 3, 4, 5), random(8), random(8)
    expected = F.group_norm(torch.from_numpy(x)[None], 4, torch.from_numpy(weight), torch.from_numpy(bias))[0]
    np.testing.assert_allclose(layers.group_norm(x.copy(), weight, bias, 4), expected.numpy(), atol=1e-5)


@pytest.mark.parametrize("size", [(4, 6, 10), (3, 7, 5), (8, 3, 5)])
def test_enlarging_equals_torchs(size):
    x = random(2, 3, 3, 5)
    for ours, mode in ((layers.nearest, {}), (layers.linear, {"mode": "trilinear", "align_corners": False})):
        expected = F.interpolate(torch.from_numpy(x)[None], size=size, **mode)[0].numpy()
        np.testing.assert_allclose(ours(x, size), expected, atol=1e-5)
