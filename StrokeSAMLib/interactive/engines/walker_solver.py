"""The random walker on a small grid, with prior probabilities.

Grady 2006, IEEE Trans. PAMI 28:1768, with the priors of Grady 2005, CVPR 1:763: the probability that a walker from
each pixel first reaches a seed of the object, or is absorbed where the prior says object. One sparse linear system.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sparse
from scipy.sparse.linalg import spsolve

# Edges weaken as exp(−β · squared difference / mean squared difference).
_BETA = 5.5
# How strongly a pixel listens to its prior, against four neighbours of weight near 1.
_PRIOR = 0.043
_LEAST_WEIGHT = 1e-3


def walk(grey: np.ndarray, prior: np.ndarray, seeds: np.ndarray) -> np.ndarray:
    """The probability of the object, 0…1, (row, column).

    Args:
        grey: intensities, any scale, smoothed.
        prior: the probability that each pixel's own evidence gives to the object.
        seeds: 1 where the object surely is, −1 where it surely is not, 0 elsewhere.
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
    found = (fixed > 0).astype(np.float64)
    if free.size:
        right = _PRIOR * prior.ravel()[free] - laplacian[free][:, known] @ found[known]
        found[free] = spsolve(laplacian[free][:, free].tocsc(), right)
    return found.reshape(grey.shape)
