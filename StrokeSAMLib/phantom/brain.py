"""The shapes of the brain: folded cortex, deep nuclei, ventricles, fissures, cisterns, cerebellum and dura.

The hemispheres are mirror images of each other except for a part of the folds, as in a real brain.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from StrokeSAMLib.phantom.shapes import Folds, Points, blend, capsule, ellipsoid, intersection, sheet, shell, union

_SUBARACHNOID_MM = 1.7
_CORTEX_MM = 3.3
_SULCUS_DEPTH_MM = 15.0
# The part of the folds that the hemispheres do not share.
_ASYMMETRY = 0.35
# Semi-axes of the cerebrum. The folds are stretched along its radii, so that sulci run inwards.
_CEREBRUM_MM = (69.0, 84.0, 68.0)


@dataclass(frozen=True)
class Brain:
    """The signed distances (mm) of the parts of a brain."""

    surface: np.ndarray
    fluid: np.ndarray
    ventricles: np.ndarray
    grey: np.ndarray
    dura: np.ndarray
    calcium: np.ndarray


class BrainFolds:
    """The random folds of one person."""

    def __init__(self, rng: np.random.Generator):
        self._shared, self._own, self._folia = Folds(rng, 24.0), Folds(rng, 24.0), Folds(rng, 11.0)

    def gyri(self, points: Points) -> np.ndarray:
        """About the signed distance from the sulci, mm; 0 at a sulcus."""
        radial = _along_rays(points)
        return (1 - _ASYMMETRY) * self._shared.at(radial.side) + _ASYMMETRY * self._own.at(radial)

    def folia(self, points: Points) -> np.ndarray:
        """About the signed distance from the fissures of the cerebellum, mm; 0 at a fissure."""
        return self._folia.at(Points(0.5 * points.x, 0.8 * points.y, points.z))

    def depths(self, points: Points) -> np.ndarray:
        """The depth of the sulci minus their average depth, mm."""
        return 4.5 * np.tanh(self._own.at(Points(points.y, points.z, np.abs(points.x) + 90)) / 3)


def brain(points: Points, cavity: np.ndarray, folds: BrainFolds) -> Brain:
    """The parts of the brain.

    Args:
        points: where to evaluate the shapes.
        cavity: the cavity of the skull, signed distance in mm.
        folds: the random folds of one person.
    """
    side = points.side
    gyri = folds.gyri(points)
    surface = cavity + _SUBARACHNOID_MM + 0.5 * np.tanh(gyri / 4)
    tent = _tentorium(side)
    below = intersection(tent, 12 - points.y, points.z - 4)
    stem = _brainstem(points)
    midline = sheet(points.x - 0.08 * gyri, intersection(-_callosum(points), -below))
    pial, clefts = _cortex(points, side, surface, midline, gyri, below, folds)
    folia = sheet(folds.folia(points), -surface - 12)
    inner = union(ellipsoid(side, (17, 46, -30), (13, 15, 8)), stem)
    cerebellar = intersection(intersection(folia - 2.3, -surface - 16), -inner)
    ventricles = _ventricles(side)
    grey = union(np.where(below < 0, cerebellar, intersection(pial - _CORTEX_MM, -stem)), _nuclei(side))
    return Brain(
        surface=surface,
        fluid=union(clefts, intersection(folia - 0.3, below, -inner), _cisterns(points, side, stem, tent), ventricles),
        ventricles=ventricles,
        grey=grey,
        dura=_dura(points, cavity, tent),
        calcium=union(ellipsoid(points, (0, 27, 1), (1.8, 2.5, 2.5)), ellipsoid(side, (22, 38, 9), (2, 3.5, 3))),
    )


def _along_rays(points: Points) -> Points:
    """The points moved towards the surface of the cerebrum along rays from its middle, so that folds run inwards."""
    axes = [p / r for p, r in zip((points.x, points.y, points.z - 6), _CEREBRUM_MM, strict=True)]
    radius = np.sqrt(sum(a * a for a in axes)) + 0.05
    scale = (1 + 0.35 * (radius - 1)) / radius
    return Points(*(a * scale * r for a, r in zip(axes, _CEREBRUM_MM, strict=True)))


def _cortex(
    points: Points,
    side: Points,
    surface: np.ndarray,
    midline: np.ndarray,
    gyri: np.ndarray,
    below: np.ndarray,
    folds: BrainFolds,
) -> tuple[np.ndarray, np.ndarray]:
    """The distance from the nearest pial surface of the cerebrum, and the CSF of its sulci and fissures."""
    depth = union(-surface, midline)
    sulci = sheet(gyri, intersection(depth - _SULCUS_DEPTH_MM - folds.depths(points), -below, 2 + _deep(side)))
    rise = points.z - 3 - 0.3 * points.y
    sylvian = sheet(0.9 * rise + 0.5 * gyri, intersection(36 - side.x, np.abs(points.y + 3) - 30))
    insula = sheet(
        side.x - 38 + 0.008 * (points.y + 3) ** 2 + 0.2 * gyri, (np.hypot((points.y + 3) / 23, rise / 12) - 1) * 12
    )
    widths = 0.5 + 0.55 * np.clip(1 - depth / 10, 0, 1)
    clefts = union(sulci - widths, midline - 1.2, sylvian - 1.3, insula - 1.7)
    return union(-surface, sulci, midline, sylvian, insula), clefts


def _deep(side: Points) -> np.ndarray:
    """The deep white matter and nuclei, which no sulcus enters: positive inside, negative outside."""
    return -ellipsoid(side, (0, 2, 6), (36, 46, 26)) - 2


def _callosum(points: Points) -> np.ndarray:
    """The area under the arch of the corpus callosum in the midline, signed distance in mm."""
    return (np.hypot((points.y - 4) / 44, (points.z - 4) / 25) - 1) * 25


def _tentorium(side: Points) -> np.ndarray:
    """The signed height above the tentorium, mm: a tent with its ridge behind the midbrain."""
    return (side.z - 4 + 0.55 * side.x + 0.4 * np.maximum(side.y - 40, 0)) / 1.2


def _brainstem(points: Points) -> np.ndarray:
    midbrain = ellipsoid(points, (0, 16, -10), (17, 14, 14))
    pons = ellipsoid(points, (0, 15, -27), (17, 13, 15))
    return blend(5.0, midbrain, pons, capsule(points, (0, 22, -42), (0, 31, -130), 8.5, 6.0))


def _cisterns(points: Points, side: Points, stem: np.ndarray, tent: np.ndarray) -> np.ndarray:
    suprasellar = ellipsoid(side, (3, -9, -21), (12, 11, 8))
    # CSF lies in front of the pons, and behind and beside the midbrain. The peduncles join the rest of the brain.
    front_or_back = union(intersection(points.z + 15, points.y - 12), intersection(-15 - points.z, 10 - points.y))
    around = intersection(np.abs(stem - 1.2) - 1.0, points.z + 4, front_or_back, side.x - 24)
    behind = blend(3.0, ellipsoid(points, (0, 33, 0), (9, 5, 7)), capsule(side, (0, 32, -2), (17, 22, -8), 2.0))
    under = ellipsoid(points, (0, 64, -56), (9, 12, 6))
    over_cerebellum = intersection(np.abs(tent) - 0.9, 26 - points.y)
    return union(suprasellar, around, behind, under, over_cerebellum, intersection(stem, -40 - points.z, -stem))


def _ventricles(side: Points) -> np.ndarray:
    horns = blend(
        4.0,
        capsule(side, (7, -32, 5), (8.5, -14, 17), 4.2, 5.0),
        capsule(side, (8.5, -14, 17), (14, 18, 21), 5.0),
        capsule(side, (14, 18, 21), (24, 36, 9), 5.0, 6.0),
        capsule(side, (24, 36, 9), (21, 58, 4), 5.0, 2.5),
        capsule(side, (24, 36, 8), (31, -2, -20), 3.0, 1.6),
    )
    horns = intersection(horns, 0.9 - side.x)  # septum pellucidum
    third = intersection(side.x - 1.9, ellipsoid(side, (0, 6, 0), (8, 16, 10)))
    fourth = blend(2.0, ellipsoid(side, (0, 35, -32), (6, 4.5, 8)), capsule(side, (0, 30, -10), (0, 33, -26), 1.2))
    return union(horns, third, fourth)


def _nuclei(side: Points) -> np.ndarray:
    caudate = union(ellipsoid(side, (14, -24, 7), (5, 9, 9)), capsule(side, (15, -20, 14), (20, 14, 23), 3.6, 2.2))
    lentiform = intersection(
        ellipsoid(side, (25, -4, 3), (8, 20, 12)), 0.75 * (20.5 - side.x) + 0.35 * np.abs(side.y + 4) - 3
    )
    claustrum = shell(ellipsoid(side, (25, -4, 3), (10.5, 22, 13)), 1.0)
    thalamus = ellipsoid(side, (11, 15, 6), (9, 14, 9))
    return union(caudate, lentiform, thalamus, intersection(claustrum, 30 - side.x))


def _dura(points: Points, cavity: np.ndarray, tent: np.ndarray) -> np.ndarray:
    """The falx, the tentorium, and the sagittal sinus in the outer edge of the falx."""
    depth = -cavity
    reach = 26 + 0.35 * (points.y + 40)  # the falx is deeper behind
    falx = intersection(np.abs(points.x) - 0.6, depth - reach, -_callosum(points) + 5, -tent)
    tentorium = intersection(np.abs(tent) - 0.5, 34 - points.y, 24 - np.abs(points.x) - 0.8 * (points.y - 34))
    sinus = intersection(np.abs(points.x) + 0.75 * depth - 4, -tent, 10 - points.z + 0.8 * np.minimum(-points.y, 0))
    return union(falx, tentorium, sinus)
