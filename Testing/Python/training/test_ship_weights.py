"""The script that puts a trained network where it ships."""

import json

import pytest
from helpers import ROOT, load_script

pytest.importorskip("torch")
pytest.importorskip("safetensors")
from safetensors.torch import save_file

from StrokeSAMLib.core.errors import InputError
from StrokeSAMLib.nets.models.compact_unet import build


@pytest.fixture
def ship(monkeypatch, tmp_path):
    """The script's function, with a copy of the catalogue and a card in `tmp_path`."""
    module = load_script(ROOT / "Testing" / "ship_weights.py")
    (tmp_path / "catalogue.json").write_bytes(module._CATALOGUE.read_bytes())
    (tmp_path / "dwi-unet.md").write_text("# dwi-unet\n\n- File: an older one.\n- Licence: Apache-2.0.\n")
    monkeypatch.setattr(module, "_CATALOGUE", tmp_path / "catalogue.json")
    monkeypatch.setattr(module, "shipped_file", lambda entry: tmp_path / f"{entry.id}.safetensors")
    return module.ship


def trained(path, id, network):
    """A file of weights as a training writes it."""
    header = {"network": id, "seed": "1", "steps": "7", "cooldown": "2", "precision": "float32", "maps": "egg 0123"}
    save_file({key: value.half() for key, value in network.state_dict().items()}, path, header)
    return path


def test_a_trained_network_ships_with_its_hash_and_its_training(ship, tmp_path):
    ship(trained(tmp_path / "new", "dwi-unet", build("dwi-unet")))
    shipped = (tmp_path / "dwi-unet.safetensors").read_bytes()
    assert shipped == (tmp_path / "new").read_bytes()
    rows = json.loads((tmp_path / "catalogue.json").read_text("utf-8"))["weights"]
    (row,) = [row for row in rows if row["id"] == "dwi-unet"]
    assert row["bytes"] == len(shipped)
    card = (tmp_path / "dwi-unet.md").read_text("utf-8")
    run = "7 steps (2 of cooldown, float32) of seed 1, maps egg 0123"
    assert f"- File: {len(shipped)} bytes, SHA-256 {row['sha256']}; {run}.\n- Lic" in card


def test_the_weights_of_another_network_do_not_ship(ship, tmp_path):
    before = (tmp_path / "catalogue.json").read_bytes()
    with pytest.raises(InputError, match="new: weights of another network"):
        ship(trained(tmp_path / "new", "dwi-unet", build("ncct-unet")))
    assert (tmp_path / "catalogue.json").read_bytes() == before
    assert not (tmp_path / "dwi-unet.safetensors").exists()
