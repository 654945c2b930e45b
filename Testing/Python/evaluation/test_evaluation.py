"""Metrics against golden numbers and hand-calculated examples; pairing of files, table, plot."""

import csv
import json
import math
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from PIL import Image

from StrokeSAMLib.core.errors import InputError
from StrokeSAMLib.evaluation import case_metrics, detect_lesions, evaluate, plot, summarise, write_csv

DATA = Path(__file__).parents[2] / "Data"
GOLDEN = json.loads((DATA / "metrics_golden.json").read_text("utf-8"))["cases"]


def golden_masks(case):
    with np.load(DATA / "metrics_masks.npz") as stored:
        shape = tuple(case["shape"])
        size = math.prod(shape)
        names = (f"case{case['case']}_gt", f"case{case['case']}_pred")
        return [np.unpackbits(stored[name])[:size].reshape(shape).astype(bool) for name in names]


def cube(first, last, shape=(20, 20, 20)):
    mask = np.zeros(shape, bool)
    mask[tuple(slice(a, b) for a, b in zip(first, last, strict=True))] = True
    return mask


def write_mask(path, mask, spacing=(1.0, 1.0, 1.0)):
    image = sitk.GetImageFromArray(mask.astype(np.uint8))
    image.SetSpacing(spacing)
    sitk.WriteImage(image, str(path))
    return path


@pytest.mark.parametrize("case", GOLDEN, ids=lambda case: f"case{case['case']}")
def test_golden_numbers(case):
    reference, prediction = golden_masks(case)
    assert reference.sum() == case["gt_voxels"]
    spacing = tuple(case["spacing_array_order_given_to_repo"])
    for tolerance in (1, 2):
        metrics = case_metrics(reference, prediction, spacing, tolerance)
        assert metrics.dsc == pytest.approx(case["repo_dsc"], abs=1e-6)
        assert metrics.hd95 == pytest.approx(case["repo_hd95"], abs=1e-6)
        assert metrics.nsd == pytest.approx(case[f"repo_nsd_tol{tolerance}"], abs=1e-6)


class TestEdgeCases:
    empty, full = np.zeros((20, 20, 20), bool), cube((5, 5, 5), (9, 9, 9))

    def test_two_empty_masks_agree_perfectly(self):
        metrics = case_metrics(self.empty, self.empty, (1, 1, 1))
        assert (metrics.dsc, metrics.nsd, metrics.lesion_f1, metrics.hd95) == (1, 1, 1, 0)

    @pytest.mark.parametrize("order", [1, -1])
    def test_one_empty_mask_is_the_worst_and_has_no_distance(self, order):
        metrics = case_metrics(*(self.empty, self.full)[::order], (1, 1, 1))
        assert (metrics.dsc, metrics.nsd, metrics.lesion_f1) == (0, 0, 0)
        assert math.isnan(metrics.hd95)
        assert metrics.volume_difference_ml == pytest.approx(0.064)

    def test_identical_masks(self):
        metrics = case_metrics(self.full, self.full, (1, 1, 1))
        assert (metrics.dsc, metrics.nsd, metrics.hd95, metrics.volume_difference_ml) == (1, 1, 0, 0)


def test_distances_follow_the_spacing_of_each_axis(tmp_path):
    """A shift of one voxel is 5 mm along k and 0.5 mm along i; files keep their spacing as (x, y, z)."""
    base = cube((5, 5, 5), (12, 12, 12))
    reference = write_mask(tmp_path / "reference.nii.gz", base, (0.5, 0.5, 5.0))
    for axis, distance in ((0, 5.0), (2, 0.5)):
        prediction = write_mask(tmp_path / f"{axis}.nii.gz", np.roll(base, 1, axis), (0.5, 0.5, 5.0))
        (metrics,) = evaluate(reference, prediction)
        assert metrics.hd95 == pytest.approx(distance)
        assert (metrics.nsd == 1) == (distance < 2)


def test_lesions_are_counted_by_overlap():
    reference = cube((1, 1, 1), (4, 4, 4)) | cube((10, 10, 10), (12, 12, 12)) | cube((16, 1, 1), (18, 3, 3))
    # The first predicted lesion joins two lesions.
    prediction = cube((3, 3, 3), (11, 11, 11)) | cube((1, 15, 15), (3, 17, 17))
    detection = detect_lesions(reference, prediction)
    assert (detection.reference, detection.predicted, detection.found, detection.true) == (3, 2, 2, 1)
    assert detection.f1 == pytest.approx(2 * (2 / 3) * (1 / 2) / (2 / 3 + 1 / 2))


