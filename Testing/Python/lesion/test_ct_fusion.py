"""What the rule found becomes lesion or possible lesion."""

from types import SimpleNamespace

import numpy as np
import pytest

from StrokeSAMLib.lesion.ct_fusion import judge_rule
from StrokeSAMLib.lesion.hemispheres import Comparison

SHAPE = (12, 40, 40)
PLACE = (slice(3, 8), slice(8, 20), slice(8, 20))  # 5.8 ml


def judged(hu_in_place: float, difference: float, shared: float = 0.0, place=PLACE):
    """The volumes (voxels) of lesion and possible lesion, for one component of the rule on tissue of 32 HU."""
    hu = np.full(SHAPE, 32.0, np.float32)
    lesion, network = np.zeros(SHAPE, bool), np.zeros(SHAPE, bool)
    lesion[place] = True
    hu[place] = hu_in_place
    network[place[0], place[1], place[2].start : place[2].start + round(shared * 12)] = True
    head = SimpleNamespace(hu=hu, inside=np.ones(SHAPE, bool), spacing=(2.0, 2.0, 2.0), smoothed=lambda sigma: hu)
    comparison = Comparison(np.where(lesion, difference, 0), np.ones(SHAPE, bool), lesion, -2.5)
    parts = judge_rule(head, comparison, network)
    assert np.array_equal(parts[0] | parts[1], lesion) and not (parts[0] & parts[1]).any()
    return [np.count_nonzero(part) for part in parts]


@pytest.mark.parametrize(
    ("hu", "difference", "shared", "is_lesion"),
    [
        (25.0, -8.0, 0.0, True),  # plainly dark
        (31.0, -8.0, 0.0, False),  # no darker than other tissue: its mirror image is denser
        (25.0, -3.0, 0.0, False),  # dark on both sides
        (31.0, -3.0, 0.75, True),  # the network agrees
        (31.0, -3.0, 0.25, False),
    ],
)
def test_a_component_is_lesion_if_it_is_dark_or_shared(hu, difference, shared, is_lesion):
    lesion, possible = judged(hu, difference, shared)
    assert (lesion > 0) == is_lesion and (possible > 0) != is_lesion


def test_a_small_dark_component_is_a_possible_lesion():
    assert judged(25.0, -8.0, place=(slice(3, 5), slice(8, 14), slice(8, 14)))[0] == 0


def test_without_any_component_there_is_nothing():
    assert judged(32.0, 0.0, place=(slice(0, 0),) * 3) == [0, 0]
