"""Measurements and the JSON report, on lesions whose numbers can be calculated by hand."""

import dataclasses
import hashlib
import json

import jsonschema
import numpy as np
import pytest
from lesion_results import TURNED, block, empty, lesion_result

from StrokeSAMLib.anatomy.plane import Plane
from StrokeSAMLib.core.errors import InputError
from StrokeSAMLib.core.version import __version__
from StrokeSAMLib.report import measure, report, schema, summary, write_report
from StrokeSAMLib.report.measurements import BILATERAL_PART


class TestMeasure:
    def test_the_volume_is_the_voxel_count_times_the_voxel_volume(self):
        measurements = measure(lesion_result(block(slice(1, 3), slice(2, 5), slice(4, 9))))
        assert measurements["voxels"] == 30
        assert measurements["volume_ml"] == pytest.approx(30 * 0.004)
        assert measurements["brain_ml"] == pytest.approx(1000 * 0.004)

    def test_components_join_at_corners_and_come_largest_first(self):
        mask = block(0, 0, 0) | block(3, 3, slice(12, 15)) | block(4, 4, 15)  # the last two share a corner
        assert measure(lesion_result(mask))["components"] == pytest.approx([4 * 0.004, 0.004])

    @pytest.mark.parametrize(("columns", "side"), [(slice(0, 8), "right"), (slice(13, 20), "left")])
    def test_the_side_is_the_patients(self, columns, side):
        assert measure(lesion_result(block(2, 5, columns)))["side"] == side

    def test_the_side_on_a_flipped_grid(self):
        flipped = lesion_result(block(2, 5, slice(0, 8)), np.diag([-1.0, 1.0, 1.0]), origin=(5.0, 0.0, 0.0))
        assert measure(flipped)["side"] == "left"

    def test_the_side_on_a_grid_whose_first_axis_is_not_left_to_right(self):
        rows = lesion_result(block(2, slice(0, 4), slice(0, 20)), TURNED, origin=(10.0, 0.0, 0.0))
        measurements = measure(rows)
        assert (measurements["side"], measurements["left_part"]) == ("left", 1.0)

    def test_the_side_follows_the_mid_sagittal_plane_and_not_the_scanner(self):
        oblique = Plane.through(np.array([0.0, 9.0, 0.0]), np.array([1.0, 1.0, 0.0]))
        mask = block(2, 0, slice(14, 20))  # x > 0, but to the right of a head turned by 45 degrees
        assert measure(lesion_result(mask))["side"] == "left"
        assert measure(lesion_result(mask, plane=oblique))["side"] == "right"

    @pytest.mark.parametrize(
        ("right_voxels", "side"), [(1, "left"), (2, "bilateral"), (18, "bilateral"), (19, "right")]
    )
    def test_a_lesion_is_bilateral_from_a_tenth_on_the_lesser_side(self, right_voxels, side):
        mask = empty()
        mask.reshape(50, 20)[:right_voxels, 0] = 1
        mask.reshape(50, 20)[: 20 - right_voxels, 19] = 1
        measurements = measure(lesion_result(mask))
        assert BILATERAL_PART == 0.1
        assert measurements["left_part"] == pytest.approx((20 - right_voxels) / 20)
        assert measurements["side"] == side

    def test_a_voxel_in_the_plane_is_half_on_either_side(self):
        measurements = measure(lesion_result(block(2, 5, 10)))
        assert (measurements["left_part"], measurements["side"]) == (0.5, "bilateral")

    def test_bounding_box_in_indices_and_millimetres(self):
        box = measure(lesion_result(block(slice(1, 3), slice(2, 5), slice(4, 9))))["bounding_box"]
        assert (box["first_index"], box["last_index"]) == ([4, 2, 1], [8, 4, 2])
        assert box["lps_min_mm"] == pytest.approx([-5 + 3.5 * 0.5, 1.5 * 2, 0.5 * 4])
        assert box["lps_max_mm"] == pytest.approx([-5 + 8.5 * 0.5, 4.5 * 2, 2.5 * 4])

    def test_bounding_box_follows_the_direction(self):
        box = measure(lesion_result(block(1, 2, 4), TURNED, origin=(0.0, 0.0, 0.0)))["bounding_box"]
        assert box["lps_min_mm"] == pytest.approx([-5, 1.75, 2])
        assert box["lps_max_mm"] == pytest.approx([-3, 2.25, 6])

    def test_intensities_are_measured_inside_the_lesion(self):
        values = np.full((5, 10, 20), 99, np.int16)
        values[2, 5, 3:7] = [20, 22, 24, 30]
        intensities = measure(lesion_result(block(2, 5, slice(3, 7)), ncct=values))["intensities"]["ncct"]
        assert intensities == pytest.approx({"mean": 24, "sd": np.std([20, 22, 24, 30]), "min": 20, "max": 30})

    def test_the_measurements_of_an_empty_lesion(self):
        measurements = measure(lesion_result(empty(), ncct=np.zeros((5, 10, 20), np.int16)))
        expected = {"volume_ml": 0, "voxels": 0, "components": [], "side": "none"}
        assert {name: measurements[name] for name in expected} == expected
        assert measurements["left_part"] is measurements["bounding_box"] is measurements["intensities"]["ncct"] is None


