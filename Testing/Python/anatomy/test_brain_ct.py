"""The brain mask of a CT, on the mean CT of 35 adults."""

import SimpleITK as sitk
from helpers import array, dice, real_image
from scipy import ndimage as ndi

from StrokeSAMLib.anatomy.brain_ct import brain_mask
from StrokeSAMLib.imaging.geometry import canonical, image_like


def test_finds_the_brain_with_and_without_skull():
    template = real_image("ct/template_with_skull_2mm.nii.gz")
    brain = canonical(real_image("ct/template_2mm.nii.gz"))
    # The reference counts the outer voxels that are brain in any of the 35 adults: those are partly skull.
    reference = image_like(ndi.binary_erosion(array(brain) > 20), brain)
    mask = array(brain_mask(canonical(template))) > 0
    inside = array(reference) > 0
    assert (mask & inside).sum() / inside.sum() > 0.97
    assert dice(brain_mask(brain), sitk.Cast(brain > 5, sitk.sitkUInt8)) > 0.97
