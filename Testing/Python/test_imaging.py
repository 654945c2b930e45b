"""Grids, masks and morphology on small arrays; writing."""

import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import numpy as np
import pytest
import scipy.ndimage as ndi
import SimpleITK as sitk

from StrokeSAMLib.errors import Cancelled, InputError
from StrokeSAMLib.files import replacing
from StrokeSAMLib.imaging.checks import check_volume
from StrokeSAMLib.imaging.geometry import like, mask_like, overlap, same_grid, shrink
from StrokeSAMLib.imaging.hounsfield import to_hounsfield
from StrokeSAMLib.imaging.mirror import find_mirror
from StrokeSAMLib.imaging.morphology import (
    close,
    depth,
    dilate,
    hysteresis,
    masked_gaussian,
    remove_small,
    sure_components,
)
from StrokeSAMLib.imaging.plane import Plane
from StrokeSAMLib.imaging.writing import check_image_output, check_output, write_image
from StrokeSAMLib.monitor import Monitor


def image_of(array, spacing=(1.0, 1.0, 1.0), origin=(0.0, 0.0, 0.0), direction=None):
    image = sitk.GetImageFromArray(np.asarray(array))
    image.SetSpacing(spacing)
    image.SetOrigin(origin)
    if direction is not None:
        image.SetDirection(np.ravel(direction).tolist())
    return image


class TestPlane:
    def test_distance_is_measured_in_patient_space_on_a_flipped_and_oblique_grid(self):
        turn = np.deg2rad(30)
        axes = np.array([[-np.cos(turn), np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]])
        image = image_of(np.zeros((3, 4, 5), np.float32), (0.5, 2.0, 3.0), (10.0, -20.0, 5.0), axes)
        plane = Plane.through(np.array([4.0, 0.0, 0.0]), np.array([2.0, 0.0, 0.0]))
        distance = plane.distance_map(image)
        for index in [(0, 0, 0), (4, 3, 2), (1, 2, 0)]:
            expected = image.TransformIndexToPhysicalPoint(index)[0] - 4.0
            assert distance[index[::-1]] == pytest.approx(expected, abs=1e-4)

    def test_normal_points_to_the_patients_left(self):
        assert Plane.through(np.zeros(3), np.array([-1.0, 0.2, 0.0])).normal[0] > 0


class TestGeometry:
    def test_shrink_averages_whole_blocks_and_keeps_the_extent(self):
        array = np.arange(64, dtype=np.float32).reshape(4, 4, 4)
        small = shrink(image_of(array, (0.5, 0.5, 5.0)), (1.0, 1.0, 2.0))
        assert small.GetSize() == (2, 2, 4)
        assert small.GetSpacing() == pytest.approx((1.0, 1.0, 5.0))
        assert small.GetOrigin() == pytest.approx((0.25, 0.25, 0.0))
        assert sitk.GetArrayViewFromImage(small)[0, 0, 0] == pytest.approx(array[0, :2, :2].mean())

    def test_same_grid_sees_a_shift(self):
        image = image_of(np.zeros((3, 3, 3)))
        assert same_grid(image, image_of(np.zeros((3, 3, 3)), origin=(1e-4, 0, 0)))
        assert not same_grid(image, image_of(np.zeros((3, 3, 3)), origin=(0.1, 0, 0)))

    def test_mask_like_keeps_volume_and_place_on_a_finer_grid(self):
        mask = np.zeros((10, 10, 10), np.uint8)
        mask[3:7, 3:7, 3:7] = 1
        fine = sitk.Image(40, 40, 40, sitk.sitkUInt8)
        fine.SetSpacing((0.25,) * 3)
        fine.SetOrigin((-0.375,) * 3)
        found = sitk.GetArrayFromImage(mask_like(image_of(mask), fine))
        assert found.sum() / 64 == pytest.approx(64, rel=0.15)
        assert np.argwhere(found).mean(axis=0) == pytest.approx([19.5] * 3, abs=0.5)

    def test_overlap_is_the_part_within_the_other_image(self):
        inside = np.ones((4, 4, 4), bool)
        reference = image_of(np.zeros((4, 4, 4), np.float32))
        assert overlap(image_of(np.zeros((4, 4, 2), np.float32)), reference, inside) == pytest.approx(0.5)
        assert overlap(image_of(np.zeros((4, 4, 4)), origin=(99, 0, 0)), reference, inside) == 0


