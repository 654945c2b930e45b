"""The places of slices: changing distances, missing, leaning, doubled and displaced slices, a tilted gantry."""

import shutil

import numpy as np
import pytest
from dicom_files import (
    COLUMNS,
    COUNT,
    ORIGIN,
    ROWS,
    SPACING,
    change,
    ids,
    image_dataset,
    place,
    save,
    scene,
    slice_tags,
    write_series,
)
from helpers import array
from pydicom.uid import generate_uid

from StrokeSAMLib.core.errors import InputError
from StrokeSAMLib.io.reading import read_image, read_scan

TRUTH = np.stack([scene(k) for k in range(COUNT)])


def at_heights(folder, heights, thickness=None, numbers=None, **more):
    """Write slices at these heights; the value of a slice is ten times its height, plus the ramp."""
    return write_series(
        folder,
        count=len(heights),
        values=lambda k: 10 * heights[k] + scene(0),
        ImagePositionPatient=lambda k: [*ORIGIN[:2], heights[k]],
        SliceThickness=lambda k: thickness[k] if thickness else 3.0,
        InstanceNumber=lambda k: numbers[k] if numbers else k + 1,
        **more,
    )


def steps(*runs):
    """Heights from runs of (count, step)."""
    return np.cumsum([0.0, *(step for count, step in runs for _ in range(count))]).tolist()


class TestChangingDistances:
    @pytest.mark.parametrize(
        ("runs", "spacing", "count"),
        [
            ([(9, 2.5), (10, 5.0)], 2.5, 30),
            ([(4, 5.0), (6, 2.5), (4, 5.0)], 2.5, 23),
            ([(4, 2.5), (1, 3.75), (5, 5.0)], 2.44, None),
            ([(6, 1.0), (3, 4.0)], 1.0, 19),
        ],
    )
    def test_they_are_resampled_to_the_finest_grid_with_a_note(self, tmp_path, runs, spacing, count):
        heights = steps(*runs)
        scan = read_scan(at_heights(tmp_path, heights))
        image = scan.image
        assert image.GetSpacing()[2] == pytest.approx(spacing, abs=0.07)
        assert count is None or image.GetSize()[2] == count
        assert image.TransformIndexToPhysicalPoint((0, 0, image.GetSize()[2] - 1))[2] == pytest.approx(heights[-1])
        z = np.arange(image.GetSize()[2]) * image.GetSpacing()[2]
        np.testing.assert_allclose(array(image)[:, 0, 0], 10 * z, atol=1.01)
        assert "mm apart: resampled" in scan.notes[0]

    def test_a_last_slice_that_is_thicker_is_no_gap(self, tmp_path):
        thickness = [2.5] * 6 + [5.0]
        image = read_image(at_heights(tmp_path, steps((5, 2.5), (1, 5.0)), thickness))
        assert image.GetSize()[2] == 8

    @pytest.mark.parametrize("jitter", [0.001, 0.05])
    def test_rounded_positions_stay_as_they_are(self, tmp_path, jitter):
        moved = np.random.default_rng(3).uniform(-jitter, jitter, (COUNT, 3))
        moved[[0, -1]] = 0
        scan = read_scan(write_series(tmp_path, ImagePositionPatient=lambda k: (place(k) + moved[k]).round(4).tolist()))
        assert scan.notes == ()
        np.testing.assert_array_equal(array(scan.image), TRUTH)
        assert scan.image.GetSpacing() == pytest.approx(SPACING)

    def test_uneven_positions_are_resampled_to_their_mean_distance(self, tmp_path):
        heights = [3 * k + 0.2 * (-1) ** k for k in range(9)]
        scan = read_scan(at_heights(tmp_path, heights))
        assert scan.image.GetSize()[2] == 9
        assert "resampled to 3 mm" in scan.notes[0]

    def test_positions_that_alternate_sideways_stay_as_they_are(self, tmp_path):
        scan = read_scan(write_series(tmp_path, ImagePositionPatient=lambda k: [0.3 * (k % 2), 0, 3 * k]))
        assert scan.notes == ()
        np.testing.assert_array_equal(array(scan.image), TRUTH)

    def test_distances_that_alternate_have_their_mean(self, tmp_path):
        """As a table whose steps of 9.068 and 8.932 mm follow each other."""
        heights = steps(*[(1, 9.068), (1, 8.932)] * 4)
        image = read_image(at_heights(tmp_path, heights))
        assert image.GetSpacing()[2] == pytest.approx(9.0)


class TestMissingSlices:
    @pytest.mark.parametrize(("gone", "text"), [([3], "13.0"), ([3, 4], "2 slices are missing.*13.0"), ([6], "22.0")])
    def test_the_position_of_a_missing_slice_is_named(self, tmp_path, gone, text):
        folder = write_series(tmp_path)
        for k in gone:
            (folder / f"{k:03}.dcm").unlink()
        with pytest.raises(InputError, match=f"missing.*{text}" if len(gone) == 1 else text):
            read_image(folder)

    def test_two_neighbours_of_one_slice_are_missing(self, tmp_path):
        folder = write_series(tmp_path)
        for k in (2, 4):
            (folder / f"{k:03}.dcm").unlink()
        with pytest.raises(InputError, match=r"slice is missing at \(−10.0, −16.0, 10.0\) mm.*2 such gaps"):
            read_image(folder)

    def test_a_missing_slice_among_changing_distances(self, tmp_path):
        heights = steps((6, 2.5), (6, 5.0))
        numbers = [n + 1 for n in range(len(heights)) if n != 9]
        heights.pop(9)
        with pytest.raises(InputError, match="slice is missing"):
            read_image(at_heights(tmp_path, heights, numbers=numbers))

    def test_a_jump_is_named_as_such(self, tmp_path):
        with pytest.raises(InputError, match=r"a jump of 7\.50 mm"):
            read_image(at_heights(tmp_path, steps((4, 3.0), (1, 7.5), (4, 3.0))))


