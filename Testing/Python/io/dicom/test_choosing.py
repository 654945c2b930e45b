"""The volume that an input asks for, among b-values, echoes, times, orientations, localizers and series."""

import numpy as np
import pytest
from dicom_files import COUNT, ids, image_dataset, save, scene, slice_tags, write_mr, write_series
from helpers import array
from pydicom.uid import MRImageStorage

from StrokeSAMLib.core.errors import InputError
from StrokeSAMLib.io.dicom.study import open_study
from StrokeSAMLib.io.reading import read_image, read_scan

TRUTH = np.stack([scene(k) for k in range(COUNT)])


def offset(value):
    return lambda k: scene(k) + value


@pytest.fixture
def study(tmp_path):
    """A function that adds a volume to one series of MR; the values are the scene's plus `value`."""
    series, count = ids(), [0]

    def add(value, folder=None, series=series, **tags):
        first = count[0] * COUNT
        count[0] += 1
        write_mr(
            folder or tmp_path,
            prefix=f"{count[0]}_",
            values=offset(value),
            series=series,
            InstanceNumber=lambda k: first + k + 1,
            **tags,
        )
        return tmp_path

    return add


def value(path, wanted):
    """What was added to the scene in the volume that is read, and the notes."""
    scan = read_scan(path, wanted)
    extra = np.unique(array(scan.image) - TRUTH)
    assert len(extra) == 1
    return float(extra[0]), " | ".join(scan.notes)


class TestDiffusion:
    def test_the_highest_b_value_is_the_dwi_and_the_lowest_the_b0(self, study):
        for b in (0, 500, 1000):
            folder = study(b, DiffusionBValue=float(b))
        found, notes = value(folder, "dwi")
        assert found == 1000
        assert "b = 1000 s/mm²" in notes
        assert value(folder, "b0")[0] == 0

    def test_the_trace_goes_before_its_directions(self, study):
        study(1, DiffusionBValue=0.0)
        for n, direction in enumerate(np.eye(3)):
            study(
                10 + n,
                DiffusionBValue=1000.0,
                DiffusionDirectionality="DIRECTIONAL",
                DiffusionGradientOrientation=direction.tolist(),
            )
        folder = study(50, DiffusionBValue=1000.0, DiffusionDirectionality="ISOTROPIC")
        found, notes = value(folder, "dwi")
        assert found == 50
        assert "(trace)" in notes

    def test_directions_without_a_trace_are_averaged_with_a_note(self, study):
        study(1, DiffusionBValue=0.0)
        for n, direction in enumerate(np.eye(3)):
            folder = study(10 + n, DiffusionBValue=1000.0 + n, DiffusionGradientOrientation=direction.tolist())
        found, notes = value(folder, "dwi")
        assert found == 11
        assert "mean of the 3 directions" in notes

    def test_repetitions_of_b0_are_averaged_with_a_note(self, study):
        study(1, DiffusionBValue=0.0)
        study(3, DiffusionBValue=0.0)
        folder = study(50, DiffusionBValue=1000.0)
        found, notes = value(folder, "b0")
        assert found == 2
        assert "mean of 2 repetitions" in notes

    @pytest.mark.parametrize(
        "tags",
        [
            {"ImageType": ["DERIVED", "PRIMARY", "DIFFUSION", "ADC"]},
            {"ImageType": ["DERIVED", "SECONDARY", "ADC_UNSPECIFIED", "ADC"]},
            {"SeriesDescription": "Apparent Diffusion Coefficient (mm2/s)"},
            {"SeriesDescription": "ep2d_diff_3scan_ADC"},
        ],
    )
    def test_the_adc_is_known_by_its_image_type_or_description(self, study, tags):
        study(1, DiffusionBValue=0.0)
        study(2, DiffusionBValue=1000.0)
        study(4, series=ids(), ImageType=["DERIVED", "PRIMARY", "EADC"], SeriesDescription="eADC")
        folder = study(3, series=ids(), **tags)
        assert [value(folder, wanted)[0] for wanted in ("adc", "dwi", "b0")] == [3, 2, 1]

    def test_a_b0_is_neither_dwi_nor_adc(self, study):
        folder = study(0, DiffusionBValue=0.0)
        for wanted in ("dwi", "adc"):
            with pytest.raises(InputError, match=f"no volume there is for {wanted}: #1 MR b = 0"):
                read_scan(folder, wanted)

    def test_a_dwi_without_b_value_is_known_by_its_description(self, study):
        study(0, series=ids(), SeriesDescription="T2 FLAIR")
        folder = study(1, series=ids(), SeriesDescription="ep2d_diff")
        assert value(folder, "dwi")[0] == 1

    @pytest.mark.parametrize(
        ("block", "creator", "offset", "vr", "values"),
        [
            (0x19, "SIEMENS MR HEADER", 0x0C, "IS", ["0", "1000"]),
            (0x2001, "Philips Imaging DD 001", 0x03, "FL", [0.0, 1000.0]),
            (0x43, "GEMS_PARM_01", 0x39, "IS", [["0", "8", "0", "0"], ["1000001000", "8", "0", "0"]]),
            (0x65, "Image Private Header", 0x09, "FD", [1.25, 1000.0]),
        ],
    )
    def test_b_values_of_the_vendors(self, tmp_path, block, creator, offset, vr, values):
        series = ids()
        for n, b in enumerate(values):
            for k in range(COUNT):
                data = image_dataset(
                    (scene(k) + n).astype(np.uint16),
                    modality="MR",
                    sop=MRImageStorage,
                    **{**slice_tags(k), **series, "InstanceNumber": n * COUNT + k + 1},
                )
                data.private_block(block, creator, create=True).add_new(offset, vr, b)
                save(data, tmp_path / f"{n}_{k}")
        found, notes = value(tmp_path, "dwi")
        assert found == 1
        assert "b = 1000" in notes

    def test_the_isotropic_image_of_philips_is_the_trace(self, tmp_path):
        series = ids()
        for n, letter in enumerate("RPSI"):
            for k in range(COUNT):
                tags = {**slice_tags(k), **series, "InstanceNumber": n * COUNT + k + 1}
                data = image_dataset((scene(k) + n).astype(np.uint16), modality="MR", sop=MRImageStorage, **tags)
                block = data.private_block(0x2001, "Philips Imaging DD 001", create=True)
                block.add_new(0x03, "FL", 1000.0)
                block.add_new(0x04, "CS", letter)
                save(data, tmp_path / f"{n}_{k}")
        found, notes = value(tmp_path, "dwi")
        assert found == 3
        assert "(trace)" in notes

    @pytest.mark.parametrize(
        "tags", [("SequenceName", "ep_b0", "ep_b1000t"), ("SequenceName", "*ep_b0", "*ep_b1000#1")]
    )
    def test_b_values_in_the_name_of_the_sequence(self, study, tags):
        study(0, **{tags[0]: tags[1]})
        folder = study(1, **{tags[0]: tags[2]})
        assert value(folder, "dwi")[0] == 1

    def test_a_b_value_in_the_description_of_a_series(self, study):
        study(0, series=ids(), SeriesDescription="DWI b0")
        folder = study(1, series=ids(), SeriesDescription="DWI b1000")
        assert value(folder, "dwi")[0] == 1


