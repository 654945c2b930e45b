"""The second pass of a network, with a large lesion painted over."""

import numpy as np

from StrokeSAMLib.lesion.second_pass import two_pass_prediction

SHAPE = (24, 24, 24)
BRAIN = np.zeros(SHAPE, bool)
BRAIN[2:-2, 2:-2, 2:-2] = True


def network_inputs(large, small):
    """Two channels, 1 in the brain; the first has a bright cube of side `large` and a voxel of value `small`."""
    channels = np.where(BRAIN, np.ones((2, *SHAPE)), 0).astype(np.float32)
    channels[0, 3 : 3 + large, 3 : 3 + large, 3 : 3 + large] = 4
    channels[0, 18, 18, 18] = small
    return channels


class OnlyTheBrightest:
    """A network that finds voxels at least half as far above 1 as the brightest one."""

    def __init__(self):
        self.passes = []

    def __call__(self, channels):
        self.passes.append(channels)
        above = channels[0] - 1
        return ((above > 0.2) & (above >= 0.5 * above.max())).astype(np.float32)


def test_finds_the_small_lesion_beside_a_large_one_and_keeps_the_large_one():
    network = OnlyTheBrightest()
    result = two_pass_prediction(network, network_inputs(10, 2), BRAIN, 0.3)
    assert len(network.passes) == 2
    assert result[3:13, 3:13, 3:13].all() and result[18, 18, 18]
    assert result.sum() == 1001
    assert np.abs(network.passes[1][0][:15][BRAIN[:15]] - 1).max() < 1e-6
    assert not network.passes[1][:, ~BRAIN].any()


def test_predicts_once_where_no_lesion_is_large():
    network = OnlyTheBrightest()
    result = two_pass_prediction(network, network_inputs(8, 2), BRAIN, 0.3)
    assert len(network.passes) == 1
    assert not result[18, 18, 18]


def test_a_lesion_that_fills_the_brain_is_kept():
    everywhere = np.where(BRAIN, 4, 0)[None].astype(np.float32)
    result = two_pass_prediction(lambda channels: (channels[0] > 2).astype(np.float32), everywhere, BRAIN, 0.3)
    assert np.array_equal(result > 0, BRAIN)
