"""Measured values: the scale of every slice, padding, wrapped and inverted values."""

import numpy as np
import pydicom
import pytest
from dicom_files import (
    COLUMNS,
    COUNT,
    ROWS,
    ids,
    image_dataset,
    item,
    save,
    scene,
    slice_tags,
    write_mr,
    write_series,
)
from helpers import array
from pydicom.uid import MRImageStorage, PositronEmissionTomographyImageStorage

from StrokeSAMLib.core.errors import InputError
from StrokeSAMLib.io.reading import read_image, read_scan

TRUTH = np.stack([scene(k) for k in range(COUNT)])
AIR = -1024


@pytest.fixture
def disc():
    """The pixels of a slice within the round field of view."""
    j, i = np.indices((ROWS, COLUMNS))
    return np.hypot((j - 11.5) / 12, (i - 15.5) / 16) < 1


class TestScaleOfEverySlice:
    @pytest.mark.parametrize("modality", ["MR", "PT"])
    def test_slopes_that_differ_from_slice_to_slice(self, tmp_path, modality):
        sop = {"MR": MRImageStorage, "PT": PositronEmissionTomographyImageStorage}[modality]
        folder = write_series(
            tmp_path,
            kind=np.uint16,
            values=lambda k: scene(k) * (k + 1),
            modality=modality,
            sop=sop,
            RescaleSlope=lambda k: f"{0.01 / (k + 1):.10g}",
            RescaleIntercept=0,
        )
        np.testing.assert_allclose(array(read_image(folder)), TRUTH * 0.01, rtol=1e-6)

    def test_intercepts_that_differ_stay_whole_numbers(self, tmp_path):
        folder = write_series(
            tmp_path,
            kind=np.uint16,
            values=lambda k: scene(k) + 1024 + k,
            RescaleSlope=1,
            RescaleIntercept=lambda k: -1024 - k,
        )
        image = read_image(folder)
        np.testing.assert_array_equal(array(image), TRUTH)
        assert image.GetPixelIDTypeAsString() == "32-bit signed integer"

    def test_types_that_differ_from_slice_to_slice(self, tmp_path):
        series, kinds = ids(), [np.uint8, np.uint16, np.int16, np.int8, np.int32, np.uint16, np.int16, np.int16]
        values = [scene(k) % 100 - (50 if np.iinfo(kind).min < 0 else 0) for k, kind in enumerate(kinds)]
        for k, kind in enumerate(kinds):
            data = image_dataset(values[k].astype(kind), modality="MR", sop=MRImageStorage, **slice_tags(k), **series)
            save(data, tmp_path / f"{k}.dcm")
        np.testing.assert_array_equal(array(read_image(tmp_path)), np.stack(values))

    def test_twelve_stored_bits_drop_an_overlay_in_the_others(self, tmp_path):
        folder = write_series(
            tmp_path, kind=np.uint16, values=lambda k: scene(k) + 0x4000 * (k % 2), BitsStored=12, HighBit=11
        )
        np.testing.assert_array_equal(array(read_image(folder)), TRUTH)

    def test_the_private_scale_of_philips_counts_only_without_the_public_one(self, tmp_path):
        def write(name, **tags):
            folder = write_mr(tmp_path / name, **tags)
            for path in folder.iterdir():
                data = pydicom.dcmread(path)
                block = data.private_block(0x2005, "Philips MR Imaging DD 001", create=True)
                block.add_new(0x0D, "FL", 0.0)
                block.add_new(0x0E, "FL", 0.25)
                data.save_as(path)
            return read_image(folder)

        public = write("public", RescaleSlope="0.5", RescaleIntercept="0")
        np.testing.assert_allclose(array(public), TRUTH * 0.5)
        np.testing.assert_allclose(array(write("private")), TRUTH * 4)

    def test_a_real_world_value_mapping_counts_without_rescaling(self, tmp_path):
        mapping = item(RealWorldValueSlope=0.001, RealWorldValueIntercept=0.0)
        folder = write_mr(tmp_path, RealWorldValueMappingSequence=mapping)
        np.testing.assert_allclose(array(read_image(folder)), TRUTH * 0.001, rtol=1e-6)

    def test_a_slope_of_zero_is_refused(self, tmp_path):
        with pytest.raises(InputError, match="impossible rescale slope"):
            read_image(write_series(tmp_path, RescaleSlope=0, RescaleIntercept=0))


