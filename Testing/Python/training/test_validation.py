"""The validation of a lesion network, on cases small enough to count by hand."""

import numpy as np
import pytest

pytest.importorskip("torch")
from StrokeSAMLib.training import validation
from StrokeSAMLib.training.synthesis import Patient
from StrokeSAMLib.training.validation import Case, Validation, contrast_to_noise, evaluate_patient, validate

# Voxels of a millilitre.
SPACING = (10.0, 10.0, 10.0)


def box(*corners):
    mask = np.zeros((12, 12, 12), bool)
    mask[tuple(slice(low, high) for low, high in corners)] = True
    return mask


LESION = box((1, 3), (1, 3), (1, 3))  # 8 ml
PARTLY = box((2, 3), (1, 3), (1, 4))  # 6 ml, of which 4 in the lesion
ELSEWHERE = box((8, 10), (8, 10), (8, 9))  # 4 ml
SPECK = box((6, 7), (1, 2), (10, 11))  # 1 ml


def patient_with(lesion, **facts):
    noise = np.random.default_rng(1).standard_normal((2, 12, 12, 12), dtype=np.float32)
    return Patient(noise, lesion, np.ones_like(lesion), facts, SPACING)


def test_a_component_that_touches_the_lesion_finds_it_and_the_others_are_false():
    probability = 0.9 * PARTLY + 0.6 * ELSEWHERE + 0.4 * SPECK
    case = evaluate_patient(patient_with(LESION, noise=0.1), probability, 0.5, 0)
    assert (case.volume_ml, case.found) == pytest.approx((8, True))
    assert case.false_ml == pytest.approx(4)
    assert case.dice == pytest.approx(2 * 4 / (8 + 6 + 4))
    assert case.facts["noise"] == 0.1
    assert evaluate_patient(patient_with(LESION), probability, 0.3, 0).false_ml == pytest.approx(5)
    assert evaluate_patient(patient_with(LESION), probability, 0.3, 2).false_ml == pytest.approx(4)
    assert evaluate_patient(patient_with(LESION), probability, 0.7, 0).false_ml == 0


def test_a_lesion_that_is_not_touched_is_not_found():
    case = evaluate_patient(patient_with(LESION), 0.9 * ELSEWHERE, 0.5, 0)
    assert (case.found, case.dice) == (False, 0)
    assert case.false_ml == pytest.approx(4)


def test_nothing_in_a_healthy_brain_is_perfect():
    case = evaluate_patient(patient_with(np.zeros_like(LESION)), 0.2 * ELSEWHERE, 0.5, 0)
    assert (case.volume_ml, case.found, case.dice, case.false_ml) == (0, False, 1, 0)
    assert "contrast_to_noise" not in case.facts


def test_contrast_is_measured_in_the_standard_deviation_around_the_lesion():
    patient = patient_with(box((4, 7), (4, 7), (4, 7)))
    patient.network_inputs[0] = np.where(np.indices(LESION.shape).sum(0) % 2, 1.0, 3.0)
    patient.network_inputs[0][patient.lesion] = 7.0
    assert contrast_to_noise(patient) == pytest.approx(5, rel=0.02)


def test_cases_are_selected_by_a_fact():
    cases = [Case(ml, True, 1, 0, {"noise": noise}) for ml, noise in ((0, 1), (0.5, 2), (5, 2), (50, 3))]
    validation_of_all = Validation(tuple(cases), np.zeros((10, 3)))
    assert validation_of_all.with_lesion("volume_ml", 0.5, 50) == cases[1:3]
    assert validation_of_all.with_lesion("noise", 2, 4) == cases[1:]
    assert validation_of_all.with_lesion("noise", 1, 4, most_ml=1) == cases[1:2]
    assert validation_of_all.lesion_free() == cases[:1]
    outside_the_mask = Case(0, False, 1, 0, {"drawn_ml": 3})
    assert Validation((outside_the_mask, cases[0]), np.zeros((10, 3))).lesion_free() == cases[:1]


def test_reliability_compares_probabilities_with_the_part_that_is_lesion(monkeypatch):
    calls = []

    def make_patient(kind, anatomies, seed, lesion_free):
        calls.append((kind, seed, lesion_free))
        return patient_with(LESION)

    monkeypatch.setattr(validation, "make_patient", make_patient)
    # A hundred millilitres have 0.35, and eight of them are lesion. The others have 1 or 0 and are not lesion.
    probability = np.zeros(LESION.shape, np.float32)
    probability.flat[-20:] = 1
    probability.flat[np.flatnonzero(~LESION)[:92]] = 0.35
    probability[LESION] = 0.35
    result = validate(lambda patient: probability, "dwi-unet", [], (5, 6), 0.3, 0.0, 0.25)
    assert calls == [("dwi-unet", 5, 0.25), ("dwi-unet", 6, 0.25)]
    assert result.reliability[3] == pytest.approx((200, 0.35, 0.08))
    assert result.reliability[9] == pytest.approx((40, 1, 0))
    assert result.reliability[0] == pytest.approx((2 * (12**3 - 120), 0, 0))
    assert not result.reliability[[1, 2, 4, 5, 6, 7, 8]].any()
