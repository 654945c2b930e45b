"""The methods `ncct-unet` and `dwi-unet` with the included weights: known infarcts, real images, the default method."""

import subprocess
import sys

import numpy as np
import pytest
import SimpleITK as sitk
from diffusion_phantom import DiffusionPhantom
from helpers import ROOT, array, dice, oblique_grid, real_image, volume_ml

from StrokeSAMLib.core.errors import InputError, OptionError
from StrokeSAMLib.imaging.geometry import image_like
from StrokeSAMLib.lesion import choose_method, find_method, segment
from StrokeSAMLib.lesion.network_inputs import SIDE_MULTIPLE, brain_box
from StrokeSAMLib.lesion.plain_predictor import load_plain_predictor
from StrokeSAMLib.lesion.registry import Method
from StrokeSAMLib.phantom import head_ct
from StrokeSAMLib.report import measure
from StrokeSAMLib.weights.store import Store

pytest.importorskip("torch")
pytest.importorskip("safetensors")


@pytest.fixture(scope="module")
def phantom():
    return head_ct()


@pytest.fixture(scope="module")
def on_ct(phantom):
    return segment({"ncct": phantom.ncct}, "ncct-unet")


@pytest.fixture(scope="module")
def scan():
    return DiffusionPhantom()


@pytest.fixture(scope="module")
def on_dwi(scan):
    return segment({"dwi": scan.image(scan.dwi), "b0": scan.image(scan.b0)}, "dwi-unet")


@pytest.mark.parametrize("method", ["ncct-unet", "dwi-unet"])
def test_volumes_count_on_the_grid_of_the_network_as_in_the_validation(method):
    """A component of 4.86 ml has a core of 0.99 of 4.05 ml, less on a finer grid; another of 4.05 ml has none."""
    from StrokeSAMLib.lesion.unet import split_lesions
    from StrokeSAMLib.training.synthesis import Patient
    from StrokeSAMLib.training.validation import evaluate_patient

    probability = np.zeros((20, 20, 20), np.float32)
    probability[5:11, 5:10, 5:10] = 0.995
    probability[5:11, 5:10, 10] = 0.9
    probability[12:18, 13:18, 13:18] = 0.7  # 4.05 ml without a core
    noise = np.random.default_rng(0).standard_normal((2, *probability.shape))
    patient = Patient(noise.astype(np.float32), probability > 0.8, np.ones(probability.shape, bool))
    for doubt_below in (0.0, 4.0, 4.1):
        options = find_method(method).build_options({"doubt_below": doubt_below, "min_volume": 0.1})
        lesion, possible = split_lesions(probability, options)
        case = evaluate_patient(patient, probability, options.threshold, options.min_volume, options.doubt_below)
        assert case.found and lesion[8, 8, 8] > 0 and possible[8, 8, 8] == 0
        assert bool(case.false_ml) == (lesion[15, 15, 15] > 0) == (possible[15, 15, 15] == 0) == (doubt_below < 4.1)


