"""Layers rewritten for a CPU: each gives the output of the layer that it replaces."""

import json
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from helpers import ROOT
from torch import nn

from StrokeSAMLib.interactive.engines.registry import load_engine
from StrokeSAMLib.lesion.network_options import NetworkOptions
from StrokeSAMLib.lesion.predictor import Predictor
from StrokeSAMLib.nets.cpu import onednn_linear
from StrokeSAMLib.nets.cpu.fast_layers import put_fast_layers, replacements
from StrokeSAMLib.nets.cpu.onednn_convolution import PackedSpatialBranch
from StrokeSAMLib.nets.cpu.onednn_linear import PackedLinear
from StrokeSAMLib.nets.cpu.sam2_fast import speed_up
from StrokeSAMLib.nets.cpu.self_prompt_fast import PiecewiseStage
from StrokeSAMLib.nets.cpu.streaming_norms import NormStatistics
from StrokeSAMLib.nets.cpu.unetr_fast import SlicedDecoder
from StrokeSAMLib.nets.models.adapters import adapted_block
from StrokeSAMLib.nets.models.compact_unet import build
from StrokeSAMLib.nets.models.layers import from_windows, to_windows
from StrokeSAMLib.nets.models.sam2_model import build as build_sam2
from StrokeSAMLib.nets.models.sam_med2d import SpatialBranch
from StrokeSAMLib.nets.models.sam_models import swift_medsam
from StrokeSAMLib.nets.models.self_prompt import PooledStage, SelfPrompt
from StrokeSAMLib.nets.models.unetr import UnetrDecoder
from StrokeSAMLib.nets.models.vit import Mlp


@dataclass(frozen=True)
class ParityCase:
    """A layer that `put_fast_layers` replaces.

    Attributes:
        layer: makes the plain layer.
        run: layer → output for a fixed input.
        fast: the type within the replaced layer that computes.
        tolerance: greatest absolute difference of the outputs.
    """

    layer: Callable[[], nn.Module]
    run: Callable[[nn.Module], torch.Tensor]
    fast: type[nn.Module]
    tolerance: float = 1e-5


def noise(*size):
    return torch.randn(size, generator=torch.Generator().manual_seed(0))


def decoded(decoder):
    image, bottom = noise(2, 1, 3, 32, 64), noise(2, 16, 3, 2, 4)
    hidden = [noise(2, 24, 3, 2, 4) + n for n in range(3)]
    prompts = [noise(2, 8 << n, 3, 16 >> n, 32 >> n) for n in range(3)]
    return decoder.decode(image, hidden, bottom, prompts)


CASES = {
    nn.Linear: ParityCase(lambda: nn.Linear(6, 5), lambda layer: layer(noise(2, 3, 6)), PackedLinear),
    Mlp: ParityCase(lambda: Mlp(8, 32), lambda layer: layer(noise(2, 5, 8)), PackedLinear),
    SpatialBranch: ParityCase(lambda: SpatialBranch(8), lambda layer: layer(noise(2, 8, 6, 10)), PackedSpatialBranch),
    PooledStage: ParityCase(
        lambda: PooledStage(1, 32), lambda layer: layer(noise(2, 1, 3, 40, 24)), PiecewiseStage, tolerance=2e-5
    ),
    UnetrDecoder: ParityCase(
        lambda: UnetrDecoder(1, 24, 16, feature=4, up=(1, 2, 2), convolved=False), decoded, SlicedDecoder
    ),
}


def layer_types(model):
    return {name: type(module) for name, module in model.named_modules()}


def has(model, kind):
    return kind in layer_types(model).values()


@pytest.mark.parametrize("kind", CASES)
def test_a_replaced_layer_gives_the_output_of_the_plain_layer(kind):
    case = CASES[kind]
    torch.manual_seed(0)
    model = nn.Sequential(case.layer()).eval().requires_grad_(False)
    with torch.inference_mode():
        expected = case.run(model[0])
        put_fast_layers(model)
        assert type(model[0]) is not kind and has(model, case.fast)
        torch.testing.assert_close(case.run(model[0]), expected, rtol=0, atol=case.tolerance)


def test_every_replaced_layer_type_has_a_parity_case():
    assert set(replacements()) == set(CASES)


def test_a_decoder_that_upsamples_across_slices_stays():
    model = nn.Sequential(UnetrDecoder(1, 24, 16, feature=4, up=(2, 2), convolved=True))
    before = layer_types(model)
    put_fast_layers(model)
    assert layer_types(model) == before


