"""SAM-UNETR: the network, and the import of SAM's weights, against fixtures."""

from functools import partial

import filler
import numpy as np
import pytest
import torch
from goldens import DATA, Recorder, difference, filled, keys, wanted_keys

from StrokeSAMLib.nets.sam_unetr import SamUnetr, import_sam, resized_positions, resized_table

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
        from StrokeSAMLib.nets.vit import ImageEncoder

        with torch.device("meta"):
            sam = ImageEncoder(1280, 32, 16, 1024, whole=(7, 15, 23, 31))
            ours = SamUnetr().image_encoder_vit
            state = {f"image_encoder.{key}": value for key, value in sam.state_dict().items()}
            made = import_sam({**state, "mask_decoder.iou_token.weight": torch.zeros(1, 256)})
        assert {key: value.shape for key, value in made.items()} == dict(keys(ours))
