"""The reader beside SimpleITK's own series reader."""

import time

import numpy as np
import pytest
import SimpleITK as sitk
from dicom_files import write_series

from StrokeSAMLib.io.reading import read_image

# 1.2 to 1.65 were measured.
MOST_TIMES_AS_LONG = 2.0


@pytest.mark.perf
def test_300_slices_take_no_longer_than_twice_simpleitk(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 2000, (512, 512)).astype(np.uint16)
    folder = write_series(
        tmp_path, count=300, values=lambda k: pixels, kind=np.uint16, RescaleSlope=1, RescaleIntercept=-1024
    )

    def peer():
        return sitk.ReadImage(sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder)))

    def seconds(work):
        start = time.process_time()
        work()
        return time.process_time() - start

    peer(), read_image(folder)  # both have loaded their libraries and the files
    ratios = [seconds(lambda: read_image(folder)) / seconds(peer) for _ in range(3)]
    assert min(ratios) < MOST_TIMES_AS_LONG
