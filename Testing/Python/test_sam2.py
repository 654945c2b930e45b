"""SAM 2 engines: the networks against fixtures, the engine against the package's own video predictor."""

import sys

import numpy as np
import pytest
import SimpleITK as sitk
from helpers import ROOT
from scipy import ndimage as ndi

torch = pytest.importorskip("torch")
pytest.importorskip("sam2")

sys.path.insert(0, str(ROOT / "Testing" / "Data"))
import filler
from PIL import Image
from sam2.sam2_video_predictor import SAM2VideoPredictor

from StrokeSAMLib.errors import InputError, OptionError
from StrokeSAMLib.imaging.phantom import head_ct
from StrokeSAMLib.interactive import Box, Plan, Point, Session
from StrokeSAMLib.interactive.encodings import Encodings
from StrokeSAMLib.interactive.engines.base import Bank, Context
from StrokeSAMLib.interactive.engines.sam2 import Sam2Answer, Sam2Engine, load
from StrokeSAMLib.interactive.record import document, replay
from StrokeSAMLib.interactive.slices import SlicePrompts
from StrokeSAMLib.interactive.stack import stack_along_axis
from StrokeSAMLib.nets.sam2_model import build, configurations

GOLDENS = ROOT / "Testing" / "Data" / "goldens"
RELATIVE = 1e-4
SHAPE = (200, 240)


def golden(name):
    return np.load(GOLDENS / f"{name}.npz")


def close(found, wanted):
    """Equal to 10⁻⁴ of the greatest value: the same operations in another order."""
    found, wanted = np.asarray(found, np.float64), np.asarray(wanted, np.float64)
    assert found.shape == wanted.shape
    assert np.abs(found - wanted).max() <= RELATIVE * np.abs(wanted).max()


def recorded(fixture, name, tensor):
    """The activation called `name` in a fixture: its shape, and a sample of it."""
    assert list(tensor.shape) == fixture[f"{name}/shape"].tolist()
    close(tensor.float().numpy().ravel()[:: int(fixture[f"{name}/sample_step"])][:256], fixture[f"{name}/sample"])


def filled(name, **changes):
    """An engine with the fixtures' weights."""
    configuration = {**configurations()[name], **changes}
    return Sam2Engine(name, filler.fill(build(configuration)))


@pytest.fixture(scope="module")
def medsam2():
    return filled("medsam2")


@pytest.fixture(scope="module")
def clip(medsam2):
    images = torch.from_numpy(filler.inp((5, 3, 512, 512)))
    return [medsam2.encode_image(images[k : k + 1]) for k in range(5)]


def asked(box=None, points=(), labels=(), shape=SHAPE):
    return SlicePrompts(shape, np.reshape(np.asarray(points, np.float32), (-1, 2)), np.asarray(labels, np.uint8), box)


class TestImages:
    @pytest.mark.parametrize(
        ("engine", "name"),
        [
            ("medsam2", "MedSAM2_t512_image"),
            ("sam2.1-tiny", "SAM2.1_hiera_tiny_1024"),
            ("sam2-tiny", "SAM2.0_hiera_tiny_1024"),
        ],
    )
    def test_against_the_fixtures(self, engine, name):
        fixture, engine = golden(name), filled(engine)
        size = engine.model.image_size
        features = engine.encode_image(torch.from_numpy(filler.inp((1, 3, size, size))))
        for level in range(3):
            recorded(fixture, f"fpn{level}(after conv_s0/s1)", features.maps[level])
        half = size / 1024
        box = tuple(half * n for n in (200, 240, 700, 820))
        points = half * np.array([[400, 500], [100, 80]])
        cases = {
            "box": asked(box),
            "point": asked(None, points[:1], [1]),
            "points_pn": asked(None, points, [1, 0]),
            "box_point": asked(box, points[:1], [1]),
        }
        for case, prompts in cases.items():
            answer = engine.predict(features, SlicePrompts((size, size), prompts.points, prompts.labels, prompts.box))
            recorded(fixture, f"{case}/logits", answer.logits)
            close(answer.score, fixture[f"{case}/obj"])


class TestVideo:
    @pytest.mark.parametrize("name", ["MedSAM2_t512_video", "SAM2.1predictor_t512_video"])
    @pytest.mark.parametrize("prompt", ["box", "points", "mask"])
    @pytest.mark.parametrize("backwards", [False, True])
    def test_against_the_fixtures(self, medsam2, clip, name, prompt, backwards):
        fixture = golden(name)
        prompts = {
            "box": asked(tuple(fixture["prompt/box"])),
            "points": asked(None, fixture["prompt/points"], fixture["prompt/labels"]),
            "mask": SlicePrompts(SHAPE, mask=drawn_mask(fixture)),
        }[prompt]
        answers = {2: medsam2.predict(clip[2], prompts)}
        medsam2.remember(clip[2], answers[2])
        bank = Bank({2: answers[2]})
        for k in (1, 0) if backwards else (3, 4):
            answers[k] = bank.tracked[k] = medsam2.track(clip[k], Context(k, 5, backwards, bank))
        run = f"{prompt}/rev{int(backwards)}"
        for k, answer in answers.items():
            self.compare(fixture, run, k, answer)

    def compare(self, fixture, run, k, answer):
        full = torch.nn.functional.interpolate(answer.logits, size=SHAPE, mode="bilinear", align_corners=False)
        close(full[0, 0, ::4, ::4], fixture[f"{run}/frame{k}/video_logits_stride4"])
        kept = f"{run}/mem_{'cond' if k == 2 else 'non'}{k}"
        close(answer.pointer, fixture[f"{kept}/obj_ptr"])
        close(answer.score, fixture[f"{kept}/obj_score"])
        assert str(answer.memory.dtype) == str(fixture[f"{kept}/maskmem_dtype"])
        found = answer.memory.float().numpy().ravel()[:: int(fixture[f"{kept}/maskmem_features/sample_step"])][:256]
        # bfloat16 has eight bits: a rounding may fall to the other side.
        wanted = fixture[f"{kept}/maskmem_features/sample"]
        assert np.abs(found - wanted).max() <= 2**-7 * np.abs(wanted).max()


def drawn_mask(fixture):
    return np.unpackbits(fixture["prompt/mask_packed"]).reshape(SHAPE) > 0


def test_box_propagation_against_the_fixture():
    fixture = golden("MedSAM2branch_box_propagation")
    count, rows, columns = fixture["segs"].shape
    noise = ndi.gaussian_filter(filler.normal("volume", (count, rows, columns)), (1, 6, 6))
    volume = ((noise - noise.min()) / (noise.max() - noise.min()) * 255).astype(np.uint8)
    assert (volume[0, ::4, ::4] == fixture["img_slice0_stride4"]).all()
    session = Session.on(Encodings(filled("sam2-tiny"), stack_along_axis(sitk.GetImageFromArray(volume), 2)))
    low_x, low_y, high_x, high_y = fixture["boxes_1024_in_call_order"][0] / 1024 * ([columns, rows] * 2)
    session.add(Box((low_x, low_y, 2), (high_x, high_y, 2)))
    session.propagate(policy="box", stop_after=0)
    found = sitk.GetArrayFromImage(session.mask())
    assert session.slices() == list(range(count))
    assert (found == fixture["segs"]).mean() >= 0.995
