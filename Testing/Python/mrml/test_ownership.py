"""A session owns the voxels that are in the segment because of it, whatever masking kept out or protected."""

import numpy as np
import pytest

slicer = pytest.importorskip("slicer")
vtk = pytest.importorskip("vtk")

import SimpleITK as sitk  # noqa: E402
from balls import paint  # noqa: E402
from nodes import SHAPE, add_volume, segment_array  # noqa: E402

from StrokeSAMLib.imaging.geometry import patch_of  # noqa: E402
from StrokeSAMLib.mrml import StrokeSAMLogic  # noqa: E402
from StrokeSAMLib.mrml.contribution import Contribution  # noqa: E402
from StrokeSAMLib.mrml.segments import labelmapForSegmentation, newSegmentation  # noqa: E402
from StrokeSAMLib.mrml.terminology import INFARCT  # noqa: E402

# Every voxel has one of these grey levels, so that an intensity range makes any of a few editable areas.
LEVELS = 4


class Written:
    """A segment that one session writes, and a model of it in plain arrays."""

    def __init__(self, scene, seed):
        self.rng = np.random.default_rng(seed)
        self.grey = self.rng.integers(0, LEVELS, SHAPE).astype(np.int16)
        self.node = add_volume(scene, values=self.grey)
        self.segmentation = newSegmentation(self.node, scene)
        self.writer = StrokeSAMLogic().writer
        self.contribution, self.id = Contribution(), None
        self.content = self.owned = np.zeros(SHAPE, bool)
        self.before = []

    def blob(self):
        centre, radius = self.rng.integers(0, SHAPE), self.rng.uniform(2, 6)
        distance = np.linalg.norm(np.moveaxis(np.indices(SHAPE), 0, -1) - centre, axis=-1)
        return distance < radius

    def write(self, result, allowed):
        """Write a result where the grey level is `allowed` (first, last)."""
        editor = self.writer.editorNode
        editor.SetSourceVolumeIntensityMask(True)
        editor.SetSourceVolumeIntensityMaskRange(*map(float, allowed))
        mask = sitk.GetImageFromArray(result.astype(np.uint8))
        labelmap = labelmapForSegmentation(patch_of(mask), self.node, self.segmentation)
        self.id = self.writer.write(labelmap, self.segmentation, self.node, self.id, INFARCT, self.contribution)
        self.before.append((self.content, self.owned))
        hand = self.content & ~self.owned
        editable = (self.grey >= allowed[0]) & (self.grey <= allowed[1])
        content = np.where(editable, hand | result, self.content)
        self.owned = content & (self.owned | (result & ~hand))
        self.content = content

    def undo(self):
        self.writer.undo()
        self.content, self.owned = self.before.pop()

    def paint(self, where):
        paint(self.segmentation, self.id, self.node, where)
        self.content = self.content | where
        self.before.clear()  # Slicer's undo does not know of it

    def assert_as_expected(self):
        np.testing.assert_array_equal(segment_array(self.segmentation, self.id, self.node), self.content)


@pytest.fixture
def written(scene, request):
    return Written(scene, getattr(request, "param", 0))


@pytest.mark.parametrize("written", range(6), indirect=True)
def test_any_sequence_of_writing_painting_and_undo_is_as_in_a_model_of_arrays(written):
    written.write(written.blob(), (0, LEVELS))
    for _ in range(7):
        action = written.rng.integers(5)
        if action == 0 and len(written.before) > 1:
            written.undo()
        elif action == 1:
            written.paint(written.blob())
        else:
            written.write(written.blob(), sorted(written.rng.integers(0, LEVELS, 2)))
        written.assert_as_expected()


def test_nothing_stays_behind_once_nothing_is_masked(written):
    for allowed in ((0, 1), (2, 2), (1, 3)):
        written.write(written.blob(), allowed)
    assert written.content.any()
    written.write(np.zeros(SHAPE, bool), (0, LEVELS))
    written.assert_as_expected()
    assert not written.content.any()


def test_undo_and_another_masking_leave_nothing_of_the_first(written):
    empty = np.zeros(SHAPE, bool)
    written.write(empty, (0, LEVELS))
    result = written.blob()
    written.write(result, (0, 1))
    written.undo()
    written.write(result, (2, 3))
    written.assert_as_expected()
    np.testing.assert_array_equal(written.content, result & (written.grey >= 2))


def test_voxels_painted_where_masking_kept_the_session_out_stay(written):
    result = written.blob()
    written.write(result, (0, 1))
    hand = result & (written.grey >= 2)
    written.paint(hand)
    written.write(np.zeros(SHAPE, bool), (0, LEVELS))
    written.assert_as_expected()
    np.testing.assert_array_equal(written.content, hand)
