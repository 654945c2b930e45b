"""SAM-UNETR, compared with fixtures."""

from functools import partial

import filler
import numpy as np
import torch
from goldens import DATA, Recorder, difference, filled, keys, wanted_keys

from StrokeSAMLib.nets.models.sam_unetr import SamUnetr

RELATIVE = 1e-4


def test_keys_and_shapes_are_those_of_the_checkpoints_in_their_order():
    with torch.device("meta"):
        assert keys(SamUnetr()) == wanted_keys("SAM-UNETR_V2")


def test_activations_and_logits_are_those_of_the_fixture():
    fixture = np.load(DATA / "goldens" / "SAM-UNETR_small.npz")
    model = filled(partial(SamUnetr, width=160, depth=32, heads=4))
    encoder = model.image_encoder_vit
    modules = {f"V2/block{n:02d}": encoder.blocks[n] for n in (0, 7, 15, 23, 31)}
    modules |= {f"V2/{name}": part for name, part in model.named_children() if name[:7] in ("encoder", "decoder")}
    recorder = Recorder.on(**{"V2/patch_embed": encoder.patch_embed}, **modules)
    with torch.inference_mode():
        logits = model(torch.from_numpy(filler.inp((2, 5, 128, 128))))
    assert len(recorder.outputs) == 14
    for name, activation in recorder.outputs.items():
        assert difference(activation, fixture, name)[0] <= RELATIVE, name
    wanted = fixture["V2/out_stride(1,1,2,2)"]
    assert np.abs(logits[..., ::2, ::2].numpy() - wanted).max() <= RELATIVE * np.abs(wanted).max()