class TestPadding:
    """Outside of the round field of view CT has no measurement; what stands there is air."""

    @pytest.mark.parametrize(
        ("kind", "pad", "tags"),
        [
            (np.int16, -2000, {"RescaleIntercept": 0}),
            (np.int16, -2000, {"RescaleIntercept": -1024}),
            (np.int16, -2000, {"RescaleIntercept": 0, "PixelPaddingValue": -2000}),
            (np.uint16, 63536, {"RescaleIntercept": -1024}),
            (np.uint16, 63536, {"RescaleIntercept": -1024, "PixelPaddingValue": 63536}),
            (np.uint16, 63536, {"RescaleIntercept": -1024, "BitsStored": 12, "HighBit": 11}),
            (np.uint16, 0, {"RescaleIntercept": -1024, "PixelPaddingValue": 0}),
            (np.uint16, 4095, {"RescaleIntercept": -1024, "PixelPaddingValue": 4095}),
            (np.int16, 0, {"RescaleIntercept": 0, "PixelPaddingValue": 0}),
            (np.int16, 32767, {"RescaleIntercept": 0, "PixelPaddingValue": 32767}),
            (np.int16, -1500, {"RescaleIntercept": 0, "PixelPaddingValue": -2000, "PixelPaddingRangeLimit": -1400}),
        ],
    )
    def test_padding_is_air_whatever_its_value(self, tmp_path, disc, kind, pad, tags):
        def values(k):
            return np.where(disc, scene(k) - tags["RescaleIntercept"], pad).astype(np.int64)

        volume = array(read_image(write_series(tmp_path, values=values, kind=kind, RescaleSlope=1, **tags)))
        assert set(np.unique(volume[:, ~disc])) == {AIR}
        np.testing.assert_array_equal(volume[:, disc], TRUTH[:, disc])

    def test_tissue_with_the_padding_value_stays(self, tmp_path, disc):
        def values(k):
            inside = scene(k)
            inside[10:12, 14:16] = 0
            return np.where(disc, inside, 0)

        folder = write_series(tmp_path, values=values, RescaleSlope=1, RescaleIntercept=0, PixelPaddingValue=0)
        volume = array(read_image(folder))
        assert (volume[:, 10:12, 14:16] == 0).all()
        assert (volume[:, ~disc] == AIR).all()

    def test_padding_of_mr_is_no_signal(self, tmp_path, disc):
        folder = write_mr(
            tmp_path, kind=np.int16, values=lambda k: np.where(disc, scene(k), -32768), PixelPaddingValue=-32768
        )
        volume = array(read_image(folder))
        assert (volume[:, ~disc] == 0).all()
        np.testing.assert_array_equal(volume[:, disc], TRUTH[:, disc])

    def test_a_ct_that_was_stored_without_sign_gets_its_sign_back(self, tmp_path):
        folder = write_series(
            tmp_path, values=lambda k: scene(k) - 1000, kind=np.uint16, RescaleSlope=1, RescaleIntercept=0
        )
        np.testing.assert_array_equal(array(read_image(folder)), TRUTH - 1000)


class TestMonochrome1:
    @pytest.mark.parametrize(("bits", "offset"), [(12, 1024), (16, 1024), (12, 0)])
    def test_inverted_values_are_turned_back_with_a_note(self, tmp_path, disc, bits, offset):
        most = (1 << bits) - 1
        measured = np.where(disc, TRUTH, -offset)
        scan = read_scan(
            write_series(
                tmp_path,
                values=lambda k: most - (measured[k] + offset),
                kind=np.uint16,
                BitsStored=bits,
                HighBit=bits - 1,
                PhotometricInterpretation="MONOCHROME1",
                RescaleSlope=1,
                RescaleIntercept=-offset,
            )
        )
        np.testing.assert_array_equal(array(scan.image), measured)
        assert "MONOCHROME1" in scan.notes[0]

    def test_values_that_only_the_display_inverts_stay(self, tmp_path, disc):
        measured = np.where(disc, TRUTH, -1000)
        folder = write_series(
            tmp_path,
            values=lambda k: measured[k] + 1024,
            kind=np.uint16,
            PhotometricInterpretation="MONOCHROME1",
            RescaleSlope=1,
            RescaleIntercept=-1024,
        )
        np.testing.assert_array_equal(array(read_image(folder)), measured)


def test_colour_is_refused(tmp_path):
    folder = write_series(tmp_path, values=lambda k: scene(k) % 250, kind=np.uint8)
    for path in folder.iterdir():
        data = pydicom.dcmread(path)
        data.SamplesPerPixel, data.PhotometricInterpretation, data.PlanarConfiguration = 3, "RGB", 0
        data.PixelData = data.PixelData * 3
        data.save_as(path)
    with pytest.raises(InputError, match="colour"):
        read_image(folder)
