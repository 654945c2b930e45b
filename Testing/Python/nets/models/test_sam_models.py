"""The SAM networks for single slices against fixtures and the `segment-anything` package."""

import re
from functools import partial

import filler
import numpy as np
import pytest
import torch
from helpers import ROOT

from StrokeSAMLib.nets.models import sam_models
from StrokeSAMLib.nets.models.sam_parts import ImageEncoderViT
from StrokeSAMLib.nets.models.vit import ImageEncoder

GOLDENS = ROOT / "Testing" / "Data" / "goldens"
RELATIVE = 1e-4
BOX = torch.tensor([[40.0, 60.0, 180.0, 200.0]])
POSITIONS, LABELS = torch.tensor([[[100.0, 120.0], [30.0, 20.0]]]), torch.tensor([[1, 0]])
NETWORKS = {
    "LiteMedSAM": sam_models.lite_medsam,
    "SwiftMedSAM": sam_models.swift_medsam,
    "SAM-Med2D_vit_b_256_adapter": sam_models.sam_med2d,
}


def check_close(actual, expected):
    """Check that two arrays differ by at most 10⁻⁴ of the largest expected value."""
    actual, expected = np.asarray(actual, np.float64), np.asarray(expected, np.float64)
    assert actual.shape == expected.shape
    assert np.abs(actual - expected).max() <= RELATIVE * np.abs(expected).max()


def strided(fixture, start):
    """The array of a fixture whose name starts with `start`, and the strides that it was recorded with."""
    names = [name for name in fixture.files if name == start or name.startswith(f"{start}_stride")]
    steps = re.search(r"stride\((.*)\)", names[0])
    return fixture[names[0]], tuple(
        slice(None, None, int(n)) for n in (steps.group(1) if steps else "1,1,1,1").split(",")
    )


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_give_the_values_of_the_fixtures(name):
    fixture, model = np.load(GOLDENS / f"{name}.npz"), filler.fill(NETWORKS[name]())
    bounds = {} if name.startswith("SAM") else {"lo": 0, "hi": 1}
    cases = {
        "box": (None, BOX, None),
        "points": ((POSITIONS, LABELS), None, None),
        "points_box": ((POSITIONS[:, :1], LABELS[:, :1]), BOX, None),
        "box_mask": (None, BOX, torch.from_numpy(filler.inp((1, 1, 64, 64), "mask_input"))),
    }
    with torch.inference_mode():
        embedding = model.image_encoder(torch.from_numpy(filler.inp((1, 3, 256, 256), **bounds)))
        expected, steps = strided(fixture, "image_embedding")
        check_close(embedding[steps], expected)
        compared = 0
        for case, prompts in cases.items():
            for multimask in (0, 1):
                if f"{case}/multi{multimask}/iou" not in fixture.files:
                    continue
                logits, quality = model.masks(embedding, *prompts, bool(multimask))
                expected, steps = strided(fixture, f"{case}/multi{multimask}/logits")
                check_close(logits[steps], expected)
                check_close(quality, fixture[f"{case}/multi{multimask}/iou"])
                compared += 1
    assert compared == 6


@pytest.mark.parametrize("image_size", [256, 640])
def test_the_image_encoder_gives_the_values_of_the_packages_own(image_size):
    """640 px give 1,600 tokens, for which attention runs head by head; 256 px give windows with padding."""
    size = {"depth": 2, "num_heads": 2, "img_size": image_size, "use_rel_pos": True, "global_attn_indexes": (1,)}
    norm = partial(torch.nn.LayerNorm, eps=1e-6)
    package = filler.fill(ImageEncoderViT(embed_dim=64, out_chans=256, norm_layer=norm, window_size=14, **size)).eval()
    ours = ImageEncoder(64, 2, 2, image_size, global_blocks=(1,)).eval()
    assert list(ours.state_dict()) == list(package.state_dict())
    ours.load_state_dict(package.state_dict())
    image = torch.from_numpy(filler.inp((1, 3, image_size, image_size)))
    with torch.inference_mode():
        check_close(ours(image), package(image))
