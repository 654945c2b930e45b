"""The method `sam-unetr` on a synthetic prostate."""

from functools import partial

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from helpers import dice

from StrokeSAMLib import cli
from StrokeSAMLib.core.errors import InputError
from StrokeSAMLib.lesion import segment
from StrokeSAMLib.lesion.methods import sam_unetr
from StrokeSAMLib.lesion.methods.sam_unetr import ProstateScan
from StrokeSAMLib.nets.models.sam_unetr import SamUnetr
from StrokeSAMLib.report import measure


class Threshold(torch.nn.Module):
    """A network that finds a lesion where one channel is above its middle grey level; with a negative slope, below."""

    def __init__(self, channel, slope):
        super().__init__()
        self.image_encoder_vit, self.channel, self.slope = torch.nn.Identity(), channel, slope

    def forward(self, x):
        assert x.shape[1:] == (5, 128, 128)
        logit = self.slope * (x[:, self.channel] - (127.5 - 114.495) / 57.63)
        return torch.stack([-logit, logit], dim=1)


def centred_image(values, spacing, pixel=np.float32):
    image = sitk.GetImageFromArray(values.astype(pixel))
    image.SetSpacing(spacing)
    image.SetOrigin([-(n - 1) * step / 2 for n, step in zip(image.GetSize(), spacing, strict=True)])
    return image


SPACING, GRID = (0.5, 0.6, 3.0), (160, 150, 20)


def ball(centre, radius):
    """The voxels within `radius` (mm) of a point, bool (k, j, i)."""
    indices = np.indices(GRID[::-1])[::-1]
    half = [(n - 1) / 2 for n in GRID]
    axes = zip(indices, half, SPACING, centre, strict=True)
    return sum(((index - middle) * step - c) ** 2 for index, middle, step, c in axes) < radius**2


@pytest.fixture
def prostate():
    """T2W, ADC and DWI (both on a coarser grid) and zones; and the lesion."""
    gland, lesion = ball((0, 0, 0), 22), ball((8, 6, 3), 8)
    central = ball((0, -4, 0), 12)
    rng = np.random.default_rng(1)
    t2w = centred_image(100 + 50 * gland - 40 * lesion + rng.normal(0, 2, gland.shape), SPACING)
    zones = centred_image(np.where(central, 1, np.where(gland, 2, 0)), SPACING, np.uint8)
    fine = centred_image(20 + 30 * gland + 200 * lesion, SPACING)
    coarse = centred_image(np.zeros((20, 60, 60)), (1.4, 1.6, 3.0))
    dwi = sitk.Resample(fine, coarse, sitk.Transform(), sitk.sitkLinear, 20.0)
    adc = sitk.Resample(centred_image(1500 - 800 * lesion, SPACING), coarse, sitk.Transform(), sitk.sitkLinear, 1500.0)
    return {"t2w": t2w, "adc": adc, "dwi": dwi, "zones": zones}, centred_image(lesion, SPACING, np.uint8)


class TestMethod:
    def test_network_inputs_are_normalised_images_and_zones(self, prostate):
        images, _ = prostate
        channels = ProstateScan.from_inputs(images).network_inputs()
        assert channels.shape == (5, 20, 128, 128)
        for channel in channels[:3]:
            assert channel.min() == pytest.approx(-114.495 / 57.63, abs=1e-5)
            assert channel.max() == pytest.approx((255 - 114.495) / 57.63, abs=1e-5)
        zones = sitk.GetArrayFromImage(images["zones"])
        for channel, zone in zip(channels[3:], (1, 2), strict=True):
            assert set(np.unique(channel)) == {0, 1}
            assert channel.mean() == pytest.approx((zones == zone).mean(), rel=0.05)

    @pytest.mark.parametrize(("channel", "slope"), [(1, -4), (2, 4)])
    @pytest.mark.parametrize("turned", [False, True])
    def test_the_lesion_is_on_the_grid_of_the_t2w_image(self, prostate, monkeypatch, channel, slope, turned):
        images, lesion = prostate
        monkeypatch.setattr(sam_unetr, "SamUnetr", lambda: Threshold(channel, slope))
        if turned:
            images["t2w"], lesion = (sitk.DICOMOrient(image, "RAI") for image in (images["t2w"], lesion))
        result = segment(images, "sam-unetr", random_weights=1, batch=7)
        assert dice(result.mask, lesion) > 0.85
        assert result.mask.GetSize() == lesion.GetSize()
        assert any("means nothing" in warning for warning in result.warnings)
        assert measure(result)["side"] == "left"

    def test_the_command_segments_with_a_checkpoint(self, prostate, monkeypatch, tmp_path):
        """The network is a narrow ViT. The published one has 2.5 GB."""
        small = partial(SamUnetr, width=160, depth=32, heads=4)
        torch.manual_seed(3)
        torch.save({"state_dict": small().state_dict()}, tmp_path / "sam_unetr.pth")
        monkeypatch.setattr(sam_unetr, "SamUnetr", small)
        for key, image in prostate[0].items():
            sitk.WriteImage(image, str(tmp_path / f"{key}.nii.gz"))
        inputs = [word for key in prostate[0] for word in (f"--{key}", tmp_path / f"{key}.nii.gz")]
        outputs = ["-o", tmp_path / "mask.nii.gz", "--probability", tmp_path / "score.nii.gz"]
        words = ["segment", "--method", "sam-unetr", *inputs, *outputs, "--weights", tmp_path / "sam_unetr.pth"]
        assert cli.run([str(word) for word in words]) == 0
        written = (sitk.ReadImage(str(tmp_path / f"{name}.nii.gz")) for name in ("score", "mask"))
        score, mask = (sitk.GetArrayFromImage(image) for image in written)
        assert ((score >= 0.5) == (mask > 0)).all()
        assert score.std() > 0

    def test_refuses_images_that_do_not_belong_together(self, prostate):
        images, _ = prostate
        far = sitk.Image(images["adc"])
        far.SetOrigin((500.0, 0.0, 0.0))
        with pytest.raises(InputError, match="adc: does not cover the prostate"):
            segment({**images, "adc": far}, "sam-unetr", random_weights=1)
        with pytest.raises(InputError, match="zones: labels must be 0, 1"):
            segment({**images, "zones": images["zones"] * 3}, "sam-unetr", random_weights=1)
        away = sitk.Image(images["zones"])
        away.SetOrigin((500.0, 0.0, 0.0))
        flat = sitk.Compose(images["zones"], images["zones"])
        for zones, why in ((away, "no prostate"), (images["zones"] * 0, "every voxel"), (flat, "a scalar volume")):
            with pytest.raises(InputError, match=f"zones: {why}"):
                segment({**images, "zones": zones}, "sam-unetr", random_weights=1)
        with pytest.raises(InputError, match="method sam-unetr needs zones"):
            segment({key: image for key, image in images.items() if key != "zones"}, "sam-unetr")

    def test_missing_weights_are_an_error(self, prostate):
        with pytest.raises(InputError, match=r"needs weights: --weights FILE"):
            segment(prostate[0], "sam-unetr")
