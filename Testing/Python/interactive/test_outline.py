"""The outline of a mask."""

import numpy as np
import pytest

from StrokeSAMLib.interactive.outline import outline


def sides(mask):
    """The sides of pixels between inside and outside, each as its middle (column, row)."""
    found = set()
    for row, column in np.argwhere(mask):
        for down, right in ((0, 1), (0, -1), (1, 0), (-1, 0)):
            y, x = row + down, column + right
            inside = 0 <= y < mask.shape[0] and 0 <= x < mask.shape[1] and mask[y, x]
            if not inside:
                found.add((column + right / 2, row + down / 2))
    return found


@pytest.mark.parametrize("where", [np.s_[:, :], np.s_[3:7, 5:6], np.s_[0:0]], ids=["everywhere", "a part", "empty"])
def test_the_outline_consists_of_the_sides_between_inside_and_outside(where):
    mask = np.zeros((9, 12), bool)
    mask[where] = np.random.default_rng(0).random(mask[where].shape) < 0.6
    edges = outline(mask)
    assert {tuple(middle) for middle in edges.mean(axis=1).tolist()} == sides(mask)
    assert edges.shape == (len(sides(mask)), 2, 2) and edges.dtype == np.float32
    assert (np.abs(edges[:, 1] - edges[:, 0]).sum(axis=1) == 1).all()
