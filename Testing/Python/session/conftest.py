"""Fixtures of sessions: a volume with a bright object, an engine, a session, places and boxes in it."""

import numpy as np
import pytest
import SimpleITK as sitk
from bright import COUNT, OBJECT, Bright

from StrokeSAMLib.interactive import Box, Session
from StrokeSAMLib.interactive.encodings import Encodings
from StrokeSAMLib.interactive.stack import stack_along_axis


@pytest.fixture
def image():
    volume = np.full((COUNT, 40, 50), 20, np.uint8)
    volume[OBJECT, 10:30, 15:40] = 200
    volume[:, 0, 0] = np.arange(COUNT)
    made = sitk.GetImageFromArray(volume)
    made.SetSpacing((1.0, 1.0, 4.0))
    made.SetOrigin((-20.0, 5.0, 30.0))
    return made


@pytest.fixture
def engine():
    return Bright()


@pytest.fixture
def session(image, engine):
    return Session.on(Encodings(engine, stack_along_axis(image, 2)))


@pytest.fixture
def at(image):
    def position(column, row, k):
        return image.TransformContinuousIndexToPhysicalPoint([float(column), float(row), float(k)])

    return position


@pytest.fixture
def box(at):
    return lambda k=5, last=None: Box(at(14, 9, k), at(41, 31, k if last is None else last))
