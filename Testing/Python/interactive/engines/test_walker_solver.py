"""The random walker's probabilities on small grids."""

import numpy as np

from StrokeSAMLib.interactive.engines.walker_solver import edge_weights, object_probability


def solve(grey, prior, seeds, strength=0.05):
    """The probabilities on a plane of the grid."""
    arrays = [np.asarray(array)[None] for array in (grey, prior, seeds)]
    weights = edge_weights(arrays[0], (1.0, 1.0, 1.0))
    return object_probability(weights, arrays[1], strength, arrays[2], arrays[1])[0]


def test_the_object_ends_at_an_edge():
    grey = np.zeros((9, 10))
    grey[:, 5:] = 1
    seeds = np.zeros(grey.shape, np.int8)
    seeds[4, 1], seeds[4, 8] = 1, -1
    inside = solve(grey, np.full(grey.shape, 0.5), seeds) > 0.5
    assert inside[:, :5].all() and not inside[:, 5:].any()


def test_seeds_stay_and_the_prior_decides_elsewhere():
    prior = np.full((5, 6), 0.9)
    seeds = np.zeros(prior.shape, np.int8)
    seeds[0] = -1
    probability = solve(np.zeros(prior.shape), prior, seeds)
    assert (probability[0] < 1e-3).all() and (np.diff(probability[:, 2]) > 0).all() and probability.max() < 0.9


def test_seeds_everywhere_give_the_seeds():
    seeds = np.ones((3, 3), np.int8)
    assert (solve(np.zeros((3, 3)), np.zeros((3, 3)), seeds) > 0.99).all()
