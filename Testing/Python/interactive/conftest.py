"""Fixtures of sessions: a volume with a bright object, an engine, a session, and positions and boxes in the volume."""

import numpy as np
import pytest
import SimpleITK as sitk
from bright import COUNT, OBJECT, Bright

from StrokeSAMLib.interactive import Box, Session
from StrokeSAMLib.interactive.features.encodings import Encodings
from StrokeSAMLib.interactive.slice_stack import stack_along_axis


@pytest.fixture
def image():
    """A volume of 12 slices; slices 3 to 8 have a bright rectangle, and the first pixel of a slice is its number."""
    volume = np.full((COUNT, 40, 50), 20, np.uint8)
    volume[OBJECT, 10:30, 15:40] = 200
    volume[:, 0, 0] = np.arange(COUNT)
    image = sitk.GetImageFromArray(volume)
    image.SetSpacing((1.0, 1.0, 4.0))
    image.SetOrigin((-20.0, 5.0, 30.0))
    return image


@pytest.fixture
def engine():
    return Bright()


@pytest.fixture
def session(image, engine):
    return Session.on(Encodings(engine, stack_along_axis(image, 2)))


@pytest.fixture
def at(image):
    """A function that gives the position (LPS, mm) of a column, row and slice."""

    def position(column, row, k):
        return image.TransformContinuousIndexToPhysicalPoint([float(column), float(row), float(k)])

    return position


@pytest.fixture
def box(at):
    """A function that gives a box around the object on slice `k`, or from slice `k` to slice `last`."""
    return lambda k=5, last=None: Box(at(14, 9, k), at(41, 31, k if last is None else last))
