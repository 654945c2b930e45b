"""Make tissue maps from a T1-weighted brain without its skull, a further anatomy for `strokesam train`.

    python Testing/tissue_maps.py spm152.nii.gz MAPS

writes MAPS/spm152csf.nii.gz, …grey.nii.gz and …white.nii.gz. In the image white matter is bright, CSF is dark, and 0
is not brain. K-means gives the means of the three tissues. A voxel between two means is a mixture of these two tissues.
The maps therefore have a little false grey matter between ventricles and white matter.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from StrokeSAMLib.imaging.geometry import image_like, shrink
from StrokeSAMLib.io.folders import image_name
from StrokeSAMLib.io.reading import read_image
from StrokeSAMLib.io.writing import write_image

# The means that k-means starts from: background, CSF, grey and white matter, as parts of the brightest value.
_FIRST_MEANS = (0.0, 0.35, 0.7, 0.95)
_BRIGHTEST = 99
_WORKING_MM = (2.0, 2.0, 2.0)


def class_means(t1: sitk.Image) -> np.ndarray:
    """The mean values of CSF, grey and white matter."""
    values = sitk.GetArrayViewFromImage(t1)
    brightest = float(np.percentile(values[values > 0], _BRIGHTEST))
    classes = sitk.GetArrayFromImage(sitk.ScalarImageKmeans(t1, [part * brightest for part in _FIRST_MEANS]))
    return np.array([values[classes == number].mean() for number in (1, 2, 3)])


def tissue_maps(t1: sitk.Image) -> dict[str, sitk.Image]:
    """The parts of CSF, grey and white matter, 0…1, in voxels of about 2 mm."""
    csf, grey, white = class_means(t1)
    # Ventricles are darker than the mean of CSF, because voxels of sulci always contain some tissue.
    corners = (0.0, csf / 2, csf, grey, white)
    parts = {"csf": (0, 1, 1, 0, 0), "grey": (0, 0, 0, 1, 0), "white": (0, 0, 0, 0, 1)}
    values = sitk.GetArrayViewFromImage(t1)
    return {
        tissue: shrink(image_like(np.interp(values, corners, part).astype(np.float32), t1), _WORKING_MM)
        for tissue, part in parts.items()
    }


def main() -> None:
    """Make the maps that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("t1", type=Path)
    parser.add_argument("maps", type=Path)
    arguments = parser.parse_args()
    arguments.maps.mkdir(parents=True, exist_ok=True)
    name = image_name(arguments.t1)
    for tissue, image in tissue_maps(sitk.Cast(read_image(arguments.t1), sitk.sitkFloat32)).items():
        write_image(image, arguments.maps / f"{name}{tissue}.nii.gz")


if __name__ == "__main__":
    main()
