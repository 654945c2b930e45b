"""AISCT-SAM and its sibling of ICASSP, compared with fixtures."""

import copy

import filler
import numpy as np
import pytest
import torch
from goldens import DATA, Recorder, difference, filled, keys, wanted_keys
from helpers import dice

from StrokeSAMLib.lesion.network_options import NetworkOptions
from StrokeSAMLib.lesion.predictor import Predictor
from StrokeSAMLib.nets.cpu.fast_layers import put_fast_layers
from StrokeSAMLib.nets.models.aisct_sam import AisctSam
from StrokeSAMLib.nets.models.icassp_sam import IcasspSam
from StrokeSAMLib.nets.models.layers import to_windows
from StrokeSAMLib.nets.precision import has_bfloat16

SIZE = (1, 2, 4, 256, 256)
# Where sums are rounded differently, single voxels jump over the self-prompt's threshold.
PROMPT_MEAN, LOGIT_MEAN, LOGIT_MOST, AGREEMENT = 1e-3, 1e-3, 1e-2, 0.9998
RELATIVE = 1e-4


@pytest.mark.parametrize(("name", "build"), [("AIS_SAM", AisctSam), ("AISCT_ICASSP", IcasspSam)])
def test_keys_and_shapes_are_those_of_the_checkpoints_in_their_order(name, build):
    with torch.device("meta"):
        assert keys(build()) == wanted_keys(name)


def encoder_modules(encoder):
    blocks = {f"block{n:02d}": block for n, block in enumerate(encoder.blocks)}
    return blocks | {"patch_embed": encoder.patch_embed, "neck": encoder.neck}


def block_modules(block):
    return {
        "block00.depth_branch": block.depth_branch,
        "block00.qkv.gate(last call)": block.attn.qkv.gate,
        "block00.attn.qkv(windowed)": block.attn.qkv,
        "block00.attn(windowed)": block.attn,
        "block00.Adapter": block.Adapter,
        "block00.mlp.gate": block.mlp.gate,
        "block00.mlp": block.mlp,
    }


def decoder_modules(decoder):
    return {
        f"dec.{name}": module
        for name, module in decoder.named_children()
        if name.startswith(("encoder", "decoder", "out"))
    }


def classes(fixture):
    """The fixture's class of each voxel, (z, y, x)."""
    return np.unpackbits(fixture["out/argmax_full_packed"]).reshape(SIZE[2:])


def prompt_modules(stage):
    modules = {"conv1": stage.conv1, "SRU": stage.conv2.SRU, "CRU": stage.conv2.CRU}
    return {f"spg.stage1.{name}(2nd call=sym)": module for name, module in modules.items()}


