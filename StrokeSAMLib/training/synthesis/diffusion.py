"""A synthetic diffusion scan: b = 0 and b ≈ 1000 by S = b0·exp(−b·ADC) with noise, and the ADC computed from both."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from StrokeSAMLib.anatomy.adc import adc_from_signals
from StrokeSAMLib.imaging.morphology import gaussian
from StrokeSAMLib.lesion.network_inputs import diffusion_inputs, normal_adc
from StrokeSAMLib.training.synthesis.blobs import patches, spot
from StrokeSAMLib.training.synthesis.fields import any_side, blend, chance, log_uniform, smooth_noise, uniform
from StrokeSAMLib.training.synthesis.lesions import Lesion, infarct
from StrokeSAMLib.training.synthesis.physics import Scan, bias_field, imperfect_brain_mask, rician, thick_slices
from StrokeSAMLib.training.synthesis.posed_head import PosedHead

# Relative b = 0 signal and ADC (10⁻³ mm²/s) of CSF, grey and white matter.
_B0 = ((1.7, 2.8), (0.95, 1.15), (0.72, 0.95))
_ADC = ((2.4, 3.2), (0.76, 1.05), (0.66, 0.95))
_B_VALUE = (0.8, 1.2)
_INFARCT_ADC = (0.45, 0.80)
_INFARCT_B0 = (0.95, 2.4)
_THICKNESS_MM = (2.0, 7.0)
# As a part of the b = 0 signal, for a voxel of 3 mm.
_NOISE = (0.003, 0.035)


@dataclass
class _Signals:
    """Noise-free signals.

    Attributes:
        b0: relative b = 0 signal, float32 (k, j, i).
        adc: ADC in 10⁻³ mm²/s, float32 (k, j, i).
    """

    b0: np.ndarray
    adc: np.ndarray


def diffusion_patient(head: PosedHead, lesion: Lesion, rng: np.random.Generator) -> Scan:
    """The scan for `dwi-unet`, with network inputs (2, k, j, i)."""
    dwi, adc, facts = diffusion_scan(head, lesion, rng)
    brain = imperfect_brain_mask(head, rng)
    facts["normal_adc"] = normal_adc(adc, brain)
    return Scan(diffusion_inputs(dwi, adc, brain), brain, facts)


def diffusion_scan(
    head: PosedHead, lesion: Lesion, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, dict[str, float]]:
    """Simulate a diffusion scan.

    Returns:
        DWI (any unit) and ADC (10⁻⁶ mm²/s), float32 (k, j, i), and the drawn parameters by name.
    """
    facts: dict[str, float] = {}
    signals = _tissue(head, rng)
    _add_mimics(signals, head, rng)
    facts["adc_part"] = uniform(rng, *_INFARCT_ADC)
    # CSF in the sulci of an infarct keeps its signal and its ADC.
    part = lesion.part * (1 - head.csf)
    signals.adc = signals.adc * (1 - part * (1 - facts["adc_part"] * _varied(head, 0.06, rng)))
    signals.b0 = signals.b0 * (1 + part * (uniform(rng, *_INFARCT_B0) - 1))
    return *_scanned(signals, head, facts, rng), facts


def _tissue(head: PosedHead, rng: np.random.Generator) -> _Signals:
    b0, adc = (
        sum(part * uniform(rng, *r) for part, r in zip(head.tissue, ranges, strict=True)) for ranges in (_B0, _ADC)
    )
    brain = np.maximum(head.brain, 1e-3)
    signals = _Signals(b0 * _varied(head, 0.06, rng), adc / brain * _varied(head, 0.05, rng))
    _add_scalp(signals, head, rng)
    return signals


def _varied(head: PosedHead, spread: float, rng: np.random.Generator) -> np.ndarray:
    """A smooth factor near 1, float32 (k, j, i), because no tissue is uniform."""
    return 1 + spread * smooth_noise(head.shape, 15.0, head.spacing, rng)[0]


def _add_scalp(signals: _Signals, head: PosedHead, rng: np.random.Generator) -> None:
    """Add signal outside the brain, which too large a mask includes: dim muscle and fat, sometimes bright eyes."""
    outside = (1 - head.brain) * np.clip(3 * gaussian(head.brain, 8.0, head.spacing), 0, 1)
    signals.b0 += outside * uniform(rng, 0.02, 0.5) * patches(head, 15.0, 0.5, rng)
    signals.adc = blend(signals.adc, uniform(rng, 0.3, 1.5), 1 - head.brain)


def _add_mimics(signals: _Signals, head: PosedHead, rng: np.random.Generator) -> None:
    """Add other diseases, normal variants and artefacts that resemble an infarct."""
    for probability, change in (
        (0.35, _old_infarct),
        (0.5, _shine_through),
        (0.5, _leukoaraiosis),
        (0.5, _bright_cortex),
        (0.6, _bright_tracts),
        (0.08, _haemorrhage),
        (0.7, _susceptibility),
    ):
        if chance(rng, probability):
            change(signals, head, rng)


def _old_infarct(signals: _Signals, head: PosedHead, rng: np.random.Generator) -> None:
    old = infarct(head, any_side(rng), log_uniform(rng, 0.3, 60.0), rng)
    signals.adc = blend(signals.adc, uniform(rng, 1.2, 2.8), old.part)
    signals.b0 = blend(signals.b0, uniform(rng, 1.2, 2.5), old.part)


def _shine_through(signals: _Signals, head: PosedHead, rng: np.random.Generator) -> None:
    """Spots that are bright in the DWI by T2 alone, with a normal or raised ADC (subacute infarct, oedema)."""
    for _ in range(rng.integers(1, 4)):
        place = infarct(head, any_side(rng), log_uniform(rng, 0.1, 30.0), rng)
        rise = uniform(rng, 1.2, 2.3)
        signals.b0 = signals.b0 * (1 + place.part * (rise - 1))
        signals.adc = signals.adc * (1 + place.part * uniform(rng, 0.0, 0.6))


def _leukoaraiosis(signals: _Signals, head: PosedHead, rng: np.random.Generator) -> None:
    near = np.clip(3 * gaussian(head.csf, 6.0, head.spacing), 0, 1) * head.white
    part = near * patches(head, 25.0, uniform(rng, 0.2, 0.9), rng)
    signals.b0 = signals.b0 * (1 + part * uniform(rng, 0.1, 0.8))
    signals.adc = signals.adc * (1 + part * uniform(rng, 0.1, 0.6))


def _bright_cortex(signals: _Signals, head: PosedHead, rng: np.random.Generator) -> None:
    """Cortex that is brighter by T2 and a little lower in ADC, in patches anywhere.

    In patients it is mostly the cortex of the limbic lobe and the insula.
    """
    part = head.grey * patches(head, 30.0, uniform(rng, 0.2, 1.0), rng)
    signals.b0 = signals.b0 * (1 + part * uniform(rng, 0.05, 0.4))
    signals.adc = signals.adc * (1 - part * uniform(rng, 0.0, 0.10))


def _bright_tracts(signals: _Signals, head: PosedHead, rng: np.random.Generator) -> None:
    """Pyramidal tract, cerebellar peduncles and splenium: tightly packed fibres with a low ADC, on both sides."""
    lateral = np.abs(np.abs(head.place[2]) - uniform(rng, 0.1, 0.4))
    part = np.exp(-((lateral / 0.1) ** 2) - ((head.place[1] - uniform(rng, -0.1, 0.5)) / 0.15) ** 2) * head.white
    signals.adc = signals.adc * (1 - part * uniform(rng, 0.05, 0.2))
    signals.b0 = signals.b0 * (1 + part * uniform(rng, 0.0, 0.3))


def _haemorrhage(signals: _Signals, head: PosedHead, rng: np.random.Generator) -> None:
    """Deoxygenated blood, which has almost no signal."""
    part = spot(head, head.brain > 0.9, uniform(rng, 3, 18), rng)
    signals.b0 = signals.b0 * (1 - uniform(rng, 0.6, 0.95) * part)


def _susceptibility(signals: _Signals, head: PosedHead, rng: np.random.Generator) -> None:
    """Signal piled up in one place and lost in the next, near the air of sinuses and petrous bones."""
    below = np.zeros(head.shape, bool)
    below[2:] = head.brain[:-2] > 0.5
    surface = (head.brain > 0.5) & ((gaussian(head.brain, 4.0, head.spacing) < 0.85) | ~below)
    base = surface & (head.place[0] < uniform(rng, -0.35, 0.0))
    for _ in range(rng.integers(1, 6)):
        pile, loss = (spot(head, base, uniform(rng, 3, 10), rng) for _ in range(2))
        signals.b0 = signals.b0 * (1 + pile * uniform(rng, 0.1, 1.6)) * (1 - loss * uniform(rng, 0.2, 0.9))
        signals.adc = signals.adc * (1 - pile * uniform(rng, -0.15, 0.25))


def _scanned(
    signals: _Signals, head: PosedHead, facts: dict[str, float], rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """DWI and ADC with slices, coil shading, ghosts and noise."""
    b, facts["slice_mm"], start = uniform(rng, *_B_VALUE), uniform(rng, *_THICKNESS_MM), uniform(rng, 0, 1)
    bias = bias_field(head.shape, uniform(rng, 0.0, 0.2), head.spacing, rng)
    facts["noise"] = log_uniform(rng, *_NOISE)
    ghost = uniform(rng, 0, 0.06) if chance(rng, 0.3) else 0.0
    images = []
    for signal in (signals.b0, signals.b0 * np.exp(-b * signals.adc)):
        signal = gaussian(signal.astype(np.float32), uniform(rng, 0.5, 1.5), head.spacing)
        signal = thick_slices(signal * bias, facts["slice_mm"], start, head.spacing)
        signal = signal + ghost * np.roll(signal, head.shape[1] // 2, axis=1)
        images.append(rician(signal, facts["noise"], rng).astype(np.float32))
    b0, dwi = images
    return dwi, adc_from_signals(dwi, b0, b * 1000)
