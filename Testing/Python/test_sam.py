"""SAM's descendants of single slices: networks and published procedures against fixtures, engines in sessions."""

import json
import re
from functools import partial

import filler
import numpy as np
import pytest
import SimpleITK as sitk
import torch
from helpers import ROOT
from scipy import ndimage as ndi

from StrokeSAMLib import cli
from StrokeSAMLib.errors import InputError, OptionError
from StrokeSAMLib.imaging.area_resize import area_resize
from StrokeSAMLib.interactive import Box, Mask, Point, Session
from StrokeSAMLib.interactive.encodings import Encodings
from StrokeSAMLib.interactive.engines import lite_medsam, sam
from StrokeSAMLib.interactive.engines.lite_medsam import LiteMedSamEngine, next_box
from StrokeSAMLib.interactive.engines.sam import Frame, SamEngine, SamFeatures
from StrokeSAMLib.interactive.slices import SlicePrompts
from StrokeSAMLib.interactive.stack import stack_along_axis
from StrokeSAMLib.nets import sam_models
from StrokeSAMLib.nets.sam_parts import ImageEncoderViT
from StrokeSAMLib.nets.vit import ImageEncoder

GOLDENS = ROOT / "Testing" / "Data" / "goldens"
RELATIVE = 1e-4
BOX = torch.tensor([[40.0, 60.0, 180.0, 200.0]])
PLACES, LABELS = torch.tensor([[[100.0, 120.0], [30.0, 20.0]]]), torch.tensor([[1, 0]])
NETWORKS = {
    "LiteMedSAM": sam_models.lite_medsam,
    "SwiftMedSAM": sam_models.swift_medsam,
    "SAM-Med2D_vit_b_256_adapter": sam_models.sam_med2d,
}


def close(found, wanted):
    found, wanted = np.asarray(found, np.float64), np.asarray(wanted, np.float64)
    assert found.shape == wanted.shape
    assert np.abs(found - wanted).max() <= RELATIVE * np.abs(wanted).max()


def strided(fixture, start):
    """The array whose name begins so, and the steps it was sliced with."""
    names = [name for name in fixture.files if name == start or name.startswith(f"{start}_stride")]
    steps = re.search(r"stride\((.*)\)", names[0])
    return fixture[names[0]], tuple(
        slice(None, None, int(n)) for n in (steps.group(1) if steps else "1,1,1,1").split(",")
    )


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_against_the_fixtures(name):
    fixture, model = np.load(GOLDENS / f"{name}.npz"), filler.fill(NETWORKS[name]())
    bounds = {} if name.startswith("SAM") else {"lo": 0, "hi": 1}
    cases = {
        "box": (None, BOX, None),
        "points": ((PLACES, LABELS), None, None),
        "points_box": ((PLACES[:, :1], LABELS[:, :1]), BOX, None),
        "box_mask": (None, BOX, torch.from_numpy(filler.inp((1, 1, 64, 64), "mask_input"))),
    }
    with torch.inference_mode():
        embedding = model.image_encoder(torch.from_numpy(filler.inp((1, 3, 256, 256), **bounds)))
        wanted, steps = strided(fixture, "image_embedding")
        close(embedding[steps], wanted)
        compared = 0
        for case, prompts in cases.items():
            for several in (0, 1):
                if f"{case}/multi{several}/iou" not in fixture.files:
                    continue
                logits, quality = model.masks(embedding, *prompts, bool(several))
                wanted, steps = strided(fixture, f"{case}/multi{several}/logits")
                close(logits[steps], wanted)
                close(quality, fixture[f"{case}/multi{several}/iou"])
                compared += 1
    assert compared == 6


