"""The anatomy of the synthetic head: shapes, and their densities in Hounsfield units.

Densities are those of a normal adult's head CT at 120 kV; sizes those of an adult. Left and right answer each
other but for a part of the folds, as in a real brain.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from StrokeSAMLib.imaging.phantom.shapes import Folds, Points, capsule, ellipsoid, slab, union

AIR, FAT, SCALP, CSF, WHITE, GREY, FALX, EYE, DIPLOE, BONE = -1000, -85, 42, 6, 28, 37, 46, 18, 550, 1100
_SUBARACHNOID_MM = 2.2
_CORTEX_MM = 3.2
_SULCUS_DEPTH_MM = 15.0
_SULCUS_MM = 0.9
_ASYMMETRY = 0.35


@dataclass(frozen=True)
class Head:
    """Signed distances (mm) of the parts of a head at given points."""

    brain: np.ndarray
    cavity: np.ndarray
    ventricles: np.ndarray
    folds: np.ndarray
    skull: np.ndarray
    diploe: np.ndarray
    scalp: np.ndarray
    fat: np.ndarray
    fluid: np.ndarray
    air: np.ndarray
    falx: np.ndarray
    nuclei: np.ndarray
    eyes: np.ndarray


def head(points: Points, rng: np.random.Generator) -> Head:
    """The parts of the head at `points` (mm from the middle of the brain; L, P, S)."""
    side = points.side
    waves = Folds(rng, 22.0)
    folds = (1 - _ASYMMETRY) * waves.at(side) + _ASYMMETRY * Folds(rng, 22.0).at(points)
    cavity = _cavity(points, side)
    brain = cavity + _SUBARACHNOID_MM + 0.5 * np.tanh(folds / 4)
    thickness = 7.0 + 1.5 * np.tanh((points.y - 20) / 40)
    base = union(_petrous(side), capsule(points, (0, -4, -36), (0, 6, -52), 9.0))  # with sphenoid and clivus
    vault = np.maximum(cavity - thickness, -44 - points.z)
    skull = np.maximum(union(vault, base, cavity - 3.0), -cavity)
    outline = union(cavity - thickness - 6.0, _face(points, side))
    air = union(-outline, _sinuses(points, side))
    return Head(
        brain=brain,
        cavity=cavity,
        ventricles=_ventricles(side),
        folds=folds,
        skull=skull,
        diploe=np.maximum.reduce([np.abs(cavity - thickness / 2) - 1.3, -base, -40 - points.z]),
        scalp=outline,
        fat=union(np.abs(cavity - thickness - 2.8) - 1.5, _orbit(side)),
        fluid=_fluid(points, side, brain, folds),
        air=air,
        falx=slab(points.x, 0.7, brain, 18 - points.z, -brain - 38),
        nuclei=_nuclei(side),
        eyes=ellipsoid(side, (32, -74, -36), (12, 12, 12)),
    )


def paint(parts: Head, infarct: np.ndarray | None, infarct_hu: float) -> np.ndarray:
    """Hounsfield units of the parts, edges soft over half a millimetre. `infarct`: 0…1, how infarcted; or None."""
    cortex = np.minimum(-parts.brain, np.maximum(np.abs(parts.folds), -parts.brain - _SULCUS_DEPTH_MM)) - _CORTEX_MM
    hu = np.full(parts.brain.shape, SCALP, np.float32)
    hu = _over(hu, parts.fat, FAT)
    hu = _over(hu, parts.eyes, EYE)
    hu = _over(hu, parts.skull, BONE)
    hu = _over(hu, parts.diploe, DIPLOE)
    hu = _over(hu, parts.cavity, CSF)
    tissue = _over(np.full(hu.shape, WHITE, np.float32), np.minimum(cortex, parts.nuclei), GREY)
    if infarct is not None:
        # Grey loses more than white: the contrast between them fades, the earliest sign of infarction.
        tissue = tissue + infarct * infarct_hu * (1 + 0.35 * (tissue - WHITE) / (GREY - WHITE))
    fluid = parts.fluid if infarct is None else parts.fluid + 0.8 * infarct  # swelling narrows the sulci
    hu = _over(hu, parts.brain, tissue)
    hu = _over(hu, np.maximum(fluid, parts.cavity), CSF)
    hu = _over(hu, parts.falx, FALX)
    return _over(hu, parts.air, AIR)


def _over(under: np.ndarray, distance: np.ndarray, hu: float | np.ndarray) -> np.ndarray:
    inside = 1 / (1 + np.exp(np.clip(distance / 0.25, -20, 20)))
    return under + (hu - under) * inside


def _cavity(points: Points, side: Points) -> np.ndarray:
    """The inside of the skull: cerebrum, temporal fossae, posterior fossa, foramen magnum."""
    cerebrum = np.maximum(ellipsoid(points, (0, 0, 8), (67, 84, 66)), -28 - points.z)
    temporal = ellipsoid(side, (40, -12, -24), (24, 34, 20))
    posterior = ellipsoid(points, (0, 38, -32), (52, 40, 32))
    canal = capsule(points, (0, 24, -50), (0, 26, -95), 13.0)
    return union(cerebrum, temporal, posterior, canal)


def _petrous(side: Points) -> np.ndarray:
    return capsule(side, (16, 8, -36), (62, 34, -32), 6.0)


def _face(points: Points, side: Points) -> np.ndarray:
    front = ellipsoid(points, (0, -46, -62), (62, 48, 52))
    neck = capsule(points, (0, 22, -60), (0, 28, -130), 56.0)
    return union(front, neck, ellipsoid(points, (0, 0, -34), (72, 78, 34)))


def _orbit(side: Points) -> np.ndarray:
    return capsule(side, (30, -70, -36), (14, -38, -34), 9.0)


def _sinuses(points: Points, side: Points) -> np.ndarray:
    frontal = ellipsoid(side, (9, -82, -16), (8, 5, 9))
    ethmoid = ellipsoid(points, (0, -62, -50), (12, 20, 14))
    mastoid = ellipsoid(side, (58, 36, -48), (7, 9, 12))
    return union(frontal, ethmoid, mastoid)


def _ventricles(side: Points) -> np.ndarray:
    horns = union(
        capsule(side, (9, -31, 8), (9, -8, 20), 5.5),
        capsule(side, (9, -8, 20), (13, 18, 22), 5.5),
        capsule(side, (13, 18, 22), (24, 34, 10), 6.0),
        capsule(side, (24, 34, 10), (22, 54, 5), 4.0),
        capsule(side, (24, 34, 8), (31, 2, -18), 2.2),
    )
    third = slab(side.x, 1.8, ellipsoid(side, (0, 4, 2), (8, 15, 10)))
    fourth = ellipsoid(side, (0, 34, -36), (7, 5, 8))
    return union(horns, third, fourth)


def _nuclei(side: Points) -> np.ndarray:
    caudate = capsule(side, (15, -26, 10), (18, 2, 22), 4.0)
    lentiform = ellipsoid(side, (25, -6, 2), (8, 19, 12))
    thalamus = ellipsoid(side, (11, 14, 6), (8, 13, 9))
    return union(caudate, lentiform, thalamus)


def _fluid(points: Points, side: Points, brain: np.ndarray, folds: np.ndarray) -> np.ndarray:
    """CSF within the brain: sulci, fissures, ventricles, cisterns."""
    sulci = slab(folds, _SULCUS_MM, -brain - _SULCUS_DEPTH_MM)
    sylvian = slab(points.z - 2 - 0.18 * points.y + 0.12 * folds, 1.8, 38 - side.x, np.abs(points.y + 2) - 30)
    fissure = slab(points.x - 0.1 * folds, 1.4, 10 - points.z - 0.4 * np.abs(points.y), -brain - 30)
    cisterns = union(ellipsoid(points, (0, -8, -24), (15, 11, 9)), capsule(side, (4, 24, -12), (20, 22, -10), 3.0))
    return union(sulci, sylvian, fissure, cisterns, _ventricles(side))
