"""The networks in NumPy: equal to PyTorch's, and about as fast."""

import time

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from StrokeSAMLib.nets.models.compact_unet import build
from StrokeSAMLib.nets.models.prompt_unet import INPUTS, PromptUNet
from StrokeSAMLib.nets.plain.safetensors_file import read_weights
from StrokeSAMLib.nets.plain.unets import compact_unet, compact_unet_shapes, prompt_unet, prompt_unet_shapes
from StrokeSAMLib.weights.catalogue import find_weights, shipped_file


def as_arrays(network):
    return {name: value.numpy() for name, value in network.state_dict().items()}


def in_torch(network, x):
    with torch.inference_mode():
        return network.eval()(torch.from_numpy(x)[None])[0, 0].numpy()


@pytest.mark.parametrize("shape", [(8, 16, 32), (24, 32, 16)])
def test_prompt_unet_gives_the_same_logits_as_in_torch(shape):
    torch.manual_seed(1)
    network = PromptUNet()
    x = np.random.default_rng(2).standard_normal((INPUTS, *shape), dtype=np.float32)
    np.testing.assert_allclose(prompt_unet(as_arrays(network), x), in_torch(network, x), atol=1e-4)


@pytest.mark.parametrize(("id", "channels"), [("dwi-unet", 2), ("ncct-unet", 3)])
def test_the_shipped_lesion_networks_give_the_same_logits_as_in_torch(id, channels):
    weights = read_weights(shipped_file(find_weights(id)))
    network = build(id)
    network.load_state_dict({name: torch.from_numpy(value) for name, value in weights.items()})
    x = np.random.default_rng(3).standard_normal((channels, 16, 24, 32), dtype=np.float32)
    expected = in_torch(network, x)
    np.testing.assert_allclose(compact_unet(weights, x), expected, atol=1e-4 * np.abs(expected).max())


@pytest.mark.perf
def test_numpy_takes_at_most_three_times_the_time_of_torch():
    network, x = build("dwi-unet"), np.zeros((2, 48, 64, 48), np.float32)
    weights = as_arrays(network)

    def seconds(predict):
        times = []
        for _ in range(3):
            start = time.process_time()
            predict()
            times.append(time.process_time() - start)
        return min(times)

    assert seconds(lambda: compact_unet(weights, x)) < 3 * seconds(lambda: in_torch(network, x))


def test_the_shapes_of_the_weights_are_those_of_the_networks_in_torch():
    for network, shapes in (
        (PromptUNet(), prompt_unet_shapes()),
        (build("dwi-unet"), compact_unet_shapes("dwi-unet")),
        (build("ncct-unet"), compact_unet_shapes("ncct-unet")),
    ):
        assert shapes == {name: tuple(value.shape) for name, value in network.state_dict().items()}
