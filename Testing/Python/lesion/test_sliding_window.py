"""Sliding-window prediction: window positions, weights, batches, mirroring."""

import threading

import numpy as np
import pytest

from StrokeSAMLib.core.errors import Cancelled
from StrokeSAMLib.core.monitor import Monitor
from StrokeSAMLib.lesion.sliding_window import (
    augment_by_mirroring,
    importance_map,
    sliding_window_predict,
    window_starts,
)

WINDOW = (4, 8, 8)


@pytest.mark.parametrize(
    ("length", "window", "expected"),
    [(20, 20, [0]), (43, 20, [0, 8, 15, 23]), (411, 256, [0, 78, 155]), (320, 256, [0, 64])],
)
def test_windows_are_spread_evenly(length, window, expected):
    assert window_starts(length, window, 0.5) == expected


def test_the_middle_of_a_window_has_the_greatest_weight_and_no_voxel_has_none():
    weight = importance_map((20, 256, 256))
    assert weight[10, 128, 128] == weight.max() == 1
    assert weight.min() > 0
    # The standard deviation is an eighth of the side.
    assert weight[10, 128, 128 + 32] == pytest.approx(np.exp(-0.5), rel=1e-3)


@pytest.mark.parametrize("shape", [(3, 5, 6), (4, 8, 8), (9, 21, 13)])
def test_the_prediction_of_each_voxel_stays_in_its_place(shape):
    inputs = np.random.default_rng(1).random((2, *shape)).astype(np.float32)
    inside = np.ones(shape, bool)
    result = sliding_window_predict(inputs, inside, lambda x: x[:, 0] - x[:, 1], WINDOW, 0.5, 2, Monitor())
    assert result == pytest.approx(inputs[0] - inputs[1], abs=1e-5)


def test_windows_outside_the_mask_are_left_out():
    inputs, inside = np.zeros((2, 4, 8, 80), np.float32), np.zeros((4, 8, 80), bool)
    inside[:, :, 70] = True
    batches = []

    def predict(batch):
        batches.append(batch)
        return np.ones((len(batch), *WINDOW), np.float32)

    result = sliding_window_predict(inputs, inside, predict, WINDOW, 0.5, 1, Monitor())
    assert len(batches) == 2
    assert (result[inside] == 1).all()
    assert result[:, :, :50].max() == 0


def test_reports_progress_and_can_be_cancelled():
    cancel, texts = threading.Event(), []

    def progress(fraction, text):
        texts.append(text)
        if len(texts) == 3:
            cancel.set()

    inputs, inside = np.zeros((2, 4, 8, 80), np.float32), np.ones((4, 8, 80), bool)
    with pytest.raises(Cancelled):
        sliding_window_predict(inputs, inside, lambda x: x[:, 0], WINDOW, 0.5, 1, Monitor(progress, cancel))
    assert texts == [f"window {n} of 19" for n in (1, 2, 3)]


def test_mirrored_predictions_are_mirrored_back():
    batch = np.random.default_rng(2).random((3, 2, *WINDOW)).astype(np.float32)
    assert augment_by_mirroring(lambda x: x[:, 0])(batch) == pytest.approx(batch[:, 0], abs=1e-6)


def test_mirroring_predicts_all_eight_mirror_images():
    corners = []

    def predict(x):
        corners.append(x[0, 0, 0, 0, 0])
        return x[:, 0]

    augment_by_mirroring(predict)(np.arange(2 * 4 * 8 * 8, dtype=np.float32).reshape(1, 2, *WINDOW))
    assert sorted(corners) == [0, 7, 56, 63, 192, 199, 248, 255]
