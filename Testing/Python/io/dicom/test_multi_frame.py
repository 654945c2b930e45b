"""Files with several slices: enhanced CT and MR, one frame a file, segmentations, mosaics, NM."""

import struct

import numpy as np
import pytest
from dicom_files import (
    COUNT,
    ORIGIN,
    SPACING,
    enhanced,
    ids,
    image_dataset,
    item,
    mosaic,
    place,
    save,
    scene,
    slice_tags,
)
from helpers import array
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    EnhancedCTImageStorage,
    LegacyConvertedEnhancedMRImageStorage,
    MRImageStorage,
    NuclearMedicineImageStorage,
    SegmentationStorage,
    XRay3DAngiographicImageStorage,
)

from StrokeSAMLib.core.errors import InputError
from StrokeSAMLib.io.reading import read_image, read_scan

TRUTH = np.stack([scene(k) for k in range(COUNT)])
SHUFFLED = [3, 0, 7, 1, 6, 2, 5, 4]


def rescaling(slope, intercept=0.0):
    return item(RescaleSlope=float(slope), RescaleIntercept=float(intercept), RescaleType="US")


def check(image, truth=TRUTH):
    np.testing.assert_allclose(array(image), truth, rtol=1e-6)
    assert image.GetSpacing() == pytest.approx(SPACING)
    assert image.GetOrigin() == pytest.approx(ORIGIN)


class TestEnhanced:
    def test_frames_in_any_order_with_a_scale_each(self, tmp_path):
        stored = np.stack([TRUTH[k] * (k + 1) for k in SHUFFLED]).astype(np.uint16)
        own = [{"PixelValueTransformationSequence": rescaling(f"{1 / (k + 1):.12f}")} for k in SHUFFLED]
        save(enhanced(stored, [place(k) for k in SHUFFLED], own), tmp_path / "scan")
        check(read_image(tmp_path))
        check(read_image(tmp_path / "scan"))

    @pytest.mark.parametrize("sop", [EnhancedCTImageStorage, XRay3DAngiographicImageStorage])
    def test_a_scale_for_all_frames(self, tmp_path, sop):
        shared = {"PixelValueTransformationSequence": rescaling(1, -1024)}
        stored = (TRUTH + 1024).astype(np.uint16)
        save(enhanced(stored, map(place, range(COUNT)), shared=shared, sop=sop, modality="CT"), tmp_path / "scan.dcm")
        check(read_image(tmp_path))

    def test_one_frame_a_file(self, tmp_path):
        series = ids()
        for k in range(COUNT):
            data = enhanced(TRUTH[k : k + 1].astype(np.int16), [place(k)], InstanceNumber=k + 1, **series)
            save(data, tmp_path / f"{COUNT - k}.dcm")
        check(read_image(tmp_path))

    def test_an_orientation_for_every_frame(self, tmp_path):
        own = [
            {"PlaneOrientationSequence": item(ImageOrientationPatient=[1.0, 0.0, 0.0, 0.0, 1.0, 0.0])}
            for _ in range(COUNT)
        ]
        data = enhanced(TRUTH.astype(np.int16), map(place, range(COUNT)), own)
        del data.SharedFunctionalGroupsSequence[0].PlaneOrientationSequence
        save(data, tmp_path / "scan.dcm")
        check(read_image(tmp_path))

    def test_b_values_in_one_file_are_told_apart(self, tmp_path):
        stored = np.concatenate([TRUTH, TRUTH + 5000]).astype(np.uint16)
        weightings = [{"DiffusionBValue": 0.0, "DiffusionDirectionality": "NONE"}] * COUNT + [
            {"DiffusionBValue": 1000.0, "DiffusionDirectionality": "ISOTROPIC"}
        ] * COUNT
        own = [{"MRDiffusionSequence": item(**weighting)} for weighting in weightings]
        save(enhanced(stored, [place(k) for k in [*range(COUNT)] * 2], own), tmp_path / "scan.dcm")
        check(read_scan(tmp_path, "dwi").image, TRUTH + 5000)
        check(read_scan(tmp_path, "b0").image)

    def test_a_conversion_from_single_slices_keeps_the_b_value_unassigned(self, tmp_path):
        unassigned = [
            {"UnassignedPerFrameConvertedAttributesSequence": item(DiffusionBValue=float(b), EchoTime=80.0)}
            for b in [0] * COUNT + [800] * COUNT
        ]
        stored = np.concatenate([TRUTH, TRUTH + 5000]).astype(np.uint16)
        sop = LegacyConvertedEnhancedMRImageStorage
        positions = [place(k) for k in [*range(COUNT)] * 2]
        save(enhanced(stored, positions, unassigned, sop=sop), tmp_path / "scan.dcm")
        scan = read_scan(tmp_path, "dwi")
        check(scan.image, TRUTH + 5000)
        assert "b = 800" in scan.notes[0]

    def test_temporal_positions_are_told_apart(self, tmp_path):
        own = [{"FrameContentSequence": item(TemporalPositionIndex=t)} for t in [1] * COUNT + [2] * COUNT]
        stored = np.concatenate([TRUTH, TRUTH + 5000]).astype(np.uint16)
        save(enhanced(stored, [place(k) for k in [*range(COUNT)] * 2], own), tmp_path / "scan.dcm")
        check(read_image(f"{tmp_path}#2"), TRUTH + 5000)

    def test_a_number_of_frames_beyond_the_pixels_is_refused(self, tmp_path):
        data = enhanced(TRUTH.astype(np.int16), map(place, range(COUNT)))
        data.NumberOfFrames = 5000
        save(data, tmp_path / "scan.dcm")
        with pytest.raises(InputError, match=r"scan\.dcm is truncated: 12288 bytes of pixels"):
            read_image(tmp_path)