class TestCt:
    def test_finds_the_known_infarct(self, phantom, on_ct):
        assert dice(on_ct.mask, phantom.lesion) >= 0.75
        assert measure(on_ct)["side"] == "left"

    def test_the_score_is_a_probability_and_0_outside_the_brain(self, on_ct):
        score = array(on_ct.score)
        assert score.min() >= 0 and 0.9 < score.max() <= 1
        assert score[array(on_ct.brain) == 0].max() == 0

    def test_weights_and_mirror_correlation_are_recorded(self, on_ct):
        assert on_ct.options["weights"] == Store().verify("ncct-unet")
        assert on_ct.options["mirror_correlation"] > 0.5

    def test_finds_almost_nothing_in_a_healthy_head(self):
        result = segment({"ncct": head_ct(seed=8, infarct=None).ncct}, "ncct-unet")
        assert volume_ml(result.mask) < 3

    def test_a_turned_grid_without_skull(self, phantom):
        stripped = sitk.Mask(phantom.ncct, sitk.Cast(phantom.brain, sitk.sitkUInt8))
        grid = oblique_grid(phantom.ncct, 12, flips=(-1, -1, 1))
        turned = sitk.Resample(stripped, grid, sitk.Transform(), sitk.sitkLinear, 0.0)
        truth = sitk.Resample(phantom.lesion, grid, sitk.Transform(), sitk.sitkNearestNeighbor)
        assert dice(segment({"ncct": turned}, "ncct-unet").mask, truth) >= 0.65

    def test_a_threshold_grows_or_shrinks_the_lesion(self, phantom):
        low, high = (
            segment({"ncct": phantom.ncct}, "ncct-unet", threshold=threshold, deformable=False).mask
            for threshold in (0.2, 0.9)
        )
        assert volume_ml(low) > volume_ml(high) > 0
        assert not (array(high) > array(low)).any()

    def test_a_small_component_without_a_sure_core_is_a_possible_lesion(self, phantom, on_ct, monkeypatch):
        monkeypatch.setattr("StrokeSAMLib.lesion.unet.SURE_CORE_ML", 1000.0)
        result = segment({"ncct": phantom.ncct}, "ncct-unet", doubt_below=500.0, rule="off", deformable=False)
        assert volume_ml(result.mask) == 0
        assert volume_ml(result.possible) == pytest.approx(volume_ml(on_ct.mask), rel=0.2)
        [warning] = [line for line in result.warnings if "possible lesion" in line]
        assert float(warning.split()[0]) == pytest.approx(volume_ml(result.possible), abs=0.1)

    def test_the_mirrored_pass_agrees(self, phantom, on_ct):
        assert dice(segment({"ncct": phantom.ncct}, "ncct-unet", mirror=True).mask, on_ct.mask) > 0.8

    def test_finds_an_infarct_inserted_into_a_real_anatomy(self):
        template = real_image("ct/template_with_skull_2mm.nii.gz")
        hu = array(template)
        brain = array(real_image("ct/template_2mm.nii.gz")) > 20
        k, j, i = np.indices(hu.shape)
        away = np.sqrt((k - 66) ** 2 + ((j - 60) / 1.3) ** 2 + (i - 40) ** 2) * 2
        lesion = brain & (away < 28)
        noise = 3.5 * np.random.default_rng(0).standard_normal(hu.shape)
        head = np.where(np.abs(hu) < 1e-3, -1000, hu) - 6 * lesion + noise
        result = segment({"ncct": image_like(head.astype(np.float32), template)}, "ncct-unet")
        assert dice(result.mask, image_like(lesion, template)) >= 0.75


class TestDiffusion:
    def test_finds_restricted_diffusion_and_little_else(self, scan, on_dwi):
        mask = array(on_dwi.mask) > 0
        assert dice(on_dwi.mask, scan.image(scan.lesion | scan.small)) > 0.9
        assert mask[scan.small].any()
        assert mask[scan.shine].mean() < 0.02  # T2 shine-through
        assert measure(on_dwi)["side"] == "left"

    def test_an_adc_serves_as_well_as_a_b0(self, scan, on_dwi):
        result = segment({"dwi": scan.image(scan.dwi), "adc": scan.image(scan.adc / 1000)}, "dwi-unet")
        assert dice(result.mask, on_dwi.mask) > 0.85
        assert "adc: values are in 10⁻³ mm²/s" in result.warnings

    def test_voxels_without_an_adc_hold_no_lesion_and_give_a_warning(self, scan):
        top = np.indices(scan.adc.shape)[0] > 20
        adc = np.where(top, np.nan, scan.adc)
        result = segment({"dwi": scan.image(scan.dwi), "adc": scan.image(adc)}, "dwi-unet")
        mask = array(result.mask) > 0
        assert np.count_nonzero(mask & top) * 0.0162 < 0.1
        assert dice(result.mask, scan.image(scan.lesion | scan.small)) > 0.85
        assert any(line.startswith("adc: no value in ") for line in result.warnings)

    def test_real_patient(self):
        dwi, b0 = real_image("dwi/subject01_dwi.nii.gz"), real_image("dwi/subject01_b0.nii.gz")
        result = segment({"dwi": dwi, "b0": b0}, "dwi-unet")
        assert dice(result.mask, real_image("dwi/subject01_lesion_dagmnet.nii.gz")) >= 0.90
        assert measure(result)["side"] == "left"


