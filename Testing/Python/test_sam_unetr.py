"""SAM-UNETR: the network, and the import of SAM's weights, against fixtures; the method on a made prostate."""

from functools import partial

import filler
import numpy as np
import pytest
import SimpleITK as sitk
import torch
from goldens import DATA, Recorder, difference, filled, keys, wanted_keys
from helpers import dice

from StrokeSAMLib import cli
from StrokeSAMLib.errors import InputError
from StrokeSAMLib.lesion import sam_unetr, segment
from StrokeSAMLib.lesion.sam_unetr import Prostate
from StrokeSAMLib.nets.sam_unetr import SamUnetr, import_sam, resized_positions, resized_table
from StrokeSAMLib.nets.vit import ImageEncoder
from StrokeSAMLib.report import measure

RELATIVE = 1e-4


@pytest.fixture(scope="module")
def fixture():
    return np.load(DATA / "goldens" / "SAM-UNETR_small.npz")


def test_keys_and_shapes_are_those_of_the_checkpoints_in_their_order():
    with torch.device("meta"):
        assert keys(SamUnetr()) == wanted_keys("SAM-UNETR_V2")


def test_the_network(fixture):
    model = filled(partial(SamUnetr, width=160, depth=32, heads=4))
    encoder = model.image_encoder_vit
    modules = {f"V2/block{n:02d}": encoder.blocks[n] for n in (0, 7, 15, 23, 31)}
    modules |= {f"V2/{name}": part for name, part in model.named_children() if name[:7] in ("encoder", "decoder")}
    recorder = Recorder.on(**{"V2/patch_embed": encoder.patch_embed}, **modules)
    with torch.inference_mode():
        logits = model(torch.from_numpy(filler.inp((2, 5, 128, 128))))
    assert len(recorder.found) == 14
    for name, found in recorder.found.items():
        assert difference(found, fixture, name)[0] <= RELATIVE, name
    wanted = fixture["V2/out_stride(1,1,2,2)"]
    assert np.abs(logits[..., ::2, ::2].numpy() - wanted).max() <= RELATIVE * np.abs(wanted).max()


class TestImport:
    def test_interpolation(self, fixture):
        positions = torch.from_numpy(filler.values("resize.pos_embed", (1, 64, 64, 32)))
        table = torch.from_numpy(filler.values("resize.rel_pos", (127, 80)))
        assert np.array_equal(resized_positions(positions, 8), fixture["resize/pos_embed(1,64,64,32)->(8,8)"])
        assert np.array_equal(resized_table(table, 15), fixture["resize/rel_pos(127,80)->(15,80)"])

    def test_a_checkpoint_of_vit_h_becomes_the_encoders(self):
        """All keys and shapes, on the meta device: the weights themselves are 2.5 GB."""
        with torch.device("meta"):
            sam = ImageEncoder(1280, 32, 16, 1024, whole=(7, 15, 23, 31))
            ours = SamUnetr().image_encoder_vit
            state = {f"image_encoder.{key}": value for key, value in sam.state_dict().items()}
            made = import_sam({**state, "mask_decoder.iou_token.weight": torch.zeros(1, 256)})
        assert {key: value.shape for key, value in made.items()} == dict(keys(ours))


class Threshold(torch.nn.Module):
    """Lesion where a channel is above the middle of its grey levels; or, with a negative slope, below."""

    def __init__(self, channel, slope):
        super().__init__()
        self.image_encoder_vit, self.channel, self.slope = torch.nn.Identity(), channel, slope

    def forward(self, x):
        assert x.shape[1:] == (5, 128, 128)
        logit = self.slope * (x[:, self.channel] - (127.5 - 114.495) / 57.63)
        return torch.stack([-logit, logit], dim=1)


def made(values, spacing, pixel=np.float32):
    image = sitk.GetImageFromArray(values.astype(pixel))
    image.SetSpacing(spacing)
    image.SetOrigin([-(n - 1) * step / 2 for n, step in zip(image.GetSize(), spacing, strict=True)])
    return image


SPACING, GRID = (0.5, 0.6, 3.0), (160, 150, 20)


def ball(centre, radius):
    """Bool (k, j, i): within `radius`, mm, of a point."""
    places = np.indices(GRID[::-1])[::-1]
    half = [(n - 1) / 2 for n in GRID]
    axes = zip(places, half, SPACING, centre, strict=True)
    return sum(((place - middle) * step - c) ** 2 for place, middle, step, c in axes) < radius**2


@pytest.fixture
def prostate():
    """T2W, ADC and DWI (on a coarser grid), zones, and the lesion."""
    gland, lesion = ball((0, 0, 0), 22), ball((8, 6, 3), 8)
    central = ball((0, -4, 0), 12)
    rng = np.random.default_rng(1)
    t2w = made(100 + 50 * gland - 40 * lesion + rng.normal(0, 2, gland.shape), SPACING)
    zones = made(np.where(central, 1, np.where(gland, 2, 0)), SPACING, np.uint8)
    fine = made(20 + 30 * gland + 200 * lesion, SPACING)
    coarse = made(np.zeros((20, 60, 60)), (1.4, 1.6, 3.0))
    dwi = sitk.Resample(fine, coarse, sitk.Transform(), sitk.sitkLinear, 20.0)
    adc = sitk.Resample(made(1500 - 800 * lesion, SPACING), coarse, sitk.Transform(), sitk.sitkLinear, 1500.0)
    return {"t2w": t2w, "adc": adc, "dwi": dwi, "zones": zones}, made(lesion, SPACING, np.uint8)


class TestMethod:
    def test_channels(self, prostate):
        images, _ = prostate
        channels = Prostate.of(images).channels()
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
    def test_the_answer_is_on_the_t2w_images_grid(self, prostate, monkeypatch, channel, slope, turned):
        images, lesion = prostate
        monkeypatch.setattr(sam_unetr, "SamUnetr", lambda: Threshold(channel, slope))
        if turned:
            images["t2w"], lesion = (sitk.DICOMOrient(image, "RAI") for image in (images["t2w"], lesion))
        found = segment(images, "sam-unetr", random_weights=1, batch=7)
        assert dice(found.mask, lesion) > 0.85
        assert found.mask.GetSize() == lesion.GetSize()
        assert any("means nothing" in warning for warning in found.warnings)
        assert measure(found)["side"] == "left"

    def test_a_checkpoint_from_the_disk(self, prostate, monkeypatch, tmp_path):
        """A narrow ViT: the published one has 2.5 GB."""
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

    def test_images_that_do_not_belong_together(self, prostate):
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
        for zones, why in ((away, "no prostate"), (images["zones"] * 0, "every voxel"), (flat, "a 3-D scalar volume")):
            with pytest.raises(InputError, match=f"zones: {why}"):
                segment({**images, "zones": zones}, "sam-unetr", random_weights=1)
        with pytest.raises(InputError, match="method sam-unetr needs zones"):
            segment({key: image for key, image in images.items() if key != "zones"}, "sam-unetr")

    def test_without_weights(self, prostate):
        with pytest.raises(InputError, match=r"needs weights: --weights FILE"):
            segment(prostate[0], "sam-unetr")
