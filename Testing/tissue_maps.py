"""Tissue maps of a T1-weighted brain without its skull, for `strokesam train`: an anatomy more.

    python Testing/tissue_maps.py spm152.nii.gz MAPS

writes MAPS/spm152csf.nii.gz, …grey.nii.gz and …white.nii.gz. Bright is white matter, dark is CSF, 0 is not brain. The
means of the three come from k-means; a voxel between two of them is a mixture of those two. So a voxel between
ventricle and white matter, a mixture of CSF and white matter, holds a little grey matter that is none.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from StrokeSAMLib.imaging.folders import image_name
from StrokeSAMLib.imaging.geometry import like, shrink
from StrokeSAMLib.imaging.reading import read_image
from StrokeSAMLib.imaging.writing import write_image

# Of nothing, CSF, grey and white matter, as parts of the brightest; k-means starts from them.
_FIRST_MEANS = (0.0, 0.35, 0.7, 0.95)
_BRIGHTEST = 99
_WORKING_MM = (2.0, 2.0, 2.0)


def class_means(t1: sitk.Image) -> np.ndarray:
    """Of CSF, grey and white matter."""
    values = sitk.GetArrayViewFromImage(t1)
    brightest = float(np.percentile(values[values > 0], _BRIGHTEST))
    classes = sitk.GetArrayFromImage(sitk.ScalarImageKmeans(t1, [part * brightest for part in _FIRST_MEANS]))
    return np.array([values[classes == number].mean() for number in (1, 2, 3)])


def tissue_maps(t1: sitk.Image) -> dict[str, sitk.Image]:
    """The parts 0…1 of CSF, grey and white matter in voxels of about 2 mm."""
    csf, grey, white = class_means(t1)
    # The mean of CSF is of sulci too, which are never without tissue: ventricles are darker.
    corners = (0.0, csf / 2, csf, grey, white)
    parts = {"csf": (0, 1, 1, 0, 0), "grey": (0, 0, 0, 1, 0), "white": (0, 0, 0, 0, 1)}
    values = sitk.GetArrayViewFromImage(t1)
    return {
        tissue: shrink(like(np.interp(values, corners, part).astype(np.float32), t1), _WORKING_MM)
        for tissue, part in parts.items()
    }


def main() -> None:
    """Make them as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("t1", type=Path)
    parser.add_argument("maps", type=Path)
    asked = parser.parse_args()
    asked.maps.mkdir(parents=True, exist_ok=True)
    name = image_name(asked.t1)
    for tissue, image in tissue_maps(sitk.Cast(read_image(asked.t1), sitk.sitkFloat32)).items():
        write_image(image, asked.maps / f"{name}{tissue}.nii.gz")


if __name__ == "__main__":
    main()