def test_a_model_without_such_layers_stays():
    model = build("dwi-unet").eval()
    before, parameters = layer_types(model), list(model.parameters())
    put_fast_layers(model)
    assert layer_types(model) == before
    assert all(old is new for old, new in zip(parameters, model.parameters(), strict=True))


@pytest.mark.parametrize("activation", ["none", "relu", "gelu"])
def test_a_packed_layer_works_without_the_packing_operators(activation, monkeypatch):
    plain, x = nn.Linear(6, 5), torch.randn(2, 3, 6)
    layers = [PackedLinear(plain, activation)]
    monkeypatch.setattr(onednn_linear, "can_pack", lambda dtype: False)
    layers.append(PackedLinear(plain, activation))
    with torch.inference_mode():
        torch.testing.assert_close(layers[0](x), layers[1](x))


def test_a_layer_in_bfloat16_works_on_every_processor():
    plain, x = nn.Linear(64, 5), torch.randn(3, 64)
    with torch.inference_mode():
        output = PackedLinear(plain, dtype=torch.bfloat16)(x)
        torch.testing.assert_close(output.float(), plain(x), rtol=0.05, atol=0.05)


def test_the_fast_self_prompt_gives_the_output_of_the_plain_one():
    # With this seed no voxel is so near to the gate's threshold that rounding moves it to the other side.
    torch.manual_seed(0)
    network = SelfPrompt((32, 64)).eval()
    scan, mirrored = torch.randn(2, 2, 1, 3, 40, 24)
    with torch.inference_mode():
        expected = network(scan, mirrored)
        put_fast_layers(network)
        for difference, plain in zip(network(scan, mirrored), expected, strict=True):
            torch.testing.assert_close(difference, plain, rtol=0, atol=2e-5)


def test_a_block_with_packed_layers_and_unpadded_windows_gives_the_output_of_the_plain_one():
    torch.manual_seed(0)
    block = adapted_block(32, 2, 6, 16).eval().requires_grad_(False)
    for table in (block.attn.rel_pos_h, block.attn.rel_pos_w):
        table.normal_()
    x = torch.randn(4, 16, 14, 32)
    windows, padded = to_windows(block.norm1(x), 6)
    plain = from_windows(block.attn(windows), padded, (16, 14))
    torch.testing.assert_close(block.attn(block.norm1(x), 6), plain)
    expected = block(x, 4)
    put_fast_layers(block)
    assert isinstance(block.Adapter.spatial, PackedSpatialBranch)
    torch.testing.assert_close(block(x, 4), expected, rtol=0, atol=1e-5)


def test_statistics_of_pieces_combine_to_those_of_the_volume():
    x = torch.randn(3, 1000) * torch.tensor([[1.0], [10.0], [0.1]]) + torch.tensor([[0.0], [50.0], [3.0]])
    combined = NormStatistics.combined(map(NormStatistics.of_piece, x.split(300, dim=1)))
    variance, mean = torch.var_mean(x.double(), dim=1, correction=0)
    torch.testing.assert_close(combined.mean, mean, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(combined.variance, variance, rtol=1e-5, atol=0)


class TestOption:
    """`fast_layers=False` leaves the layers as published."""

    @pytest.mark.parametrize("fast_layers", [True, False])
    def test_of_a_method(self, fast_layers):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Flatten(2), nn.Linear(8, 8), nn.Unflatten(2, (2, 2, 2))).eval().requires_grad_(False)
        published, batch = layer_types(model), np.ones((1, 2, 2, 2, 2), np.float32)
        options = NetworkOptions(device="cpu", precision="float32", fast_layers=fast_layers)
        logits = Predictor(model, options, print)(batch)
        assert logits.shape == (1, 2, 2, 2)
        assert has(model, PackedLinear) == fast_layers
        assert fast_layers or layer_types(model) == published

    @pytest.mark.parametrize("fast_layers", [True, False])
    def test_of_an_engine_with_a_sam_of_single_slices(self, fast_layers, swift):
        engine = load_engine("swift-medsam", swift, "cpu", {"fast_layers": fast_layers})
        assert has(engine.model.image_encoder, PackedLinear) == fast_layers
        assert fast_layers or layer_types(engine.model) == layer_types(swift_medsam())

    @pytest.mark.skipif(not onednn_linear.can_pack(), reason="no packing operators")
    @pytest.mark.parametrize("fast_layers", [True, False])
    def test_of_an_engine_with_a_sam_2(self, fast_layers):
        model = build_sam2(json.loads((ROOT / "Testing" / "Data" / "micro_sam2.json").read_text("utf-8")))
        published = layer_types(model)
        speed_up(model, torch.float32, fast_layers=fast_layers)
        assert has(model, PackedLinear) == fast_layers
        assert fast_layers or layer_types(model) == published
