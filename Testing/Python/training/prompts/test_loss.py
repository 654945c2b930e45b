"""The loss of `prompt-unet`."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from StrokeSAMLib.interactive.prompt_maps import CubePoint
from StrokeSAMLib.training.prompts.loss import ERROR, NEAR_CLICK, prompt_loss, voxel_weights

SHAPE = (8, 32, 32)
CLICK = CubePoint((4.0, 10.0, 10.0))


def truth():
    array = np.zeros(SHAPE, bool)
    array[2:6, 8:20, 8:20] = True
    return array


def previous():
    """An answer that misses two slices."""
    array = truth().astype(np.float32)
    array[4:6] = 0
    return array


def loss(logits, weight=None, keep=None):
    tensors = [truth(), np.ones(SHAPE) if weight is None else weight, np.zeros(SHAPE) if keep is None else keep]
    stacked = [torch.from_numpy(np.asarray(each, np.float32))[None, None] for each in (*tensors, np.ones(SHAPE))]
    return float(prompt_loss(torch.from_numpy(np.asarray(logits, np.float32))[None, None], *stacked))


def test_a_right_answer_has_hardly_any_loss_and_a_wrong_one_much():
    assert loss(np.where(truth(), 20, -20)) < 0.01
    assert loss(np.where(truth(), -20, 20)) > 1


def test_errors_and_the_newest_click_weigh_more():
    weight, keep = voxel_weights(truth(), np.ones(SHAPE, bool), previous(), (CLICK,), 2.0)
    assert weight[4, 10, 10] == NEAR_CLICK and weight[4, 18, 18] == ERROR and weight[3, 18, 18] == 1
    assert keep[2, 19, 19] and not keep[4, 18, 18] and not keep[3, 10, 10]


def test_before_the_first_answer_all_voxels_of_the_scan_weigh_the_same():
    valid = np.ones(SHAPE, bool)
    valid[0] = False
    weight, keep = voxel_weights(truth(), valid, None, (), 2.0)
    np.testing.assert_array_equal(weight, valid)
    assert not keep.any()


def test_undoing_what_was_right_costs_more_than_the_same_error_elsewhere():
    undone = np.where(truth(), 5.0, -5.0)
    undone[2, 19, 19] = -5
    keep = np.zeros(SHAPE)
    keep[2, 19, 19] = 1
    assert loss(undone, keep=keep) > loss(undone) + 1e-4
