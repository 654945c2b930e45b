"""The registration of a brain with its mirror image."""

import threading

import numpy as np
import pytest
import SimpleITK as sitk
from small_images import image_from

from StrokeSAMLib.anatomy.mirror import find_mirror
from StrokeSAMLib.core.errors import Cancelled
from StrokeSAMLib.core.monitor import Monitor


class LateEvent(threading.Event):
    """An event that is set at the third check after `begin`."""

    checks = -np.inf

    def begin(self):
        self.checks = 0

    def is_set(self):
        self.checks += 1
        return self.checks >= 3


@pytest.fixture(scope="module")
def striped_brain():
    """A brain of stripes and its mask. One hemisphere is bent by up to 6 mm half-way up."""
    k, j, i = np.indices((30, 40, 36))
    brain = ((k - 14.5) / 14) ** 2 + ((j - 19.5) / 18) ** 2 + ((i - 17.5) / 16) ** 2 < 1
    bend = np.where(i > 17.5, 1.5 * np.sin(np.pi * k / 30), 0)
    stripes = (20 + 6 * np.cos((j + bend) / 2)) * brain
    return tuple(image_from(each, (4.0, 4.0, 4.0)) for each in (stripes.astype(np.float32), brain.astype(np.uint8)))


def test_a_spline_follows_a_bend_that_no_affine_follows(striped_brain):
    affine, spline = (find_mirror(*striped_brain, deformable, Monitor()) for deformable in (False, True))
    assert abs(affine.plane.normal[0]) > 0.99
    assert spline.correlation > affine.correlation + 0.015


def test_the_mirror_image_does_not_depend_on_the_field_of_view(striped_brain):
    """A scan of head and neck is longer than one of the head, and the brain is the same."""
    longer = [sitk.ConstantPad(image, (3, 0, 30), (0, 6, 9)) for image in striped_brain]
    near, far = (find_mirror(*images, True, Monitor()) for images in (striped_brain, longer))
    inside = sitk.GetArrayFromImage(striped_brain[1]) > 0
    one, other = (sitk.GetArrayFromImage(mirror.mirror_image(striped_brain[0], 0.0))[inside] for mirror in (near, far))
    assert np.corrcoef(one, other)[0, 1] > 0.99


def test_a_spline_can_be_cancelled(striped_brain, capsys):
    event = LateEvent()

    def progress(fraction, text):
        if text.startswith("deforming"):
            event.begin()

    with pytest.raises(Cancelled):
        find_mirror(*striped_brain, True, Monitor(progress, event))
    assert event.checks < 6
    assert capsys.readouterr() == ("", "")