@pytest.mark.parametrize("image_size", [256, 640])
def test_the_image_encoder_against_the_packages(image_size):
    """640 px are 1,600 tokens, which are attended to by heads; 256 px have windows with padding."""
    size = {"depth": 2, "num_heads": 2, "img_size": image_size, "use_rel_pos": True, "global_attn_indexes": (1,)}
    norm = partial(torch.nn.LayerNorm, eps=1e-6)
    package = filler.fill(ImageEncoderViT(embed_dim=64, out_chans=256, norm_layer=norm, window_size=14, **size)).eval()
    ours = ImageEncoder(64, 2, 2, image_size, whole=(1,)).eval()
    assert list(ours.state_dict()) == list(package.state_dict())
    ours.load_state_dict(package.state_dict())
    image = torch.from_numpy(filler.inp((1, 3, image_size, image_size)))
    with torch.inference_mode():
        close(ours(image), package(image))


def phantom(shape):
    """The fixtures' volume, UInt8."""
    noise = ndi.gaussian_filter(filler.normal("volume", shape), (1, 6, 6))
    return ((noise - noise.min()) / (noise.max() - noise.min()) * 255).astype(np.uint8)


class TestPublishedProcedures:
    """The challenge's scripts, in which later boxes overwrite earlier ones; quirks as in the engine's module."""

    @pytest.fixture(scope="class", params=["LiteMedSAM", "SwiftMedSAM"])
    @classmethod
    def case(cls, request):
        id = {"LiteMedSAM": "lite-medsam", "SwiftMedSAM": "swift-medsam"}[request.param]
        model = filler.fill(lite_medsam.RECIPES[id].build())
        return np.load(GOLDENS / f"{request.param}_procedure.npz"), id, model

    def test_volumes(self, case):
        fixture, id, model = case
        volume = phantom((7, 120, 140))
        image = sitk.GetImageFromArray(volume)
        labels = np.zeros(volume.shape, np.uint8)
        for label, (x0, y0, z0, x1, y1, z1) in enumerate(fixture["3D/boxes"].tolist(), 1):
            recipe = lite_medsam.compatible(lite_medsam.RECIPES[id], label)
            session = Session.on(Encodings(LiteMedSamEngine(id, model, recipe), stack_along_axis(image, 2)))
            k = int((z1 - z0) / 2 + z0)
            session.add(Box((x0, y0, k), (x1, y1, k)))
            # SwiftMedSAM's script never reaches slice 0.
            first = max(z0, 1) if id == "swift-medsam" else z0
            session.propagate(first=first, last=z1, stop_after=0)
            labels[sitk.GetArrayFromImage(session.mask()) > 0] = label
        assert (labels == fixture["3D/segs"]).mean() >= 0.995
        assert ((labels > 0).any(axis=(1, 2)) == (fixture["3D/segs"] > 0).any(axis=(1, 2))).all()

    def test_images_of_three_channels(self, case):
        fixture, id, model = case
        channels = phantom((3, 200, 300))
        frame = lite_medsam.RECIPES[id].frame((200, 300), 256)
        grey = np.stack([np.rint(area_resize(channel, frame.used)) for channel in channels]).astype(np.float32)
        image = np.zeros((1, 3, 256, 256), np.float32)
        image[0, :, : frame.used[0]] = (grey - grey.min()) / (grey.max() - grey.min())
        with torch.inference_mode():
            features = SamFeatures(model.image_encoder(torch.from_numpy(image)), frame)
        engine = LiteMedSamEngine(id, model, lite_medsam.RECIPES[id])
        labels = np.zeros((200, 300), np.uint8)
        for label, box in enumerate(fixture["2D/boxes"].tolist(), 1):
            answer = engine.predict(features, SlicePrompts((200, 300), box=tuple(box)))
            labels[answer.mask((200, 300))] = label
        assert (labels == fixture["2D/segs"]).mean() >= 0.995

    def test_sizes(self, case):
        fixture, _, _ = case
        for shape in ((200, 300), (512, 512), (120, 90), (257, 640)):
            used = Frame.fitted(shape, 256).used
            assert used == tuple(fixture[f"pre/{shape[0]}x{shape[1]}/resized_shape"][:2])


