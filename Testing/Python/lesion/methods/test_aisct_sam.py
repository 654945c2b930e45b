"""The method `aisct-sam`: its geometry with a simple network, and its own network from a checkpoint file."""

import dataclasses
import json
import re

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from helpers import array, dice, oblique_grid, real_image, volume_ml
from safetensors.torch import save_file

from StrokeSAMLib import cli
from StrokeSAMLib.anatomy.mirror import find_mirror
from StrokeSAMLib.core.errors import InputError, OptionError
from StrokeSAMLib.imaging.geometry import image_like
from StrokeSAMLib.imaging.nnunet_resampling import Fingerprint
from StrokeSAMLib.io.writing import write_image
from StrokeSAMLib.lesion import ct_scan, find_method, segment
from StrokeSAMLib.lesion.methods import aisct_sam
from StrokeSAMLib.lesion.predictor import load_predictor
from StrokeSAMLib.nets.models.aisct_sam import AisctSam
from StrokeSAMLib.nets.precision import has_bfloat16
from StrokeSAMLib.weights.fingerprint import read_fingerprints

SPOT_HU, TISSUE_HU = 38.0, 28.0
PLANS = {
    "foreground_intensity_properties_per_channel": {
        str(n): {"percentile_00_5": np.float64(5.0), "percentile_99_5": 55.0 + n, "mean": 27.0, "std": np.float64(9.0)}
        for n in range(2)
    }
}


class Threshold(torch.nn.Module):
    """A network that finds a lesion where one channel is above the density of tissue."""

    def __init__(self, channel):
        super().__init__()
        self.channel = channel

    def forward(self, x):
        logit = x[:, self.channel] - 1.2
        return torch.stack([-logit, logit], dim=1)


def stripped_head(grid, size=1.0):
    """A brain of one density with a denser spot in its left half, on `grid`; the spot, and its mirror image."""
    points = np.stack(
        np.meshgrid(*(np.arange(n, dtype=float) for n in reversed(grid.GetSize())), indexing="ij")[::-1], axis=-1
    )
    axes = np.reshape(grid.GetDirection(), (3, 3)) * grid.GetSpacing()
    x, y, z = np.moveaxis((points @ axes.T + grid.GetOrigin()) / size, -1, 0)
    brain = (x / 55) ** 2 + (y / 70) ** 2 + (z / 40) ** 2 < 1
    ventricle = (np.abs(x) < 6) & (np.abs(y) < 25) & (np.abs(z) < 12)

    def spot(side):
        return (x - side * 30) ** 2 + (y + 15) ** 2 + (z - 5) ** 2 < 12**2

    hu = np.where(brain, TISSUE_HU, 0.0)
    hu[ventricle] = 8
    hu[spot(1)] = SPOT_HU

    return image_like(hu.astype(np.float32), grid), *(image_like(spot(side), grid) for side in (1, -1))


def axial(spacing, size):
    grid = sitk.Image(size, sitk.sitkFloat32)
    grid.SetSpacing(spacing)
    grid.SetOrigin([-(n - 1) * step / 2 for n, step in zip(size, spacing, strict=True)])
    return grid


GRIDS = {
    "thick slices": axial((0.9, 0.9, 5.0), (140, 180, 20)),
    "thin slices": axial((0.9, 0.9, 1.0), (140, 180, 90)),
    "turned and flipped": oblique_grid(axial((1.0, 0.9, 4.0), (150, 190, 26)), 8, flips=(-1, 1, -1)),
}


def test_the_icassp_sibling_predicts_the_logit_of_each_voxel():
    options = aisct_sam.Options(network="icassp", random_weights=1, device="cpu", precision="float32")
    notes: list[str] = []
    predictor = load_predictor("aisct-sam", aisct_sam._architecture(options), options, notes.append)
    logits = predictor(np.zeros((1, 2, 1, 256, 256), np.float32))
    assert logits.shape == (1, 1, 256, 256)
    assert np.isfinite(logits).all()