class TestComputedTomography:
    @pytest.fixture
    def folder(self, tmp_path):
        """An axial CT, its coronal reformation, its localizer, and a CT with contrast medium."""
        axial = ["ORIGINAL", "PRIMARY", "AXIAL"]
        write_series(tmp_path / "head", ImageType=axial, SeriesNumber=2)
        write_series(
            tmp_path / "coronal",
            values=offset(1),
            ImageType=["DERIVED", "SECONDARY", "REFORMATTED"],
            ImageOrientationPatient=[1, 0, 0, 0, 0, -1],
            ImagePositionPatient=lambda k: [0, 3 * k, 0],
        )
        write_series(tmp_path / "angio", values=offset(2), ImageType=axial, ContrastBolusAgent="Iomeron")
        return tmp_path

    def test_the_original_axial_ct_without_contrast_is_the_ncct(self, folder):
        assert value(folder, "ncct")[0] == 0

    def test_several_equal_ones_are_listed_in_one_line(self, folder):
        write_series(folder / "bone", ImageType=["ORIGINAL", "PRIMARY", "AXIAL"], SeriesDescription="H60")
        with pytest.raises(InputError, match=r"2 volumes fit equally.*#2 CT 'H60'.*in bone.*#4 CT.*in head") as error:
            read_scan(folder, "ncct")
        assert "\n" not in str(error.value)

    def test_an_mr_is_no_ncct_and_a_ct_no_dwi(self, folder, tmp_path_factory):
        other = write_mr(tmp_path_factory.mktemp("mr"))
        for path, wanted in ((other, "ncct"), (folder, "dwi"), (folder, "adc"), (folder, "b0")):
            with pytest.raises(InputError, match=f"no volume there is for {wanted}"):
                read_scan(path, wanted)

    @pytest.mark.parametrize("position", [(0, -16, 60), (0, -16, 28)])
    def test_a_localizer_in_the_series_is_left_out(self, tmp_path, position):
        series = ids()
        write_series(tmp_path, series=series)
        tags = slice_tags(90, position=position, orientation=(0, 1, 0, 0, 0, -1))
        data = image_dataset(
            np.full((24, 32), 3000, np.int16), ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"], **tags, **series
        )
        save(data, tmp_path / "scout.dcm")
        for wanted in ("", "ncct"):
            assert value(tmp_path, wanted)[0] == 0

    def test_a_localizer_that_is_not_called_one_is_left_out(self, tmp_path):
        series = ids()
        write_series(tmp_path, series=series)
        for n, orientation in enumerate([(0, 1, 0, 0, 0, -1), (1, 0, 0, 0, 0, -1)]):
            data = image_dataset(scene(0).astype(np.int16), **slice_tags(90 + n, orientation=orientation), **series)
            save(data, tmp_path / f"scout{n}.dcm")
        assert value(tmp_path, "")[0] == 0