class TestAisctSam:
    @pytest.fixture(scope="class")
    @classmethod
    def run(cls):
        model = filled(AisctSam)
        modules = encoder_modules(model.image_encoder) | block_modules(model.image_encoder.blocks[0])
        modules |= decoder_modules(model.mask_decoder) | prompt_modules(model.spg.branch1[0][0])
        recorder = Recorder.on(prompt=model.spg, **modules)
        first = model.image_encoder.blocks[0]
        normed = []
        first.norm1.register_forward_hook(lambda _, __, output: normed.append(output))
        with torch.inference_mode():
            logits = model(torch.from_numpy(filler.inp(SIZE)))
            # The fixture records padded windows. The network leaves their padding out, so run attention on them here.
            windows, _ = to_windows(normed[0], first.window)
            first.attn(windows)
        for n, features in enumerate(recorder.outputs.pop("prompt")):
            recorder.outputs[f"spg.diff.{n}"] = features
        return np.load(DATA / "goldens" / "AIS_SAM_d4.npz"), recorder.outputs, logits, model

    def test_activations(self, run):
        fixture, activations, _, _ = run
        recorded = {name.removesuffix("/sample") for name in fixture.files if name.endswith("/sample")}
        assert set(activations) == recorded
        for name, activation in activations.items():
            most, mean = difference(activation, fixture, name)
            if name.startswith(("spg", "dec")):
                assert mean <= PROMPT_MEAN, name
            else:
                assert most <= RELATIVE, name

    def test_logits(self, run):
        fixture, _, logits, _ = run
        assert tuple(logits.shape) == tuple(fixture["out/shape"])
        off = np.abs(logits[..., ::2, ::2].numpy() - fixture["out/logits_stride(1,1,1,2,2)"])
        assert off.mean() < LOGIT_MEAN
        assert np.quantile(off, 0.999) < LOGIT_MOST
        assert (logits.argmax(1)[0].numpy() == classes(fixture)).mean() > AGREEMENT

    def test_the_fast_self_prompt(self, run):
        fixture, _, _, model = run
        put_fast_layers(model.spg)
        x = torch.from_numpy(filler.inp(SIZE))
        with torch.inference_mode():
            differences = model.spg(x[:, :1], x[:, 1:])
        for n, features in enumerate(differences):
            assert difference(features, fixture, f"spg.diff.{n}")[1] <= PROMPT_MEAN

    def test_with_fast_layers_in_float32(self, run):
        fixture, _, _, model = run
        options = NetworkOptions(device="cpu", precision="float32")
        logits = Predictor(copy.deepcopy(model), options, print)(filler.inp(SIZE))[0]
        background, lesion = fixture["out/logits_stride(1,1,1,2,2)"][0]
        off = np.abs(logits[:, ::2, ::2] - (lesion - background))
        assert off.mean() < LOGIT_MEAN
        assert np.quantile(off, 0.999) < LOGIT_MOST
        assert ((logits > 0) == (classes(fixture) > 0)).mean() > AGREEMENT

    @pytest.mark.skipif(not has_bfloat16("cpu"), reason="no bfloat16 on this processor")
    def test_with_fast_layers_in_bfloat16(self, run):
        fixture, _, _, model = run
        logits = Predictor(model, NetworkOptions(device="cpu", precision="bfloat16"), print)(filler.inp(SIZE))[0]
        assert dice(logits, classes(fixture)) > 0.99


class TestIcassp:
    @pytest.fixture(scope="class")
    @classmethod
    def run(cls):
        model = filled(IcasspSam)
        encoder = encoder_modules(model.image_encoder)
        # The fixture records the second call of the patch embedding, for the mirror image.
        modules = {"patch_embed(last call=sym)": encoder.pop("patch_embed"), "spg": model.spg}
        modules |= {"token_mlp": model.token_mlp, "encoder(img_emb,diff_token).0": encoder.pop("neck"), **encoder}
        recorder = Recorder.on(prompts=model.prompt_encoder, **modules)
        with torch.inference_mode():
            outputs = model.with_prompt(torch.from_numpy(filler.inp(SIZE)))
        recorder.outputs["prompt_encoder(sparse,dense).1"] = recorder.outputs.pop("prompts")[1]
        return np.load(DATA / "goldens" / "AISCT_ICASSP_d4.npz"), recorder.outputs, outputs

    def test_activations(self, run):
        fixture, activations, _ = run
        compared = [name for name in activations if f"{name}/sample" in fixture.files]
        assert len(compared) == 9
        for name in compared:
            most, mean = difference(activations[name], fixture, name)
            assert most <= RELATIVE or (name == "spg" and mean <= PROMPT_MEAN), name

    def test_output(self, run):
        fixture, _, (logits, prompt, quality) = run
        assert tuple(logits.shape) == tuple(fixture["out/shape"])
        off = np.abs(logits[..., ::4, ::4].numpy() - fixture["out/masks_stride(1,1,1,4,4)"])
        assert off.mean() < LOGIT_MEAN
        assert np.quantile(off, 0.999) < LOGIT_MOST
        assert np.abs(prompt[..., ::2, ::2].numpy() - fixture["out/sp"]).mean() < PROMPT_MEAN
        assert np.abs(quality.numpy() - fixture["out/iou"]).max() < RELATIVE * np.abs(fixture["out/iou"]).max()