class TestSlicesOutOfLine:
    def test_a_leaning_slice_is_refused(self, tmp_path):
        for degrees in (2, 10):
            t = np.deg2rad(degrees)
            folder = write_series(
                tmp_path / str(degrees),
                ImageOrientationPatient=lambda k, t=t: [1, 0, 0, 0, np.cos(t * (k == 4)), np.sin(t * (k == 4))],
            )
            with pytest.raises(InputError, match=rf"004\.dcm at .* leans by {degrees}\.0°"):
                read_image(folder)

    @pytest.mark.parametrize("from_slice", [4, 7])
    def test_slices_beside_the_line_of_the_others_are_refused(self, tmp_path, from_slice):
        folder = write_series(
            tmp_path, ImagePositionPatient=lambda k: [ORIGIN[0] + 6.0 * (k >= from_slice), *place(k)[1:]]
        )
        with pytest.raises(InputError, match=r"lies 6\.0 mm beside the line of those before"):
            read_image(folder)

    def test_pixel_spacing_that_changes_makes_two_volumes(self, tmp_path):
        folder = write_series(tmp_path, PixelSpacing=lambda k: [0.5, 0.75] if k < 4 else [0.4, 0.4])
        with pytest.raises(InputError, match=r"2 volumes fit equally.*0\.75 × 0\.5 × 3 mm.*0\.4 × 0\.4 × 3 mm"):
            read_image(folder)


class TestDoubledSlices:
    @pytest.mark.parametrize("has_new_uid", [False, True])
    def test_the_same_slice_twice_is_dropped_with_a_note(self, tmp_path, has_new_uid):
        folder = write_series(tmp_path)
        shutil.copy(folder / "003.dcm", folder / "copy.dcm")
        if has_new_uid:
            change(folder / "copy.dcm", SOPInstanceUID=generate_uid())
        scan = read_scan(folder)
        np.testing.assert_array_equal(array(scan.image), TRUTH)
        assert scan.notes == ("1 slice stands twice in the series: dropped",)

    def test_a_whole_series_that_is_there_twice_is_read_once(self, tmp_path):
        series = ids()
        write_series(tmp_path / "a", series=series)
        write_series(tmp_path / "b", series=series)
        scan = read_scan(tmp_path)
        np.testing.assert_array_equal(array(scan.image), TRUTH)
        assert "8 slices stand twice" in scan.notes[0]

    def test_two_different_slices_at_one_place_are_refused(self, tmp_path):
        series = ids()
        folder = write_series(tmp_path, series=series)
        other = image_dataset((scene(3) + 1).astype(np.int16), **slice_tags(3), **series)
        save(other, folder / "other.dcm")
        with pytest.raises(InputError, match=r"two slices differ at \(−10\.0, −16\.0, 13\.0\) mm: 003\.dcm and other"):
            read_image(folder)


class TestOrientation:
    @pytest.mark.parametrize("reverse", [False, True])
    @pytest.mark.parametrize("seed", range(4))
    def test_every_voxel_lies_where_its_header_says(self, tmp_path, seed, reverse):
        """Oblique orientations, slices written in either order."""
        across, down = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))[0][:2]
        folder = write_series(
            tmp_path,
            **{
                name: (lambda k, name=name: slice_tags(k, orientation=(*across, *down))[name])
                for name in ("ImageOrientationPatient", "ImagePositionPatient")
            },
            InstanceNumber=lambda k: COUNT - k if reverse else k + 1,
        )
        image = read_image(folder)
        np.testing.assert_array_equal(array(image), TRUTH)
        normal = np.cross(across, down)
        for i, j, k in ((0, 0, 0), (COLUMNS - 1, 0, 3), (5, ROWS - 1, COUNT - 1)):
            expected = np.asarray(ORIGIN) + i * SPACING[0] * across + j * SPACING[1] * down + k * SPACING[2] * normal
            assert image.TransformIndexToPhysicalPoint((i, j, k)) == pytest.approx(expected.tolist(), abs=1e-5)

    def test_a_tilted_gantry_is_told(self, tmp_path):
        t = np.deg2rad(-12)
        folder = write_series(tmp_path, ImageOrientationPatient=[1, 0, 0, 0, np.cos(t), np.sin(t)])
        scan = read_scan(folder)
        assert "tilted by 12.0°" in scan.notes[0]
        assert scan.image.GetSize()[1] > ROWS

    def test_tags_of_spacing_that_lie_are_passed_over(self, tmp_path):
        folder = write_series(tmp_path, SpacingBetweenSlices=-20.0, SliceThickness=9.0, SliceLocation=lambda k: 50 - k)
        assert read_image(folder).GetSpacing() == pytest.approx(SPACING)


def test_a_file_without_position_is_named_as_such(tmp_path):
    folder = write_series(tmp_path, ImagePositionPatient=None, SOPInstanceUID=lambda k: generate_uid())
    with pytest.raises(InputError, match="no Image Position"):
        read_image(folder)


@pytest.mark.parametrize("tag", ["ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"])
def test_one_slice_without_a_place_is_named(tmp_path, tag):
    change(write_series(tmp_path) / "004.dcm", **{tag: None})
    with pytest.raises(InputError, match=r"004\.dcm has no readable Image Position"):
        read_image(tmp_path)
