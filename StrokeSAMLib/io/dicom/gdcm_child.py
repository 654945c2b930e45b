"""Run as a program: decode every DICOM file of a folder with SimpleITK's GDCM into a .npy file beside it.

GDCM may bring its process down on damaged pixels, so it runs in one of its own. Usage: python gdcm_child.py FOLDER
"""

import sys
from pathlib import Path

import numpy as np
import SimpleITK as sitk


def main() -> None:
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    for path in sorted(Path(sys.argv[1]).glob("*.dcm")):
        values = sitk.GetArrayFromImage(sitk.ReadImage(str(path), imageIO="GDCMImageIO"))
        np.save(path.with_suffix(".npy"), values.reshape(values.shape[1:]))


if __name__ == "__main__":
    main()
