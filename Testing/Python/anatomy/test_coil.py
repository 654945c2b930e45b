"""The brightness of the coils in a diffusion scan."""

import numpy as np
import pytest

from StrokeSAMLib.anatomy.coil import coil_field

SPACING = (5.0, 2.0, 2.0)


@pytest.fixture(scope="module")
def scan():
    """Places (z, y, x; −1…1), a brain, its ADC with ventricles and an infarct, and the signal of an even coil."""
    shape = (24, 60, 60)
    places = [(a - (n - 1) / 2) / (n / 2) for a, n in zip(np.indices(shape), shape, strict=True)]
    z, y, x = places
    brain = z**2 + y**2 + x**2 < 0.9
    infarct = brain & ((x - 0.5) ** 2 + (y - 0.1) ** 2 + z**2 < 0.09)
    ventricle = brain & (np.abs(x) < 0.15) & (np.abs(y) < 0.3)
    adc = np.select([infarct, ventricle], [450.0, 2900.0], 800.0)
    noise = 1 + 0.04 * np.random.default_rng(0).standard_normal(shape)
    return places, brain, adc, np.where(brain, 500 * np.exp(-adc / 1000) * noise, 0)


def test_a_smooth_field_is_found_beside_an_infarct_and_csf(scan):
    (z, y, x), brain, adc, signal = scan
    true = np.exp(0.5 * y**2 - 0.3 * z + 0.15 * x * y - 0.2 * y**3)
    field = coil_field(signal * true, adc, 800.0, brain, SPACING)
    ratio = field[brain] / true[brain]
    assert ratio.std() / ratio.mean() < 0.02
    assert np.median(field[brain]) == pytest.approx(1, abs=0.01)
    assert (field[~brain] == 1).all()


def test_an_even_scan_stays_as_it_is(scan):
    _, brain, adc, signal = scan
    assert np.abs(coil_field(signal, adc, 800.0, brain, SPACING)[brain] - 1).max() < 0.05


def test_a_scan_with_hardly_any_tissue_of_normal_adc_is_not_corrected(scan):
    _, brain, adc, signal = scan
    assert (coil_field(signal, 5 * adc, 800.0, brain, SPACING) == 1).all()
