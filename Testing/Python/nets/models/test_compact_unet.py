"""The compact U-Net."""

import pytest
import torch

from StrokeSAMLib.lesion.network_inputs import SIDE_MULTIPLE
from StrokeSAMLib.nets.models.compact_unet import build


@pytest.mark.parametrize(("id", "channels"), [("ncct-unet", 3), ("dwi-unet", 2)])
def test_the_network_is_small_and_accepts_any_multiple_of_its_strides(id, channels):
    network = build(id)
    assert sum(each.numel() for each in network.parameters()) < 3_000_000
    size = (SIDE_MULTIPLE, 2 * SIDE_MULTIPLE, 3 * SIDE_MULTIPLE)
    assert network(torch.zeros(1, channels, *size)).shape == (1, 1, *size)
