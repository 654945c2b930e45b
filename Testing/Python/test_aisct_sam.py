"""AISCT-SAM and its sibling of ICASSP: networks against fixtures."""

import copy

import filler
import numpy as np
import pytest
import torch
from goldens import DATA, Recorder, difference, filled, keys, wanted_keys

from StrokeSAMLib.lesion.network import Asked
from StrokeSAMLib.nets import packed
from StrokeSAMLib.nets.adapters import adapted_block
from StrokeSAMLib.nets.aisct_sam import AisctSam, IcasspSam
from StrokeSAMLib.nets.layers import from_windows, to_windows
from StrokeSAMLib.nets.norms import Statistics
from StrokeSAMLib.nets.packed import PackedLinear, pack_layers
from StrokeSAMLib.nets.packed_convolutions import HalvedAndDoubled
from StrokeSAMLib.nets.precision import has_bfloat16
from StrokeSAMLib.nets.self_prompt import SelfPrompt
from StrokeSAMLib.nets.unetr import UnetrDecoder

SIZE = (1, 2, 4, 256, 256)
# The self-prompt's threshold lets isolated voxels jump, wherever sums are rounded otherwise.
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
    """The class of each voxel, (z, y, x)."""
    return np.unpackbits(fixture["out/argmax_full_packed"]).reshape(SIZE[2:])


def prompt_modules(stage):
    modules = {"conv1": stage.conv1, "SRU": stage.conv2.SRU, "CRU": stage.conv2.CRU}
    return {f"spg.stage1.{name}(2nd call=sym)": module for name, module in modules.items()}


def test_the_quick_self_prompt_is_the_plain_one():
    # Without a voxel on the gate's threshold, which rounding may push to its other side.
    torch.manual_seed(0)
    network = SelfPrompt((32, 64)).eval()
    scan, mirrored = torch.randn(2, 2, 1, 3, 40, 24)
    with torch.inference_mode():
        plain = network(scan, mirrored)
        pack_layers(network)
        for found, wanted in zip(network(scan, mirrored), plain, strict=True):
            torch.testing.assert_close(found, wanted, rtol=0, atol=2e-5)


def test_packed_layers_and_evenly_cut_windows_are_the_plain_ones():
    torch.manual_seed(0)
    block = adapted_block(32, 2, 6, 16).eval().requires_grad_(False)
    for table in (block.attn.rel_pos_h, block.attn.rel_pos_w):
        table.normal_()
    x = torch.randn(4, 16, 14, 32)
    windows, padded = to_windows(block.norm1(x), 6)
    plain = from_windows(block.attn(windows), padded, (16, 14))
    torch.testing.assert_close(block.attn(block.norm1(x), 6), plain)
    wanted = block(x, 4)
    pack_layers(block)
    assert isinstance(block.Adapter.spatial, HalvedAndDoubled)
    torch.testing.assert_close(block(x, 4), wanted, rtol=0, atol=1e-5)


@pytest.mark.parametrize("activation", ["none", "relu", "gelu"])
def test_a_packed_layer_is_the_plain_one_where_nothing_can_be_packed(activation, monkeypatch):
    plain, x = torch.nn.Linear(6, 5), torch.randn(2, 3, 6)
    layers = [PackedLinear(plain, activation)]
    monkeypatch.setattr(packed, "can_pack", lambda: False)
    layers.append(PackedLinear(plain, activation))
    with torch.inference_mode():
        torch.testing.assert_close(layers[0](x), layers[1](x))


def test_the_decoder_by_slices_is_the_plain_one():
    torch.manual_seed(0)
    decoder = UnetrDecoder(1, 24, 16, feature=4, up=(1, 2, 2), convolved=False).eval().requires_grad_(False)
    image, bottom = torch.randn(2, 1, 3, 32, 64), torch.randn(2, 16, 3, 2, 4)
    hidden = [torch.randn(2, 24, 3, 2, 4) for _ in range(3)]
    prompts = [torch.randn(2, 8 << n, 3, 16 >> n, 32 >> n) for n in range(3)]
    with torch.inference_mode():
        wanted = decoder.decode(image, hidden, bottom, prompts)
        found = decoder.packed(torch.float32).decode(image, hidden, bottom, prompts)
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-5)


