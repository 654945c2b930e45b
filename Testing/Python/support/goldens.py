"""Helpers to compare networks with fixtures: tables of keys, weights of the filler, recorded activations."""

import json
from dataclasses import dataclass

import filler
import numpy as np
import torch
from helpers import ROOT

DATA = ROOT / "Testing" / "Data"


def wanted_keys(name):
    """The keys of the published checkpoint with their shapes, in order."""
    table = json.loads((DATA / "keys" / f"{name}.json").read_text("utf-8"))
    return [(entry["key"], tuple(entry["shape"])) for entry in table["keys"]]


def keys(model):
    """The keys of the model with their shapes, in order."""
    return [(key, tuple(value.shape)) for key, value in model.state_dict().items()]


def filled(build):
    """The network that `build` makes, with the filler's weights. No other weights are ever allocated."""
    with torch.device("meta"):
        model = build()
    shapes = {key: tuple(value.shape) for key, value in model.state_dict().items()}
    state = {key: torch.from_numpy(filler.values(key, shape)).reshape(shape) for key, shape in shapes.items()}
    model.load_state_dict(state, assign=True)
    return model.eval().requires_grad_(False)


@dataclass
class Recorder:
    """The last output of each recorded module, by the module's name in the fixture."""

    outputs: dict

    @classmethod
    def on(cls, **modules):
        recorder = cls({})
        for name, module in modules.items():
            module.register_forward_hook(lambda _, __, output, name=name: recorder.outputs.__setitem__(name, output))
        return recorder


def difference(activation, fixture, name):
    """The largest and the mean difference from the fixture's record, as parts of the record's largest value."""
    flat = activation.detach().float().contiguous().numpy().ravel()
    assert tuple(activation.shape) == tuple(fixture[f"{name}/shape"])
    stats = fixture[f"{name}/stats"]
    sample = flat[:: int(fixture[f"{name}/sample_step"])][:256]
    off = np.abs(sample - fixture[f"{name}/sample"]) / stats[2]
    own = np.array([flat.mean(dtype=np.float64), flat.std(dtype=np.float64, ddof=1)])
    return float(max(off.max(), (np.abs(own - stats[:2]) / stats[2]).max())), float(off.mean())
