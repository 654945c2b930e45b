"""How a lesion network is judged, on cases small enough to count; and how one that was trained comes to ship."""

import json
from pathlib import Path

import numpy as np
import pytest
from helpers import load_script

pytest.importorskip("torch")
pytest.importorskip("safetensors")
from safetensors.torch import save_file

from StrokeSAMLib.errors import InputError
from StrokeSAMLib.nets.compact_unet import build
from StrokeSAMLib.training import validation
from StrokeSAMLib.training.synthesis import Patient
from StrokeSAMLib.training.validation import Case, Validation, contrast_to_noise, judge, validate

TESTING = Path(__file__).parents[1]
# Of 10 mm: a millilitre each.
SPACING = (10.0, 10.0, 10.0)


def box(*corners):
    mask = np.zeros((12, 12, 12), bool)
    mask[tuple(slice(low, high) for low, high in corners)] = True
    return mask


LESION = box((1, 3), (1, 3), (1, 3))  # 8 ml
PARTLY = box((2, 3), (1, 3), (1, 4))  # 6 ml, of which 4 in the lesion
ELSEWHERE = box((8, 10), (8, 10), (8, 9))  # 4 ml
SPECK = box((6, 7), (1, 2), (10, 11))  # 1 ml


def of(lesion, **facts):
    noise = np.random.default_rng(1).standard_normal((2, 12, 12, 12), dtype=np.float32)
    return Patient(noise, lesion, np.ones_like(lesion), facts, SPACING)


def test_what_touches_the_lesion_is_found_and_the_rest_is_false():
    probability = 0.9 * PARTLY + 0.6 * ELSEWHERE + 0.4 * SPECK
    case = judge(of(LESION, noise=0.1), probability, 0.5, 0)
    assert (case.volume_ml, case.found) == pytest.approx((8, True))
    assert case.false_ml == pytest.approx(4)
    assert case.dice == pytest.approx(2 * 4 / (8 + 6 + 4))
    assert case.facts["noise"] == 0.1
    assert judge(of(LESION), probability, 0.3, 0).false_ml == pytest.approx(5)
    assert judge(of(LESION), probability, 0.3, 2).false_ml == pytest.approx(4)
    assert judge(of(LESION), probability, 0.7, 0).false_ml == 0


def test_a_lesion_that_is_not_touched_is_not_found():
    case = judge(of(LESION), 0.9 * ELSEWHERE, 0.5, 0)
    assert (case.found, case.dice) == (False, 0)
    assert case.false_ml == pytest.approx(4)


def test_nothing_in_a_healthy_brain_is_perfect():
    case = judge(of(np.zeros_like(LESION)), 0.2 * ELSEWHERE, 0.5, 0)
    assert (case.volume_ml, case.found, case.dice, case.false_ml) == (0, False, 1, 0)
    assert "contrast_to_noise" not in case.facts


def test_contrast_is_counted_in_the_spread_about_the_lesion():
    one = of(box((4, 7), (4, 7), (4, 7)))
    one.channels[0] = np.where(np.indices(LESION.shape).sum(0) % 2, 1.0, 3.0)
    one.channels[0][one.lesion] = 7.0
    assert contrast_to_noise(one) == pytest.approx(5, rel=0.02)


def test_cases_are_told_apart_by_what_was_drawn():
    cases = [Case(ml, True, 1, 0, {"noise": noise}) for ml, noise in ((0, 1), (0.5, 2), (5, 2), (50, 3))]
    all_of_them = Validation(tuple(cases), np.zeros((10, 3)))
    assert all_of_them.within("volume_ml", 0.5, 50) == cases[1:3]
    assert all_of_them.within("noise", 2, 4) == cases[1:]
    assert all_of_them.within("noise", 1, 4, most_ml=1) == cases[1:2]
    assert all_of_them.lesion_free() == cases[:1]
    beyond_the_mask = Case(0, False, 1, 0, {"drawn_ml": 3})
    assert Validation((beyond_the_mask, cases[0]), np.zeros((10, 3))).lesion_free() == cases[:1]


def test_a_probability_is_held_against_what_is_lesion(monkeypatch):
    asked = []

    def patient(kind, anatomies, seed, lesion_free):
        asked.append((kind, seed, lesion_free))
        return of(LESION)

    monkeypatch.setattr(validation, "patient", patient)
    # Of a hundred millilitres called 0.35 eight are lesion; the rest, called 1 or 0, is not.
    probability = np.zeros(LESION.shape, np.float32)
    probability.flat[-20:] = 1
    probability.flat[np.flatnonzero(~LESION)[:92]] = 0.35
    probability[LESION] = 0.35
    found = validate(lambda one: probability, "dwi-unet", [], (5, 6), 0.3, 0.0, 0.25)
    assert asked == [("dwi-unet", 5, 0.25), ("dwi-unet", 6, 0.25)]
    assert found.reliability[3] == pytest.approx((200, 0.35, 0.08))
    assert found.reliability[9] == pytest.approx((40, 1, 0))
    assert found.reliability[0] == pytest.approx((2 * (12**3 - 120), 0, 0))
    assert not found.reliability[[1, 2, 4, 5, 6, 7, 8]].any()


@pytest.fixture
def ship(monkeypatch, tmp_path):
    module = load_script(TESTING / "ship_weights.py")
    (tmp_path / "catalogue.json").write_bytes(module._CATALOGUE.read_bytes())
    (tmp_path / "dwi-unet.md").write_text("# dwi-unet\n\n- File: an older one.\n- Licence: Apache-2.0.\n")
    monkeypatch.setattr(module, "_CATALOGUE", tmp_path / "catalogue.json")
    monkeypatch.setattr(module, "shipped_file", lambda entry: tmp_path / f"{entry.id}.safetensors")
    return module.ship


def trained(path, network, weights):
    made = {"network": network, "seed": "1", "steps": "7", "cooldown": "2", "precision": "float32", "maps": "egg 0123"}
    save_file({key: value.half() for key, value in weights.state_dict().items()}, path, made)
    return path


def test_a_trained_network_ships_with_its_hash_and_what_it_was_made_of(ship, tmp_path):
    ship(trained(tmp_path / "new", "dwi-unet", build("dwi-unet")))
    shipped = (tmp_path / "dwi-unet.safetensors").read_bytes()
    assert shipped == (tmp_path / "new").read_bytes()
    rows = json.loads((tmp_path / "catalogue.json").read_text("utf-8"))["weights"]
    (row,) = [row for row in rows if row["id"] == "dwi-unet"]
    assert row["bytes"] == len(shipped)
    card = (tmp_path / "dwi-unet.md").read_text()
    made = "7 steps (2 of cooldown, float32) of seed 1, maps egg 0123"
    assert f"- File: {len(shipped)} bytes, SHA-256 {row['sha256']}; {made}.\n- Lic" in card


def test_the_weights_of_another_network_do_not_ship(ship, tmp_path):
    before = (tmp_path / "catalogue.json").read_bytes()
    with pytest.raises(InputError, match="new: weights of another network"):
        ship(trained(tmp_path / "new", "dwi-unet", build("ncct-unet")))
    assert (tmp_path / "catalogue.json").read_bytes() == before
    assert not (tmp_path / "dwi-unet.safetensors").exists()