class TestCohort:
    @pytest.fixture
    def folders(self, tmp_path):
        reference, prediction = tmp_path / "reference", tmp_path / "prediction"
        reference.mkdir()
        prediction.mkdir()
        for n in range(4):
            mask = cube((4, 4, 4), (8 + n, 9, 9))
            write_mask(reference / f"case{n}.nii.gz", mask)
            write_mask(prediction / f"case{n}.nrrd", np.roll(mask, n, 1) & (n < 3))
        return reference, prediction

    def test_files_of_different_formats_are_paired_by_name(self, folders):
        cases = evaluate(*folders)
        assert [case.case for case in cases] == ["case0", "case1", "case2", "case3"]
        assert [round(case.dsc, 3) for case in cases] == [1, 0.8, 0.6, 0]

    def test_the_summary_skips_metrics_without_a_value(self, folders):
        summary = summarise(evaluate(*folders))
        assert summary["hd95"]["n"] == 3
        assert summary["dsc"]["n"] == 4
        assert summary["dsc"]["mean"] == pytest.approx(0.6)

    def test_table(self, folders, tmp_path):
        path = tmp_path / "metrics.csv"
        write_csv(evaluate(*folders), path)
        rows = list(csv.DictReader(path.open()))
        assert [row["case"] for row in rows] == ["case0", "case1", "case2", "case3", "mean", "sd", "median", "n"]
        assert rows[3]["hd95"] == ""
        assert float(rows[1]["dsc"]) == pytest.approx(0.8)
        assert float(rows[0]["reference_ml"]) == pytest.approx(0.1)

    @pytest.mark.parametrize("count", [1, 4])
    def test_the_plot_is_a_picture(self, folders, tmp_path, count):
        path = tmp_path / "metrics.png"
        plot(evaluate(*folders)[:count], path)
        colours = Image.open(path).convert("RGB").getcolors(1 << 24)
        assert len(colours) > 50

    def test_a_file_without_its_partner_is_refused(self, folders):
        (folders[1] / "case2.nrrd").unlink()
        with pytest.raises(InputError, match="prediction: no file for case2"):
            evaluate(*folders)

    def test_other_grids_and_images_that_are_not_masks_are_refused(self, tmp_path):
        mask = cube((4, 4, 4), (8, 9, 9))
        reference = write_mask(tmp_path / "a.nii.gz", mask)
        other = write_mask(tmp_path / "b.nii.gz", mask, (1, 1, 2))
        with pytest.raises(InputError, match=r"b\.nii\.gz: its grid is not that of .*spacing"):
            evaluate(reference, other)
        soft = sitk.GetImageFromArray(mask * np.float32(0.4))
        sitk.WriteImage(soft, str(tmp_path / "soft.nii.gz"))
        with pytest.raises(InputError, match=r"soft\.nii\.gz: not a mask"):
            evaluate(reference, tmp_path / "soft.nii.gz")

    @pytest.mark.parametrize(
        ("values", "reason"), [((60, 0), "60 grey levels"), ((60, -30), "60 grey levels"), ((3, -1), "below 0")]
    )
    def test_a_scan_of_whole_numbers_is_not_a_mask(self, tmp_path, values, reason):
        mask = cube((4, 4, 4), (8, 9, 9))
        reference = write_mask(tmp_path / "a.nii.gz", mask)
        count, first = values
        scan = sitk.GetImageFromArray((np.arange(mask.size).reshape(mask.shape) % count + first).astype(np.int16))
        sitk.WriteImage(scan, str(tmp_path / "scan.nii.gz"))
        for pair in ((reference, tmp_path / "scan.nii.gz"), (tmp_path / "scan.nii.gz", reference)):
            with pytest.raises(InputError, match=rf"scan\.nii\.gz: not a mask: it has .*{reason}"):
                evaluate(*pair)

    def test_a_labelmap_is_a_mask(self, tmp_path):
        mask = cube((4, 4, 4), (8, 9, 9))
        labels = sitk.GetImageFromArray(np.where(mask, np.arange(mask.size).reshape(mask.shape) % 40 + 1, 0))
        sitk.WriteImage(sitk.Cast(labels, sitk.sitkInt16), str(tmp_path / "labels.nii.gz"))
        (metrics,) = evaluate(write_mask(tmp_path / "a.nii.gz", mask), tmp_path / "labels.nii.gz")
        assert metrics.dsc == 1
