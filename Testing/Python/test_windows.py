"""Windows slid over a volume, nnU-Net's resampling, and networks that run out of memory."""

import threading

import numpy as np
import pytest
import torch

from StrokeSAMLib.errors import Cancelled
from StrokeSAMLib.imaging.nnunet import Fingerprint, resize, shape_at
from StrokeSAMLib.lesion import network, windows
from StrokeSAMLib.monitor import Monitor

WINDOW = (4, 8, 8)


class TestWindows:
    @pytest.mark.parametrize(
        ("length", "window", "expected"),
        [(20, 20, [0]), (43, 20, [0, 8, 15, 23]), (411, 256, [0, 78, 155]), (320, 256, [0, 64])],
    )
    def test_they_are_spread_evenly(self, length, window, expected):
        assert windows.starts(length, window, 0.5) == expected

    def test_the_middle_counts_most_and_nothing_counts_nothing(self):
        weight = windows.importance((20, 256, 256))
        assert weight[10, 128, 128] == weight.max() == 1
        assert weight.min() > 0
        # A Gaussian of an eighth of the side.
        assert weight[10, 128, 128 + 32] == pytest.approx(np.exp(-0.5), rel=1e-3)

    @pytest.mark.parametrize("shape", [(3, 5, 6), (4, 8, 8), (9, 21, 13)])
    def test_an_answer_of_each_voxel_comes_back_where_it_was(self, shape):
        volume = np.random.default_rng(1).random((2, *shape)).astype(np.float32)
        inside = np.ones(shape, bool)
        found = windows.slide(volume, inside, lambda x: x[:, 0] - x[:, 1], WINDOW, 0.5, 2, Monitor())
        assert found == pytest.approx(volume[0] - volume[1], abs=1e-5)

    def test_windows_with_nothing_inside_are_left_out(self):
        inside = np.zeros((4, 8, 80), bool)
        inside[:, :, 70] = True
        asked = []

        def ask(batch):
            asked.append(batch)
            return np.ones((len(batch), *WINDOW), np.float32)

        found = windows.slide(np.zeros((2, *inside.shape), np.float32), inside, ask, WINDOW, 0.5, 1, Monitor())
        assert len(asked) == 2
        assert (found[inside] == 1).all()
        assert found[:, :, :50].max() == 0

    def test_progress_and_cancellation(self):
        cancel, told = threading.Event(), []

        def progress(fraction, text):
            told.append(text)
            if len(told) == 3:
                cancel.set()

        inside = np.ones((4, 8, 80), bool)
        with pytest.raises(Cancelled):
            windows.slide(
                np.zeros((2, *inside.shape), np.float32), inside, lambda x: x[:, 0], WINDOW, 0.5, 1,
                Monitor(progress, cancel),
            )  # fmt: skip
        assert told == [f"window {n} of 19" for n in (1, 2, 3)]

    def test_mirrored_passes_are_turned_back(self):
        batch = np.random.default_rng(2).random((3, 2, *WINDOW)).astype(np.float32)
        assert windows.mirrored_mean(lambda x: x[:, 0])(batch) == pytest.approx(batch[:, 0], abs=1e-6)

    def test_mirrored_passes_are_all_eight(self):
        seen = []

        def ask(x):
            seen.append(x[0, 0, 0, 0, 0])
            return x[:, 0]

        windows.mirrored_mean(ask)(np.arange(2 * 4 * 8 * 8, dtype=np.float32).reshape(1, 2, *WINDOW))
        assert sorted(seen) == [0, 7, 56, 63, 192, 199, 248, 255]


class TestResampling:
    def test_shapes(self):
        assert shape_at((32, 400, 320), (5.0, 0.45, 0.4375), (3.0, 0.4375, 0.4375)) == (53, 411, 320)

    def test_there_and_back(self):
        z, y, x = np.meshgrid(*(np.arange(n, dtype=np.float32) for n in (6, 30, 40)), indexing="ij")
        smooth = np.sin(y / 6) + np.cos(x / 7) + z
        fine = resize(smooth, (18, 60, 80), order=3)
        assert resize(fine, smooth.shape, order=1)[:, 2:-2, 2:-2] == pytest.approx(smooth[:, 2:-2, 2:-2], abs=0.02)

    def test_slices_are_picked_not_mixed(self):
        levels = np.arange(4.0)[:, None, None] * np.ones((4, 3, 3))
        assert resize(levels, (6, 3, 3), order=3)[:, 1, 1].tolist() == [0, 1, 1, 2, 3, 3]

    def test_voxels_are_areas_so_that_edges_stay(self):
        """Twice the pixels: a linear ramp is sampled at −0.25 (held at the edge), 0.25, 0.75, …"""
        ramp = np.arange(4.0)[None, None, :] * np.ones((1, 2, 4))
        assert resize(ramp, (1, 2, 8), order=1)[0, 0].tolist() == [0, 0.25, 0.75, 1.25, 1.75, 2.25, 2.75, 3]

    def test_splines_do_not_overshoot(self):
        step = np.zeros((1, 4, 20))
        step[..., 10:] = 1
        found = resize(step, (1, 4, 50), order=3)
        assert found.min() == 0
        assert found.max() == 1

    def test_densities(self):
        found = Fingerprint(low=10, high=40, mean=25, sd=5).normalised(np.array([-1000.0, 10, 25, 40, 900]))
        assert found.tolist() == [-3, -3, 0, 3, 3]


class Hungry(torch.nn.Module):
    """Takes but `most` at once, and nothing on the device "meta"."""

    def __init__(self, most):
        super().__init__()
        self.most, self.sizes = most, []

    def forward(self, x):
        self.sizes.append((len(x), x.device.type))
        if x.device.type == "meta" or len(x) > self.most:
            raise torch.OutOfMemoryError("out of memory")
        return torch.stack([x[:, 0] * 0, x[:, 0]], 1)


class TestOutOfMemory:
    batch = np.random.default_rng(3).random((5, 2, 3)).astype(np.float32)

    def test_smaller_batches(self):
        model, told = Hungry(most=2), []
        asked = network.Asked(model, "cpu", "float32", told.append)
        assert asked(self.batch) == pytest.approx(self.batch[:, 0])
        assert model.sizes[0] == (5, "cpu")
        assert not told

    def test_of_a_device_whose_error_is_a_plain_one(self, monkeypatch):
        monkeypatch.setattr(
            torch, "OutOfMemoryError", lambda text: RuntimeError(f"MPS backend {text} (MPS allocated: 1 GB)")
        )
        assert network.Asked(Hungry(most=2), "cpu", "float32", print)(self.batch) == pytest.approx(self.batch[:, 0])

    def test_then_the_cpu_with_a_warning(self, monkeypatch):
        monkeypatch.setattr(network, "choose_device", lambda wanted: "meta")
        model, told = Hungry(most=5), []
        asked = network.Asked(model, "auto", "float32", told.append)
        assert asked(self.batch) == pytest.approx(self.batch[:, 0])
        assert asked.device == "cpu"
        assert told == ["not enough memory on meta: computed on the CPU"]
        assert [device for _, device in model.sizes].count("meta") == 3

    def test_then_nothing(self):
        with pytest.raises(MemoryError):
            network.Asked(Hungry(most=0), "cpu", "float32", print)(self.batch)