class TestMorphology:
    def test_hysteresis_keeps_only_components_with_a_seed(self):
        allowed = np.zeros((1, 1, 7), bool)
        allowed[0, 0, [0, 1, 4, 5]] = True
        seeds = np.zeros_like(allowed)
        seeds[0, 0, [1, 6]] = True  # the second seed is not allowed itself
        np.testing.assert_array_equal(np.flatnonzero(hysteresis(seeds, allowed)), [0, 1])

    def test_remove_small_counts_voxels_of_touching_corners_together(self):
        mask = np.zeros((1, 4, 6), bool)
        mask[0, 0, 0] = mask[0, 1, 1] = True  # joined by a corner
        mask[0, 3, 5] = True
        np.testing.assert_array_equal(np.argwhere(remove_small(mask, 2)), [[0, 0, 0], [0, 1, 1]])

    def test_sure_components_takes_touching_corners_together(self):
        probability = np.zeros((1, 2, 6), np.float32)
        probability[0, [0, 1], [0, 1]] = 0.995, 0.5
        probability[0, 0, 4] = 0.98
        assert sure_components(probability, 0.1, 0)[0].sum() == 3
        sure, doubtful = sure_components(probability, 0.1, 0, 1)
        np.testing.assert_array_equal(np.argwhere(sure), [[0, 0, 0], [0, 1, 1]])
        np.testing.assert_array_equal(np.argwhere(doubtful), [[0, 0, 4]])
        np.testing.assert_array_equal(sure_components(probability, 0.1, 2)[0], sure)
        assert not sure_components(probability, 0.1, 0, 2)[0].any()
        assert not sure_components(np.zeros_like(probability), 0.1, 0)[0].any()

    def test_masked_gaussian_ignores_what_is_outside_the_mask(self):
        array = np.full((1, 1, 21), 30.0, np.float32)
        array[..., 11:] = 1000
        mask = array < 100
        assert masked_gaussian(array, mask, 3.0, (1, 1, 1))[mask] == pytest.approx(30, abs=1e-3)

    @pytest.mark.parametrize("place", [np.s_[4:7, 8:12, 5:9], np.s_[:3, 14:, :2], np.s_[:], np.s_[:0]])
    def test_distances_are_those_of_the_whole_array(self, place):
        mask, spacing = np.zeros((12, 16, 14), bool), (2.0, 1.0, 0.9)
        mask[place] = np.random.default_rng(1).random(mask[place].shape) < 0.9
        assert np.array_equal(depth(mask, spacing), ndi.distance_transform_edt(mask, sampling=spacing))
        near = ndi.distance_transform_edt(~mask, sampling=spacing) <= 3.0
        assert np.array_equal(dilate(mask, 3.0, spacing), near & mask.any())

    def test_closing_is_in_millimetres(self):
        mask = np.zeros((1, 1, 12), bool)
        mask[..., [2, 6]] = True
        near, far = (1.0, 1.0, 0.5), (1.0, 1.0, 2.0)
        assert close(mask, 1.1, near)[0, 0, 4]
        assert not close(mask, 1.1, far)[0, 0, 4]


class Late(threading.Event):
    """Set at the third question after `begin`."""

    asked = -np.inf

    def begin(self):
        self.asked = 0

    def is_set(self):
        self.asked += 1
        return self.asked >= 3


@pytest.fixture(scope="module")
def striped():
    """A brain of stripes, one hemisphere of which is bent by up to 6 mm half-way up; and its mask."""
    k, j, i = np.indices((30, 40, 36))
    brain = ((k - 14.5) / 14) ** 2 + ((j - 19.5) / 18) ** 2 + ((i - 17.5) / 16) ** 2 < 1
    bend = np.where(i > 17.5, 1.5 * np.sin(np.pi * k / 30), 0)
    stripes = (20 + 6 * np.cos((j + bend) / 2)) * brain
    return tuple(image_of(each, (4.0, 4.0, 4.0)) for each in (stripes.astype(np.float32), brain.astype(np.uint8)))