class TestDocument:
    @pytest.fixture
    def result(self):
        return lesion_result(block(2, 5, slice(13, 20)), ncct=np.full((5, 10, 20), 22, np.int16))

    def test_the_report_fits_its_schema_with_and_without_a_lesion(self, result):
        jsonschema.Draft202012Validator.check_schema(schema())
        for each in (result, lesion_result(empty(), ncct=np.zeros((5, 10, 20), np.int16))):
            validate(report(each))

    def test_a_possible_lesion_is_told_beside_the_lesion(self, result):
        possible = dataclasses.replace(result, possible=lesion_result(block(0, 0, slice(0, 10))).mask)
        validate(report(possible))
        assert report(possible)["measurements"]["possible_ml"] == pytest.approx(0.04)
        assert report(result)["measurements"]["possible_ml"] is None
        assert summary(measure(possible)) == f"{summary(measure(result))}; possible lesion 0.04 ml"

    def test_the_report_names_software_method_and_options(self, result):
        document = report(result)
        assert document["software"] == {"name": "StrokeSAM", "version": __version__}
        assert (document["method"], document["options"]) == ("asymmetry", {"seed": 4.0, "deformable": True})
        assert document["midsagittal_plane"] == {"normal_lps": [1.0, 0.0, 0.0], "offset_mm": 0.0}
        assert document["warnings"] == ["a word of caution"]
        assert document["created"].endswith("+00:00")
        assert document["measurements"]["side"] == "left"

    def test_inputs_are_hashed_and_named_without_their_folder(self, result, tmp_path):
        folder = tmp_path / "Doe^Jane"
        folder.mkdir()
        (folder / "ct.nii").write_bytes(b"head")
        document = report(result, {"ncct": folder / "ct.nii"})
        assert document["inputs"]["ncct"] == {"file": "ct.nii", "sha256": hashlib.sha256(b"head").hexdigest()}
        assert "Doe" not in json.dumps(document)
        validate(document)

    def test_the_hash_of_a_series_depends_on_contents_and_not_on_file_names(self, result, tmp_path):
        def series_hash(name, contents):
            folder = tmp_path / name
            folder.mkdir()
            for number, content in enumerate(contents):
                (folder / f"{name}{number}.dcm").write_bytes(content)
            return report(result, {"ncct": folder})["inputs"]["ncct"]["sha256"]

        six = [bytes([n]) for n in range(6)]
        sorted_hashes = "".join(sorted(hashlib.sha256(content).hexdigest() for content in six))
        assert series_hash("a", six) == hashlib.sha256(sorted_hashes.encode()).hexdigest()
        assert series_hash("b", six[::-1]) == series_hash("c", six)
        assert series_hash("d", six[:5]) != series_hash("e", six)

    def test_numbers_that_are_not_finite_are_null_and_numpy_numbers_are_numbers(self):
        values = np.full((5, 10, 20), np.nan, np.float32)
        options = {"seed": np.float32(0.5), "count": np.int64(3), "on": np.True_, "most": float("inf")}
        result = lesion_result(block(2, 5, slice(13, 20)), adc=values)
        document = report(dataclasses.replace(result, options=options))
        assert document["measurements"]["intensities"]["adc"] == dict.fromkeys(["mean", "sd", "min", "max"])
        assert document["options"] == {"seed": 0.5, "count": 3, "on": True, "most": None}
        json.dumps(document, allow_nan=False)
        validate(document)

    @pytest.mark.parametrize(
        "breakage",
        [
            lambda d: d.pop("measurements"),
            lambda d: d.update(patient="Jane Doe"),
            lambda d: d["measurements"].update(volume_ml=-1),
            lambda d: d["measurements"].update(side="middle"),
            lambda d: d["measurements"].update(extra=1),
            lambda d: d["measurements"]["bounding_box"].update(first_index=[1, 2]),
            lambda d: d["measurements"]["intensities"]["ncct"].update(median=1),
            lambda d: d["inputs"].update(ncct={"file": "ct.nii", "sha256": "short"}),
            lambda d: d["software"].update(path="/home"),
            lambda d: d["midsagittal_plane"].pop("offset_mm"),
            lambda d: d.update(schema_version=2),
        ],
    )
    def test_the_schema_refuses_a_broken_document(self, result, breakage):
        document = report(result)
        validate(document)
        breakage(document)
        with pytest.raises(jsonschema.ValidationError):
            validate(document)

    def test_a_written_report_reads_the_same(self, result, tmp_path):
        document = report(result)
        write_report(document, tmp_path / "report.json")
        assert json.loads((tmp_path / "report.json").read_text("utf-8")) == document

    def test_a_failed_write_leaves_the_old_report_and_nothing_else(self, tmp_path):
        path = tmp_path / "report.json"
        path.write_text("old")
        with pytest.raises(ValueError, match="JSON"):
            write_report({"volume": float("nan")}, path)
        assert [file.name for file in tmp_path.iterdir()] == ["report.json"]
        assert path.read_text("utf-8") == "old"
        with pytest.raises(InputError):
            write_report({}, tmp_path / "nowhere" / "report.json")


def validate(document):
    jsonschema.validate(document, schema(), jsonschema.Draft202012Validator)