def test_a_binary_segmentation_of_one_bit_a_pixel(tmp_path):
    truth = np.random.default_rng(0).random(TRUTH.shape) > 0.5
    data = enhanced(
        truth.astype(np.uint8), map(place, range(COUNT)), sop=SegmentationStorage, modality="SEG", BitsStored=1
    )
    data.BitsAllocated, data.HighBit = 1, 0
    data.PixelData = np.packbits(truth.ravel(), bitorder="little").tobytes()
    save(data, tmp_path / "seg.dcm")
    check(read_image(tmp_path), truth)


@pytest.mark.parametrize("step", [3.0, -3.0])
def test_nuclear_medicine_has_its_position_in_the_detector(tmp_path, step):
    detector = item(ImagePositionPatient=list(ORIGIN), ImageOrientationPatient=[1, 0, 0, 0, 1, 0])
    data = image_dataset(
        TRUTH.astype(np.uint16),
        sop=NuclearMedicineImageStorage,
        modality="NM",
        NumberOfFrames=COUNT,
        PixelSpacing=[SPACING[1], SPACING[0]],
        SpacingBetweenSlices=step,
        DetectorInformationSequence=detector,
        **ids(),
    )
    save(data, tmp_path / "nm.dcm")
    image = read_image(tmp_path)
    np.testing.assert_array_equal(array(image), TRUTH if step > 0 else TRUTH[::-1])
    assert image.GetOrigin()[2] == pytest.approx(ORIGIN[2] + min(0, step * (COUNT - 1)))


def csa(**fields):
    """A CSA header with these fields, each a list of numbers."""
    parts = [b"SV10\4\3\2\1", struct.pack("<2I", len(fields), 77)]
    for name, values in fields.items():
        parts.append(name.encode().ljust(64, b"\0") + struct.pack("<i4s3I", len(values), b"FD\0\0", 4, 6, 77))
        for number in range(6):
            text = f"{values[number]:.8f}".encode() + b"\0" if number < len(values) else b""
            parts.append(
                struct.pack("<4I", len(text), len(text), 77, len(text)) + text.ljust((len(text) + 3) // 4 * 4, b"\0")
            )
    return b"".join(parts)


class TestMosaics:
    def siemens(self, volume, header=None, **tags):
        """A mosaic by Siemens: its Image Position is that of a frame of the mosaic's size around the same centre."""
        tiles = mosaic(volume)
        outside = (np.asarray(tiles.shape) - volume.shape[1:]) / 2
        corner = [ORIGIN[0] - outside[1] * SPACING[0], ORIGIN[1] - outside[0] * SPACING[1], ORIGIN[2]]
        tags = {
            **slice_tags(0, position=corner),
            "ImageType": ["ORIGINAL", "PRIMARY", "M", "ND", "MOSAIC"],
            "SpacingBetweenSlices": SPACING[2],
            **ids(),
            **tags,
        }
        data = image_dataset(tiles, sop=MRImageStorage, modality="MR", **tags)
        if header is None:
            data.private_block(0x19, "SIEMENS MR HEADER", create=True).add_new(0x0A, "US", len(volume))
        else:
            data.private_block(0x29, "SIEMENS CSA HEADER", create=True).add_new(0x10, "OB", header)
        return data

    @pytest.mark.parametrize("count", [8, 9, 5])
    def test_of_siemens(self, tmp_path, count):
        save(self.siemens(TRUTH[:count].astype(np.uint16)), tmp_path / "a.IMA")
        check(read_image(tmp_path), TRUTH[:count])

    @pytest.mark.parametrize("sign", [1, -1])
    def test_of_siemens_with_the_direction_of_its_slices_and_the_b_value_in_the_csa_header(self, tmp_path, sign):
        series = ids()
        for n, b in enumerate((0, 1000)):
            header = csa(NumberOfImagesInMosaic=[8], SliceNormalVector=[0, 0, sign], B_value=[b])
            data = self.siemens((TRUTH + b).astype(np.uint16), header, InstanceNumber=n + 1, **series)
            save(data, tmp_path / f"{n}.dcm")
        scan = read_scan(tmp_path, "dwi")
        np.testing.assert_array_equal(array(scan.image), TRUTH[::sign] + 1000)
        assert scan.image.GetOrigin()[2] == pytest.approx(ORIGIN[2] + min(0, sign * 3.0 * (COUNT - 1)))
        assert "b = 1000" in scan.notes[0]

    def test_of_uih(self, tmp_path):
        volume = TRUTH.astype(np.uint16)
        tiles = mosaic(volume)
        slices = []
        for k in range(COUNT):
            entry = Dataset()
            entry.ImagePositionPatient = place(k)
            slices.append(entry)
        data = image_dataset(
            tiles,
            sop=MRImageStorage,
            modality="MR",
            ImageType=["ORIGINAL", "PRIMARY", "M", "VFRAME"],
            PixelSpacing=[SPACING[1], SPACING[0]],
            ImageOrientationPatient=[1, 0, 0, 0, 1, 0],
            **ids(),
        )
        block = data.private_block(0x65, "Image Private Header", create=True)
        block.add_new(0x50, "DS", str(COUNT))
        block.add_new(0x51, "SQ", Sequence(slices))
        block.add_new(0x09, "FD", 929.75)
        save(data, tmp_path / "a.dcm")
        scan = read_scan(tmp_path, "dwi")
        check(scan.image)
        assert "b = 929.75" in scan.notes[0]

    def test_without_the_number_of_slices_is_refused(self, tmp_path):
        save(self.siemens(TRUTH.astype(np.uint16), header=b"SV10 nothing"), tmp_path / "a.dcm")
        with pytest.raises(InputError, match="mosaic without the number of its slices"):
            read_image(tmp_path)