class TestSessions:
    @pytest.fixture
    def volume(self):
        array = np.full((5, 60, 70), 60, np.uint8)
        array[1:4, 20:40, 25:50] = 180
        return sitk.GetImageFromArray(array)

    def test_from_the_command_and_again(self, volume, tmp_path):
        torch.save({"model": filler.fill(sam_models.lite_medsam()).state_dict()}, tmp_path / "weights.pt")
        sitk.WriteImage(volume, str(tmp_path / "scan.nrrd"))
        box = {"type": "box", "corners": [[24, 19, 2], [50, 40, 2]]}
        (tmp_path / "prompts.json").write_text(json.dumps({"space": "LPS", "prompts": [box]}))
        engine = ["--engine", "lite-medsam", "--weights", str(tmp_path / "weights.pt"), "--device", "cpu"]
        files = [str(tmp_path / "scan.nrrd"), "--prompts", str(tmp_path / "prompts.json")]
        assert cli.run(["prompt", *files, *engine, "-o", str(tmp_path / "found.nrrd")]) == 0
        again = [str(tmp_path / "found.json"), files[0], *engine[2:], "-o", str(tmp_path / "again.nrrd")]
        assert cli.run(["replay", *again]) == 0
        found, repeated = (sitk.ReadImage(str(tmp_path / name)) for name in ("found.nrrd", "again.nrrd"))
        assert (sitk.GetArrayFromImage(found) == sitk.GetArrayFromImage(repeated)).all()
        assert len(json.loads((tmp_path / "found.json").read_text())["engine"]["weights"]) == 64

    def test_engines_trained_on_boxes_take_no_points(self, volume):
        model = sam_models.lite_medsam()
        engine = LiteMedSamEngine("lite-medsam", model, lite_medsam.RECIPES["lite-medsam"])
        session = Session.on(Encodings(engine, stack_along_axis(volume, 2)))
        with pytest.raises(OptionError, match="engine lite-medsam takes no point, only box, mask"):
            session.add(Point((30.0, 30.0, 2.0)))

    def test_a_drawn_mask_stays_as_it_was(self, volume):
        engine = SamEngine("sam-med2d", sam_models.sam_med2d(), sam.RECIPES["sam-med2d"])
        session = Session.on(Encodings(engine, stack_along_axis(volume, 2)))
        array = np.zeros((5, 60, 70), np.uint8)
        array[2, 20:40, 25:50] = 1
        session.add(Mask(sitk.GetImageFromArray(array)))
        found = session.slice_mask(2)
        assert 2 * (found & (array[2] > 0)).sum() / (found.sum() + array.sum()) > 0.95

    def test_weights_of_another_network(self, volume, tmp_path):
        torch.save(sam_models.swift_medsam().state_dict(), tmp_path / "weights.pt")
        with pytest.raises(InputError, match=r"weights\.pt: weights of another network: of 435 keys \d+ missing"):
            Session(volume, "lite-medsam", weights=tmp_path / "weights.pt", device="cpu")


class TestBoxes:
    def test_a_box_out_of_the_networks_grid_comes_back_whole(self):
        mask = np.zeros((120, 140), bool)
        mask[30:70, 40:90] = True
        box = np.array(next_box(mask, 256)) * 256 / 140
        assert np.abs(box - np.rint(box)).max() < 1e-9

    def test_a_line_has_a_box_too(self):
        mask = np.zeros((900, 900), bool)
        mask[100, 200:210] = True
        x0, y0, x1, y1 = next_box(mask, 256)
        assert x0 < 200 < 209 < x1 and y0 < 100 < y1


class TestAreaResize:
    def test_blocks_are_averaged(self):
        array = np.arange(16.0).reshape(4, 4)
        assert area_resize(array, (2, 2)).tolist() == [[2.5, 4.5], [10.5, 12.5]]

    def test_the_mean_stays(self):
        array = np.random.default_rng(1).random((50, 70))
        assert area_resize(array, (13, 31)).mean() == pytest.approx(array.mean())

    def test_a_constant_stays_when_it_grows(self):
        assert area_resize(np.full((5, 7), 3.0), (11, 16)) == pytest.approx(np.full((11, 16), 3.0))