class TestMirror:
    def test_a_spline_follows_what_no_affine_does(self, striped):
        affine, spline = (find_mirror(*striped, deformable, Monitor()) for deformable in (False, True))
        assert abs(affine.plane.normal[0]) > 0.99
        assert spline.correlation > affine.correlation + 0.015

    def test_it_does_not_depend_on_the_field_of_view(self, striped):
        """A scan of head and neck is longer than one of the head, and the brain is the same."""
        longer = [sitk.ConstantPad(image, (3, 0, 30), (0, 6, 9)) for image in striped]
        near, far = (find_mirror(*images, True, Monitor()) for images in (striped, longer))
        inside = sitk.GetArrayFromImage(striped[1]) > 0
        one, other = (sitk.GetArrayFromImage(each.image_of(striped[0], 0.0))[inside] for each in (near, far))
        assert np.corrcoef(one, other)[0, 1] > 0.99

    def test_a_spline_can_be_cancelled(self, striped, capsys):
        event = Late()

        def progress(fraction, text):
            if text.startswith("deforming"):
                event.begin()

        with pytest.raises(Cancelled):
            find_mirror(*striped, True, Monitor(progress, event))
        assert event.asked < 6
        assert capsys.readouterr() == ("", "")


class TestChecks:
    @pytest.mark.parametrize(
        ("array", "spacing", "reason"),
        [
            (np.zeros((30, 30, 30), np.int16), (1, 1, 1), "same value"),
            (np.full((30, 30, 30), 7.5, np.float32), (1, 1, 1), "same value"),
            (np.random.rand(1, 30, 30), (1, 1, 5), "too few slices"),
            (np.random.rand(30, 30, 30), (20, 20, 20), "spacing"),
            (np.random.rand(30, 30, 30), (0.01, 1, 1), "spacing"),
            (np.random.rand(30, 30, 30), (0.1, 0.1, 0.1), "covers only"),
            (np.where(np.arange(27000).reshape(30, 30, 30) == 5, np.nan, 1.0), (1, 1, 1), "1 voxels are NaN"),
            (np.where(np.arange(27000).reshape(30, 30, 30) < 2, np.inf, 1.0), (1, 1, 1), "2 voxels are NaN"),
        ],
    )
    def test_refuses(self, array, spacing, reason):
        with pytest.raises(InputError, match=f"ncct: .*{reason}"):
            check_volume(image_of(array, spacing), "ncct")

    def test_takes_an_ordinary_volume(self):
        check_volume(image_of(np.random.rand(30, 60, 60), (4, 4, 5)), "ncct")


class TestHounsfield:
    @staticmethod
    def head(offset=0):
        """Air around soft tissue at 32 HU in a shell of bone."""
        rng = np.random.default_rng(1)
        z, y, x = np.mgrid[:40, :40, :40] - 19.5
        radius = np.sqrt(z**2 + y**2 + x**2)
        array = np.select([radius < 14, radius < 16], [32 + 3 * rng.standard_normal(radius.shape), 900], -1000)
        return image_of(np.rint(array + offset).astype(np.int32))

    def test_takes_hounsfield_units_as_they_are(self):
        image, notes = to_hounsfield(self.head(), "ncct")
        assert notes == []
        assert sitk.GetArrayViewFromImage(image)[20, 20, 20] < 60

    def test_recognises_a_stored_offset(self):
        image, notes = to_hounsfield(self.head(1024), "ncct")
        assert "1024" in notes[0]
        expected = sitk.GetArrayFromImage(self.head())
        np.testing.assert_array_equal(sitk.GetArrayFromImage(image), expected)

    def test_refuses_other_values(self):
        array = sitk.GetArrayFromImage(self.head())
        rng = np.random.default_rng(2)
        mr = np.where(
            array > -500, 400 + 60 * rng.standard_normal(array.shape), np.abs(15 * rng.standard_normal(array.shape))
        )
        for wrong in (mr, mr / 500, np.clip(array, 0, 80) / 80, np.where(array > -500, array + 300, array)):
            with pytest.raises(InputError, match="does not look like a CT"):
                to_hounsfield(image_of(wrong.astype(np.float32)), "ncct")