class TestGeometry:
    @pytest.mark.parametrize("grid", GRIDS)
    @pytest.mark.parametrize("channel", [0, 1])
    def test_the_lesion_is_on_the_grid_of_the_scan(self, monkeypatch, grid, channel):
        """The channel of the scan gives the spot. The channel of the mirror image gives its mirror image."""
        monkeypatch.setattr(aisct_sam, "AisctSam", lambda: Threshold(channel))
        scan, *spots = stripped_head(GRIDS[grid])
        result = segment({"ncct": scan}, "aisct-sam", random_weights=1, deformable=False)
        assert dice(result.mask, spots[channel]) > 0.85
        assert array(result.score)[array(result.mask) > 0].min() >= 0.5
        assert result.mask.GetSize() == scan.GetSize()
        assert any("means nothing" in warning for warning in result.warnings)

    def test_mirroring_keeps_the_score_and_a_lower_threshold_grows_the_lesion(self, monkeypatch):
        monkeypatch.setattr(aisct_sam, "AisctSam", lambda: Threshold(0))
        scan, spot, _ = stripped_head(GRIDS["thick slices"])
        plain, mirrored, loose = (
            segment({"ncct": scan}, "aisct-sam", random_weights=1, deformable=False, **options)
            for options in ({}, {"tta": True}, {"threshold": 0.1})
        )
        assert array(mirrored.score) == pytest.approx(array(plain.score), abs=1e-4)
        assert dice(mirrored.mask, spot) > 0.85
        assert array(loose.mask).sum() > 10 * array(plain.mask).sum()

    def test_a_healthy_brain_gives_a_warning(self, monkeypatch):
        monkeypatch.setattr(aisct_sam, "AisctSam", lambda: Threshold(0))
        scan, spot, _ = stripped_head(GRIDS["thick slices"])
        healthy = sitk.Mask(scan, spot, maskingValue=1, outsideValue=TISSUE_HU)
        result = segment({"ncct": healthy}, "aisct-sam", random_weights=1, deformable=False)
        assert not array(result.mask).any()
        assert "no lesion found" in result.warnings

    @pytest.mark.parametrize("correlation", [0.31, float("nan")])
    def test_a_poor_mirror_image_gives_a_warning(self, monkeypatch, correlation):
        def find_poor_mirror(*arguments):
            return dataclasses.replace(find_mirror(*arguments), correlation=correlation)

        monkeypatch.setattr(aisct_sam, "AisctSam", lambda: Threshold(0))
        monkeypatch.setattr(ct_scan, "find_mirror", find_poor_mirror)
        scan, *_ = stripped_head(GRIDS["thick slices"])
        result = segment({"ncct": scan}, "aisct-sam", random_weights=1, deformable=False)
        assert f"the mirror image matches poorly (correlation {correlation:.2f}): check the result" in result.warnings

    def test_memory_and_windows_are_reported_before_the_work(self, monkeypatch):
        monkeypatch.setattr(aisct_sam, "AisctSam", lambda: Threshold(0))
        texts = []
        scan, *_ = stripped_head(GRIDS["thick slices"])
        segment({"ncct": scan}, "aisct-sam", lambda _, text: texts.append(text), random_weights=1, deformable=False)
        estimate = next(n for n, text in enumerate(texts) if "of memory needed" in text)
        count = int(re.match(r"(\d+) windows; [\d.]+ GB of memory needed on", texts[estimate]).group(1))
        assert sum(text.startswith("window ") for text in texts[estimate:]) == count
        assert not any(text.startswith("window ") for text in texts[:estimate])


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """Random weights in nnU-Net's layout, with its NumPy numbers."""
    path = tmp_path_factory.mktemp("weights") / "checkpoint_best.pth"
    torch.manual_seed(5)
    model = AisctSam()
    with torch.no_grad():  # scales the logits up
        model.mask_decoder.out.conv.conv.weight.mul_(4)
    contents = {"network_weights": model.state_dict(), "trainer_name": "trainer", "current_epoch": 7}
    contents |= {"init_args": {"plans": PLANS, "fold": 0}, "_best_ema": np.float64(0.6), "logging": {}}
    torch.save(contents, path)
    yield path
    path.unlink()


