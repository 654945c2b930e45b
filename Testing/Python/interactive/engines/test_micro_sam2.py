"""Masks of a very small SAM 2, trained by Testing/train_micro_sam2.py, in sessions of the SAM 2 engine."""

import json
import sys

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from helpers import ROOT, dice
from scipy import ndimage as ndi

from StrokeSAMLib.core.errors import OptionError
from StrokeSAMLib.interactive import Box, Session
from StrokeSAMLib.interactive.engines.sam2 import Sam2Engine
from StrokeSAMLib.interactive.features.encodings import Encodings
from StrokeSAMLib.interactive.slice_stack import stack_along_axis
from StrokeSAMLib.nets.cpu import encoder_openvino
from StrokeSAMLib.nets.cpu.sam2_fast import speed_up
from StrokeSAMLib.nets.models.sam2_model import build
from StrokeSAMLib.weights.checkpoint import load_weights, read_checkpoint

DATA = ROOT / "Testing" / "Data"


def micro_sam2():
    model = build(json.loads((DATA / "micro_sam2.json").read_text("utf-8")))
    load_weights(model, read_checkpoint(DATA / "micro_sam2.pt"), "micro_sam2.pt")
    return model


@pytest.fixture(scope="module")
def engine():
    return Sam2Engine("micro", micro_sam2())


def phantom(seed):
    """An ellipsoid in smooth and white noise, 15 slices of 160 × 160, 1 × 1 × 6 mm, and its mask."""
    rng = np.random.default_rng(seed)
    k, y, x = np.indices((15, 160, 160))
    row, column, radius = rng.uniform(65, 95), rng.uniform(65, 95), rng.uniform(26, 36)
    truth = np.sqrt(((k - 7) * 6) ** 2 + (y - row) ** 2 + ((x - column) / 0.8) ** 2) < radius
    anatomy = ndi.gaussian_filter(rng.standard_normal(truth.shape), (2, 10, 10))
    grey = 115 + 12 * anatomy / anatomy.std() + 70 * rng.choice([-1, 1]) * truth + 6 * rng.standard_normal(truth.shape)
    image = sitk.GetImageFromArray(np.clip(grey, 0, 255).astype(np.uint8))
    image.SetSpacing((1.0, 1.0, 6.0))
    return image, truth


def at(image, column, row, k):
    return image.TransformContinuousIndexToPhysicalPoint([float(column), float(row), float(k)])


def boxed_session(engine, image, truth):
    """A session with a box around the object on slice 7."""
    session = Session.on(Encodings(engine, stack_along_axis(image, 2)))
    rows, columns = np.nonzero(truth[7])
    session.add(Box(at(image, columns.min(), rows.min(), 7), at(image, columns.max(), rows.max(), 7)))
    return session


@pytest.mark.parametrize("seed", range(3))
def test_a_box_on_one_slice_segments_the_object(engine, seed):
    image, truth = phantom(seed)
    session = boxed_session(engine, image, truth)
    session.propagate()
    assert dice(sitk.GetArrayFromImage(session.mask()) > 0, truth) >= 0.85


def test_propagation_stops_where_the_object_ends(engine):
    image, truth = phantom(0)
    session = boxed_session(engine, image, truth)
    visited = session.propagate()
    assert visited < len(truth) - 1
    assert not session.slice_mask(0).any() and not session.slice_mask(14).any()


def test_the_checkpoint_has_at_most_four_mebibytes():
    assert (DATA / "micro_sam2.pt").stat().st_size <= 4 << 20


class TestOpenVino:
    """The image encoder through OpenVINO, used only where it computes the same."""

    def test_openvino_gives_the_same_masks(self, engine):
        image, truth = phantom(0)
        other = Sam2Engine("micro", speed_up(micro_sam2(), torch.float32, "openvino"))
        masks = []
        for each in (engine, other):
            session = boxed_session(each, image, truth)
            session.propagate()
            masks.append(sitk.GetArrayFromImage(session.mask()) > 0)
        assert dice(*masks) > 0.999

    def test_openvino_is_refused_where_its_error_is_too_large(self, monkeypatch):
        monkeypatch.setitem(encoder_openvino._MOST_ERROR, torch.float32, 1e-12)
        with pytest.raises(OptionError, match=r"errs by .*; use encoder=torch"):
            speed_up(micro_sam2(), torch.float32, "openvino")

    def test_openvino_is_refused_where_it_is_not_installed(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "openvino", None)
        with pytest.raises(OptionError, match="not installed: pip install openvino"):
            speed_up(micro_sam2(), torch.float32, "openvino")