def test_statistics_of_pieces_are_those_of_the_whole():
    x = torch.randn(3, 1000) * torch.tensor([[1.0], [10.0], [0.1]]) + torch.tensor([[0.0], [50.0], [3.0]])
    found = Statistics.of_all(map(Statistics.of, x.split(300, dim=1)))
    variance, mean = torch.var_mean(x.double(), dim=1, correction=0)
    torch.testing.assert_close(found.mean, mean, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(found.variance, variance, rtol=1e-5, atol=0)


class TestAisctSam:
    @pytest.fixture(scope="class")
    @classmethod
    def run(cls):
        model = filled(AisctSam)
        modules = encoder_modules(model.image_encoder) | block_modules(model.image_encoder.blocks[0])
        modules |= decoder_modules(model.mask_decoder) | prompt_modules(model.spg.branch1[0][0])
        recorder = Recorder.on(prompt=model.spg, **modules)
        first = model.image_encoder.blocks[0]
        first.norm1.register_forward_hook(lambda _, __, output: normed.append(output))
        normed = []
        with torch.inference_mode():
            logits = model(torch.from_numpy(filler.inp(SIZE)))
            # The fixture has windows with their padding, which the network here does not compute.
            windows, _ = to_windows(normed[0], first.window)
            first.attn(windows)
        for n, found in enumerate(recorder.found.pop("prompt")):
            recorder.found[f"spg.diff.{n}"] = found
        return np.load(DATA / "goldens" / "AIS_SAM_d4.npz"), recorder.found, logits, model

    def test_activations(self, run):
        fixture, found, _, _ = run
        recorded = {name.removesuffix("/sample") for name in fixture.files if name.endswith("/sample")}
        assert set(found) == recorded
        for name, activation in found.items():
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

    def test_the_quick_self_prompt(self, run):
        fixture, _, _, model = run
        pack_layers(model.spg)
        x = torch.from_numpy(filler.inp(SIZE))
        with torch.inference_mode():
            quick = model.spg(x[:, :1], x[:, 1:])
        for n, found in enumerate(quick):
            assert difference(found, fixture, f"spg.diff.{n}")[1] <= PROMPT_MEAN

    def test_packed(self, run):
        """As a CPU runs it in float32."""
        fixture, _, _, model = run
        found = Asked(copy.deepcopy(model), "cpu", "float32", print)(filler.inp(SIZE))[0]
        background, lesion = fixture["out/logits_stride(1,1,1,2,2)"][0]
        off = np.abs(found[:, ::2, ::2] - (lesion - background))
        assert off.mean() < LOGIT_MEAN
        assert np.quantile(off, 0.999) < LOGIT_MOST
        assert ((found > 0) == (classes(fixture) > 0)).mean() > AGREEMENT

    @pytest.mark.skipif(not has_bfloat16("cpu"), reason="no bfloat16 on this processor")
    def test_bfloat16(self, run):
        fixture, _, _, model = run
        found = Asked(model, "cpu", "bfloat16", print)(filler.inp(SIZE))[0] > 0
        wanted = classes(fixture) > 0
        assert 2 * (found & wanted).sum() / (found.sum() + wanted.sum()) > 0.99


class TestIcassp:
    @pytest.fixture(scope="class")
    @classmethod
    def run(cls):
        model = filled(IcasspSam)
        encoder = encoder_modules(model.image_encoder)
        # Of the patches the fixture has the second call, of the mirror image.
        modules = {"patch_embed(last call=sym)": encoder.pop("patch_embed"), "spg": model.spg}
        modules |= {"token_mlp": model.token_mlp, "encoder(img_emb,diff_token).0": encoder.pop("neck"), **encoder}
        recorder = Recorder.on(prompts=model.prompt_encoder, **modules)
        with torch.inference_mode():
            given = model(torch.from_numpy(filler.inp(SIZE)))
        recorder.found["prompt_encoder(sparse,dense).1"] = recorder.found.pop("prompts")[1]
        return np.load(DATA / "goldens" / "AISCT_ICASSP_d4.npz"), recorder.found, given

    def test_activations(self, run):
        fixture, found, _ = run
        compared = [name for name in found if f"{name}/sample" in fixture.files]
        assert len(compared) == 9
        for name in compared:
            most, mean = difference(found[name], fixture, name)
            assert most <= RELATIVE or (name == "spg" and mean <= PROMPT_MEAN), name

    def test_output(self, run):
        fixture, _, (logits, prompt, quality) = run
        assert tuple(logits.shape) == tuple(fixture["out/shape"])
        wanted = fixture["out/masks_stride(1,1,1,4,4)"]
        off = np.abs(logits[..., ::4, ::4].numpy() - wanted)
        assert off.mean() < LOGIT_MEAN
        assert np.quantile(off, 0.999) < LOGIT_MOST
        assert np.abs(prompt[..., ::2, ::2].numpy() - fixture["out/sp"]).mean() < PROMPT_MEAN
        assert np.abs(quality.numpy() - fixture["out/iou"]).max() < RELATIVE * np.abs(fixture["out/iou"]).max()
