"""Points and scribbles that correct the random walker's answer, one after the other.

A correction acts where the answer so far contradicts it. It reaches a little farther than the nearest part of the
answer that agrees with it (a click in the middle of an error is about as far from its outline on all sides), and not
quite to the nearest prompt of the other sign. Voxels that look the same are corrected to twice that distance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from StrokeSAMLib.interactive.engines.walker_evidence import Evidence, click_reach_mm, sigmoid
from StrokeSAMLib.interactive.engines.walker_region import WalkerRegion
from StrokeSAMLib.interactive.engines.walker_solver import object_probability
from StrokeSAMLib.interactive.volume_prompts import Stroke

# Reach: a part of the distance to where the answer agrees, at most a part of that to a prompt of the other sign.
_REACH, _MOST_REACH = 1.3, 0.9
# Log-odds that a correction gives its surroundings, and those that look the same.
_CORRECTION, _ALIKE = 4.0, 1.0
# Outlines no longer hold voxels where a correction has this part of its force.
_RELEASED = 0.4


@dataclass(frozen=True, eq=False)
class Field:
    """The answer on the grid.

    Attributes:
        log_odds: of the object, from evidence and corrections, Float32.
        seeds: Int8; 1 in the object, −1 outside it, 0 free.
        probability: of the object, Float32.
    """

    log_odds: np.ndarray
    seeds: np.ndarray
    probability: np.ndarray


def uncorrected(evidence: Evidence) -> Field:
    """The answer from evidence alone."""
    return _solved(evidence, evidence.log_odds, evidence.held, sigmoid(evidence.log_odds))


def corrected(
    region: WalkerRegion, evidence: Evidence, field: Field, stroke: Stroke, earlier: Sequence[Stroke]
) -> Field:
    """The answer `field`, to `earlier` corrections, after one more."""
    voxels = region.within(stroke.voxels)
    if not len(voxels):
        return field
    log_odds, seeds = field.log_odds, field.seeds.copy()
    sign = 1 if stroke.positive else -1
    inside = field.probability > 0.5
    wrong = voxels[inside[region.voxels(voxels)] != stroke.positive]
    if len(wrong):
        distance = region.distance_mm(wrong)
        reach = _reach_mm(region, evidence, inside, stroke, earlier, distance, wrong)
        force = np.exp(-((distance / reach) ** 2))
        log_odds = log_odds + sign * (
            _CORRECTION * force + _ALIKE * _alike(region.grey, inside, distance, reach, wrong, region)
        )
        seeds[(force > _RELEASED) & (seeds == -sign)] = 0
    seeds[region.distance_mm(voxels) <= evidence.click_mm] = sign
    for other in (*earlier, stroke):
        seeds[region.voxels(region.within(other.voxels))] = 1 if other.positive else -1
    return _solved(evidence, log_odds, seeds, field.probability)


def _solved(evidence: Evidence, log_odds: np.ndarray, seeds: np.ndarray, start: np.ndarray) -> Field:
    prior = sigmoid(log_odds)
    return Field(log_odds, seeds, object_probability(evidence.weights, prior, evidence.strength, seeds, start))


def _reach_mm(
    region: WalkerRegion,
    evidence: Evidence,
    inside: np.ndarray,
    stroke: Stroke,
    earlier: Sequence[Stroke],
    distance: np.ndarray,
    wrong: np.ndarray,
) -> float:
    """The reach of a correction whose `wrong` voxels lie at `distance`."""
    agrees = inside == stroke.positive
    reach = _REACH * float(distance[agrees].min()) if agrees.any() else click_reach_mm(region)
    against = evidence.held < 0 if stroke.positive else evidence.sure
    limits = [float(distance[against].min())] if against.any() else []
    limits += [_gap_mm(region, wrong, other.voxels) for other in earlier if other.positive != stroke.positive]
    return max(min([reach, *(_MOST_REACH * limit for limit in limits)]), 4 * evidence.click_mm)


def _gap_mm(region: WalkerRegion, first: np.ndarray, second: np.ndarray) -> float:
    """The least distance between two sets of voxels (n, 3)."""
    return float(np.min(cKDTree(first * region.spacing).query(second * region.spacing)[0]))


def _alike(
    grey: np.ndarray, inside: np.ndarray, distance: np.ndarray, reach: float, wrong: np.ndarray, region: WalkerRegion
) -> np.ndarray:
    """The likeness, 0…1, of each voxel to the `wrong` ones, falling with distance."""
    spread = float(grey[inside].std()) + 1 if np.count_nonzero(inside) > 3 else 10.0
    middle = float(grey[region.voxels(wrong)].mean())
    return np.exp(-((distance / (2 * reach)) ** 2) - 0.5 * ((grey - middle) / spread) ** 2)