class TestCheckpoint:
    def test_the_command_segments_with_a_checkpoint(self, checkpoint, tmp_path, capfd):
        scan, *_ = stripped_head(axial((1.2, 1.2, 5.0), (90, 110, 16)), size=0.6)  # within one window
        write_image(scan, tmp_path / "scan.nii.gz")
        outputs = ["-o", tmp_path / "mask.nii.gz", "--probability", tmp_path / "score.nii.gz"]
        outputs += ["--report", tmp_path / "report.json"]
        inputs = ["--ncct", tmp_path / "scan.nii.gz", "--weights", checkpoint, "--device", "cpu"]
        words = ["segment", "--method", "aisct-sam", *inputs, *outputs, "--set", "precision=float32"]
        assert cli.run([str(word) for word in words]) == 0
        score = array(sitk.ReadImage(str(tmp_path / "score.nii.gz")))
        mask = array(sitk.ReadImage(str(tmp_path / "mask.nii.gz")))
        assert ((score >= 0.5) == (mask > 0)).all()
        assert score.max() > score[score > 0].min()
        options = json.loads((tmp_path / "report.json").read_text("utf-8"))["options"]
        assert len(options["weights"]) == 64
        assert options["fingerprints"][1] == {"low": 5, "high": 56, "mean": 27, "sd": 9}
        assert 0 < options["mirror_correlation"] <= 1
        printed = capfd.readouterr().err
        assert "meaning" not in printed
        assert re.match(r"1 window; [\d.]+ GB of memory needed on cpu\n", printed)

    @pytest.mark.skipif(not has_bfloat16("cpu"), reason="sixteen windows in float32 take minutes")
    def test_a_real_head_with_its_skull(self, checkpoint):
        """The mean CT of 35 adults, in windows without overlap."""
        scan = real_image("ct/template_with_skull_2mm.nii.gz")
        result = segment({"ncct": scan}, "aisct-sam", weights=str(checkpoint), overlap=0.0, device="cpu")
        score, brain = array(result.score), array(result.brain) > 0
        assert result.mask.GetSize() == scan.GetSize()
        assert 1000 < volume_ml(result.brain) < 1700
        assert (score[~brain] == 0).all() and score[brain].std() > 0
        assert ((score >= 0.5) == (array(result.mask) > 0)).all()
        assert result.options["mirror_correlation"] > 0.9
        assert not any("normalised" in warning for warning in result.warnings)

    def test_weights_of_another_network_are_refused(self, tmp_path):
        torch.save({"network_weights": {"spg.out_conv.bias": torch.zeros(1)}}, tmp_path / "other.pth")
        scan, *_ = stripped_head(GRIDS["thick slices"])
        with pytest.raises(InputError, match=r"other\.pth: weights of another network: of 580 keys 580 missing"):
            segment({"ncct": scan}, "aisct-sam", weights=str(tmp_path / "other.pth"))

    def test_a_truncated_file_is_refused(self, checkpoint, tmp_path):
        with checkpoint.open("rb") as stream:
            (tmp_path / "cut.pth").write_bytes(stream.read(1 << 20))
        scan, *_ = stripped_head(GRIDS["thick slices"])
        with pytest.raises(InputError, match=r"cut\.pth: not a readable checkpoint|cut\.pth: refused"):
            segment({"ncct": scan}, "aisct-sam", weights=str(tmp_path / "cut.pth"))

    def test_missing_weights_are_an_error(self):
        scan, *_ = stripped_head(GRIDS["thick slices"])
        with pytest.raises(InputError, match=r"needs weights: .*strokesam weights import aisct-sam FILE"):
            segment({"ncct": scan}, "aisct-sam")
        assert find_method("aisct-sam").readiness() == "no: needs weights (strokesam weights import aisct-sam FILE)"

    def test_methods_without_weights_take_none(self):
        with pytest.raises(OptionError, match="method asymmetry has no option 'weights'"):
            find_method("asymmetry").build_options({"weights": "x"})


class TestFingerprint:
    def test_is_read_beside_the_checkpoint(self, tmp_path):
        (tmp_path / "fold_0").mkdir()
        path = tmp_path / "fold_0" / "checkpoint.pth"
        torch.save({"network_weights": {"a": torch.zeros(1)}}, path)
        assert read_fingerprints(path) is None
        (tmp_path / "plans.json").write_text(json.dumps(PLANS))
        assert read_fingerprints(path) == (Fingerprint(5, 55, 27, 9), Fingerprint(5, 56, 27, 9))

    def test_is_read_beside_safetensors_with_another_suffix(self, tmp_path):
        path = tmp_path / "checkpoint.pt"
        save_file({"a": torch.zeros(1)}, path)
        (tmp_path / "checkpoint.plans.json").write_text(json.dumps(PLANS))
        assert read_fingerprints(path) == (Fingerprint(5, 55, 27, 9), Fingerprint(5, 56, 27, 9))

    def test_another_number_of_channels_gives_a_warning(self, monkeypatch, checkpoint):
        monkeypatch.setattr(aisct_sam, "read_fingerprints", lambda _: (Fingerprint(5, 55, 27, 9),))
        _, notes = aisct_sam._fingerprints(aisct_sam.Options(weights=str(checkpoint)))
        assert notes == [
            "the checkpoint says how to normalise 1, not 2 channels: a substitute is used (docs/methods.md)"
        ]

    @pytest.mark.parametrize(
        "channel",
        [
            {},
            {"percentile_00_5": 9, "percentile_99_5": 3, "mean": 1, "std": 1},
            {"percentile_00_5": 3, "percentile_99_5": 9, "mean": 1, "std": 0},
        ],
    )
    def test_impossible_densities_are_refused(self, tmp_path, channel):
        path = tmp_path / "checkpoint.pth"
        torch.save({"network_weights": {"a": torch.zeros(1)}}, path)
        plans = {"foreground_intensity_properties_per_channel": {"0": channel}}
        (tmp_path / "plans.json").write_text(json.dumps(plans))
        with pytest.raises(InputError, match=r"plans\.json: .*densities of the training set"):
            read_fingerprints(path)
