"""The random walker on a small grid, with prior probabilities.

Grady 2006, IEEE Trans. PAMI 28:1768, with the priors of Grady 2005, CVPR 1:763. The result at a pixel is the
probability that a walker from there first reaches a seed of the object, or is absorbed by a pixel's prior as object.
It is the solution of one sparse linear system.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sparse
from scipy.sparse.linalg import spsolve

# Edges weaken as exp(−β · squared difference / mean squared difference).
_BETA = 5.5
# Weight of a pixel's prior, against its four neighbours, whose weights are near 1.
_PRIOR = 0.043
_LEAST_WEIGHT = 1e-3


def object_probability(grey: np.ndarray, prior: np.ndarray, seeds: np.ndarray) -> np.ndarray:
    """The probability that each pixel belongs to the object, Float64 0…1, (row, column).

    Args:
        grey: intensities, any scale, smoothed.
        prior: the probability of the object from each pixel's own evidence, 0…1.
        seeds: 1 where the object certainly is, −1 where it certainly is not, 0 elsewhere.
    """
    count = grey.size
    index = np.arange(count).reshape(grey.shape)
    ends = np.hstack(
        [
            np.stack([index[:, :-1].ravel(), index[:, 1:].ravel()]),
            np.stack([index[:-1].ravel(), index[1:].ravel()]),
        ]
    )
    values = grey.ravel().astype(np.float64)
    steps = (values[ends[0]] - values[ends[1]]) ** 2
    weights = np.exp(-_BETA * steps / max(steps.mean(), 1e-12)) + _LEAST_WEIGHT
    both = (np.concatenate([ends[0], ends[1]]), np.concatenate([ends[1], ends[0]]))
    graph = sparse.coo_matrix((np.concatenate([weights, weights]), both), shape=(count, count)).tocsr()
    degree = np.asarray(graph.sum(axis=1)).ravel()
    laplacian = (sparse.diags(degree + _PRIOR) - graph).tocsr()
    fixed = seeds.ravel()
    free, known = np.flatnonzero(fixed == 0), np.flatnonzero(fixed != 0)
    probability = (fixed > 0).astype(np.float64)
    if free.size:
        right = _PRIOR * prior.ravel()[free] - laplacian[free][:, known] @ probability[known]
        probability[free] = spsolve(laplacian[free][:, free].tocsc(), right)
    return probability.reshape(grey.shape)