class TestWeights:
    def test_weights_of_another_network_are_refused(self, phantom):
        with pytest.raises(InputError, match="weights of another network"):
            segment({"ncct": phantom.ncct}, "ncct-unet", weights=str(Store().find("dwi-unet")))

    def test_a_truncated_file_is_refused(self, phantom, tmp_path):
        half = tmp_path / "half.safetensors"
        weights = Store().find("ncct-unet").read_bytes()
        half.write_bytes(weights[: len(weights) // 2])
        with pytest.raises(InputError, match=r"half\.safetensors: not a readable checkpoint"):
            segment({"ncct": phantom.ncct}, "ncct-unet", weights=str(half))


class TestDefault:
    def test_the_default_is_the_network_for_the_inputs(self):
        for inputs, id in ((("ncct",), "ncct-unet"), (("dwi", "b0"), "dwi-unet"), (("dwi", "adc"), "dwi-unet")):
            method, why = choose_method("auto", inputs)
            assert (method.id, why) == (id, f"method {id}: the default for {inputs[0]}")

    def test_the_default_is_the_rule_with_a_warning_where_the_network_cannot_run(self, scan, monkeypatch):
        monkeypatch.setattr(Method, "readiness", lambda method: "no: needs weights")
        result = segment({"dwi": scan.image(scan.dwi), "b0": scan.image(scan.b0)})
        assert result.method == "diffusion"
        assert result.warnings[0] == "method diffusion: dwi-unet, the default for dwi, needs weights"

    @pytest.mark.parametrize("inputs", [(), ("ncct", "dwi"), ("t2w",)])
    def test_ambiguous_inputs_have_no_default(self, inputs):
        with pytest.raises(InputError, match="name a method, or give one of ncct and dwi"):
            choose_method("auto", inputs)

    def test_an_unknown_method_is_refused(self):
        with pytest.raises(OptionError, match="no method 'best'"):
            choose_method("best", ("ncct",))


def test_the_box_holds_the_brain_and_its_sides_are_multiples():
    brain = np.zeros((16, 24, 32), bool)
    brain[3:12, 20:24, 1:31] = True
    box = brain_box(brain)
    assert brain[box].sum() == brain.sum()
    assert [part.stop - part.start for part in box] == [2 * SIDE_MULTIPLE, SIDE_MULTIPLE, 4 * SIDE_MULTIPLE]


WITHOUT_TORCH = """
import sys
sys.modules |= dict.fromkeys(["torch", "safetensors", "platformdirs"])
import numpy as np
import SimpleITK as sitk
from StrokeSAMLib.lesion import segment
result = segment({key: sitk.ReadImage(path) for key, path in zip(sys.argv[2::2], sys.argv[3::2])})
np.savez(sys.argv[1], score=sitk.GetArrayFromImage(result.score), method=result.method, notes=result.warnings)
"""


def test_without_pytorch_the_default_network_runs_in_numpy_and_gives_the_same(scan, on_dwi, tmp_path):
    arguments = [str(tmp_path / "result.npz")]
    for key, values in (("dwi", scan.dwi), ("b0", scan.b0)):
        sitk.WriteImage(scan.image(values), str(tmp_path / f"{key}.nrrd"))
        arguments += [key, str(tmp_path / f"{key}.nrrd")]
    subprocess.run([sys.executable, "-c", WITHOUT_TORCH, *arguments], cwd=ROOT, check=True)
    with np.load(tmp_path / "result.npz") as result:
        assert result["method"] == "dwi-unet" and any("computed in NumPy" in note for note in result["notes"])
        np.testing.assert_allclose(result["score"], array(on_dwi.score), atol=1e-4)


@pytest.mark.parametrize("values", [{"device": "cuda"}, {"precision": "bfloat16"}, {"random_weights": 1}])
def test_without_pytorch_options_that_need_it_are_refused(values):
    options = find_method("dwi-unet").build_options(values)
    with pytest.raises(InputError, match="needs the Python package torch"):
        load_plain_predictor("dwi-unet", options, lambda note: None)


def test_without_pytorch_weights_of_another_network_are_refused():
    options = find_method("dwi-unet").build_options({"weights": str(Store().find("ncct-unet"))})
    with pytest.raises(InputError, match=r"ncct-unet\.safetensors: down\.0\.first\.weight has shape"):
        load_plain_predictor("dwi-unet", options, lambda note: None)