class TestWriting:
    def test_a_failure_leaves_the_old_file_and_nothing_else(self, tmp_path):
        path = tmp_path / "lesion.nii.gz"
        path.write_text("old")
        with pytest.raises(KeyboardInterrupt), replacing(path) as temporary:
            temporary.write_text("half")
            raise KeyboardInterrupt
        assert path.read_text() == "old"
        assert list(tmp_path.iterdir()) == [path]

    def test_writes_an_image_whole(self, tmp_path):
        path = tmp_path / "mask.nii.gz"
        write_image(like(np.eye(3, dtype=bool)[None], sitk.Image(3, 3, 1, sitk.sitkUInt8)), path)
        assert sitk.GetArrayFromImage(sitk.ReadImage(str(path))).sum() == 3
        assert list(tmp_path.iterdir()) == [path]

    def test_refuses_what_cannot_be_written(self, tmp_path):
        scan = tmp_path / "scan.nii.gz"
        scan.write_text("scan")
        series = tmp_path / "series"
        series.mkdir()
        refused = [
            (scan, "one of the inputs"),
            (tmp_path / "absent" / "x.nii.gz", "cannot write there"),
            (tmp_path, "is a folder"),
            (series / "x.nii.gz", "folder of an input series"),
        ]
        for path, reason in refused:
            with pytest.raises(InputError, match=reason):
                check_output(path, [scan, series])
        assert sorted(tmp_path.iterdir()) == [scan, series]
        assert scan.read_text() == "scan"

    def test_refuses_a_read_only_file(self):
        """Asked by a user for whom it is: to root nothing is read-only."""
        code = """if True:
            import os, sys
            from pathlib import Path
            from StrokeSAMLib.errors import InputError
            from StrokeSAMLib.imaging.writing import check_output
            if os.geteuid() == 0:
                os.setuid(65534)
            try:
                check_output(Path(sys.argv[1]), [])
            except InputError as error:
                print(error)
        """
        # pytest's own folders are locked to others.
        with tempfile.TemporaryDirectory() as name:
            folder, path = Path(name), Path(name, "lesion.nii.gz")
            folder.chmod(0o777)
            path.write_text("old")
            path.chmod(0o666)
            assert self.said(code, path) == ""
            path.chmod(0o444)
            assert self.said(code, path) == f"{path}: the file is there already, and is read-only\n"
            assert path.read_text() == "old" and list(folder.iterdir()) == [path]

    def said(self, code, path):
        command = [sys.executable, "-c", code, str(path)]
        return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout

    # Two files, of which only one can be renamed; a slice; a stack without its place; nothing; no format.
    @pytest.mark.parametrize(
        "name", ["o.hdr", "o.img", "o.mhd", "o.nhdr", "o.png", "o.tif", "o.vtk", "o.gipl", "o.docx", "o", ".nrrd"]
    )
    def test_refuses_a_name_under_which_a_mask_is_lost(self, tmp_path, name):
        with pytest.raises(InputError, match=r"under such a name; use \.nii\.gz, \.nii, \.nrrd or \.mha"):
            check_image_output(tmp_path / name, [])
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("name", ["o.nii.gz", "o.nii", "o.nrrd", "o.mha", "case.1.nii.gz"])
    def test_what_may_be_named_keeps_voxels_and_geometry(self, tmp_path, name):
        path = tmp_path / name
        check_image_output(path, [])
        mask = like(np.eye(3, dtype=bool)[None], image_of(np.zeros((1, 3, 3), np.uint8), (0.5, 0.7, 5.0)))
        mask.SetOrigin((-10.0, 20.0, 30.0))
        write_image(mask, path)
        found = sitk.ReadImage(str(path))
        np.testing.assert_array_equal(sitk.GetArrayViewFromImage(found), sitk.GetArrayViewFromImage(mask))
        assert found.GetSpacing() == pytest.approx(mask.GetSpacing())
        assert found.GetOrigin() == pytest.approx(mask.GetOrigin())
        assert list(tmp_path.iterdir()) == [path]
