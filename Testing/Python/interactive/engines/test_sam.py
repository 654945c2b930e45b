"""The engines with a SAM for single slices; test_lite_medsam.py has the sessions of such an engine."""

import numpy as np
import SimpleITK as sitk

from StrokeSAMLib.interactive import Mask, Session
from StrokeSAMLib.interactive.engines import sam
from StrokeSAMLib.interactive.engines.sam import SamEngine
from StrokeSAMLib.interactive.features.encodings import Encodings
from StrokeSAMLib.interactive.slice_stack import stack_along_axis
from StrokeSAMLib.nets.models import sam_models


def test_a_drawn_mask_is_kept():
    array = np.full((5, 60, 70), 60, np.uint8)
    array[1:4, 20:40, 25:50] = 180
    volume = sitk.GetImageFromArray(array)
    engine = SamEngine("sam-med2d", sam_models.sam_med2d(), sam.RECIPES["sam-med2d"])
    session = Session.on(Encodings(engine, stack_along_axis(volume, 2)))
    drawn = np.zeros((5, 60, 70), np.uint8)
    drawn[2, 20:40, 25:50] = 1
    session.add(Mask(sitk.GetImageFromArray(drawn)))
    mask = session.slice_mask(2)
    assert 2 * (mask & (drawn[2] > 0)).sum() / (mask.sum() + drawn.sum()) > 0.95