class TestVolumesOfOneSeries:
    @pytest.mark.parametrize(
        ("tag", "values"),
        [
            ("EchoTime", (10, 80)),
            ("EchoNumbers", (1, 2)),
            ("TemporalPositionIdentifier", (1, 2)),
            ("AcquisitionNumber", (1, 2)),
            ("InversionTime", (100, 900)),
            ("ImageType", (["ORIGINAL", "PRIMARY", "M"], ["ORIGINAL", "PRIMARY", "P"])),
            ("AcquisitionTime", ("101010", "101110")),
            ("SeriesDescription", ("one", "two")),
        ],
    )
    def test_they_are_told_apart_by_any_of_these(self, study, tag, values):
        for n, entry in enumerate(values):
            folder = study(n, **{tag: entry})
        with pytest.raises(InputError, match="2 volumes fit equally"):
            read_image(folder)
        assert [value(f"{folder}#{n}", "")[0] for n in (1, 2)] == [0, 1]

    def test_they_are_told_apart_by_their_order_alone(self, study):
        for n in range(3):
            folder = study(n, AcquisitionTime=lambda k, n=n: f"10{k:02}{n:02}")
        assert [value(f"{folder}#{n}", "")[0] for n in (1, 2, 3)] == [0, 1, 2]

    def test_two_orientations_are_two_volumes(self, study):
        study(0)
        folder = study(1, ImageOrientationPatient=[0, 1, 0, 0, 0, -1], ImagePositionPatient=lambda k: [3 * k, 0, 0])
        with pytest.raises(InputError, match=r"axial.*sagittal"):
            read_image(folder)
        with open_study(folder) as found:
            assert [stack.plane_name for stack in found.stacks] == ["axial", "sagittal"]

    def test_acquisition_times_of_each_slice_do_not_tear_a_volume_apart(self, study):
        folder = study(0, AcquisitionTime=lambda k: f"1010{k:02}", TriggerTime=lambda k: 10.0 * k)
        assert value(folder, "")[0] == 0

    def test_a_number_that_is_not_there_is_refused(self, study):
        folder = study(0)
        for number in (0, 2):
            with pytest.raises(InputError, match=f"there is no volume {number}: #1 MR"):
                read_image(f"{folder}#{number}")

    def test_a_folder_whose_own_name_has_a_number_is_read(self, tmp_path):
        assert value(write_series(tmp_path / "scan#7"), "")[0] == 0
        assert value(f"{tmp_path / 'scan#7'}#1", "")[0] == 0


class TestDamagedFiles:
    def test_a_study_without_files_of_its_own_lists_its_subfolders(self, tmp_path):
        write_series(tmp_path / "head")
        write_series(tmp_path / "neck")
        with pytest.raises(InputError, match=r"2 volumes.*, in head; .*, in neck"):
            read_image(tmp_path)

    def test_a_damaged_file_of_another_folder_does_not_matter(self, tmp_path):
        write_series(tmp_path / "head")
        (tmp_path / "other").mkdir()
        (tmp_path / "other" / "a.dcm").write_bytes(b"\0" * 128 + b"DICM\2\0")
        assert value(tmp_path, "")[0] == 0

    def test_a_name_that_commands_a_terminal_is_printed_without_its_signs(self, tmp_path):
        write_series(tmp_path / "a", SeriesDescription="head\x1b[31m\nred")
        write_series(tmp_path / "b")
        with pytest.raises(InputError) as error:
            read_image(tmp_path)
        assert "\x1b" not in str(error.value)
        assert "\n" not in str(error.value)
