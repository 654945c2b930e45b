"""The second look of a network, with a large lesion painted over."""

import numpy as np

from StrokeSAMLib.lesion.second_look import look_twice

SHAPE = (24, 24, 24)
BRAIN = np.zeros(SHAPE, bool)
BRAIN[2:-2, 2:-2, 2:-2] = True


def scan(large, small):
    """Two channels, 1 in the brain; a bright cube, and a less bright voxel elsewhere."""
    channels = np.where(BRAIN, np.ones((2, *SHAPE)), 0).astype(np.float32)
    channels[0, 3 : 3 + large, 3 : 3 + large, 3 : 3 + large] = 4
    channels[0, 18, 18, 18] = small
    return channels


class OnlyTheBrightest:
    """Sees what is at least half as much above 1 as the brightest voxel."""

    def __init__(self):
        self.seen = []

    def __call__(self, channels):
        self.seen.append(channels)
        above = channels[0] - 1
        return ((above > 0.2) & (above >= 0.5 * above.max())).astype(np.float32)


def test_finds_what_a_large_lesion_hid_and_keeps_that():
    network = OnlyTheBrightest()
    found = look_twice(network, scan(10, 2), BRAIN, 0.3)
    assert len(network.seen) == 2
    assert found[3:13, 3:13, 3:13].all() and found[18, 18, 18]
    assert found.sum() == 1001
    assert np.abs(network.seen[1][0][:15][BRAIN[:15]] - 1).max() < 1e-6
    assert not network.seen[1][:, ~BRAIN].any()


def test_looks_once_where_nothing_is_large():
    network = OnlyTheBrightest()
    found = look_twice(network, scan(8, 2), BRAIN, 0.3)
    assert len(network.seen) == 1
    assert not found[18, 18, 18]


def test_a_lesion_that_is_the_whole_brain_hides_nothing():
    everywhere = np.where(BRAIN, 4, 0)[None].astype(np.float32)
    found = look_twice(lambda channels: (channels[0] > 2).astype(np.float32), everywhere, BRAIN, 0.3)
    assert np.array_equal(found > 0, BRAIN)
