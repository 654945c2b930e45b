"""The loss of the lesion networks."""

import pytest

torch = pytest.importorskip("torch")
from StrokeSAMLib.training.loss import dice_and_bce


def test_the_loss_is_near_zero_for_the_truth_with_and_without_a_lesion():
    truth = torch.zeros(2, 1, 4, 4, 4)
    truth[0, 0, :2] = 1
    assert dice_and_bce(40 * truth - 20, truth, "dwi-unet") < 0.01
    assert dice_and_bce(20 - 40 * truth, truth, "dwi-unet") > 1
