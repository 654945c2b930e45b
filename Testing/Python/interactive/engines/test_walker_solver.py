"""The random walker's probabilities on small grids."""

import numpy as np

from StrokeSAMLib.interactive.engines.walker_solver import object_probability


def test_the_object_ends_at_an_edge():
    grey = np.zeros((9, 10))
    grey[:, 5:] = 1
    seeds = np.zeros(grey.shape, np.int8)
    seeds[4, 1], seeds[4, 8] = 1, -1
    inside = object_probability(grey, np.full(grey.shape, 0.5), seeds) > 0.5
    assert inside[:, :5].all() and not inside[:, 5:].any()


def test_seeds_stay_and_the_prior_decides_elsewhere():
    prior = np.full((5, 6), 0.9)
    seeds = np.zeros(prior.shape, np.int8)
    seeds[0] = -1
    probability = object_probability(np.zeros(prior.shape), prior, seeds)
    assert (probability[0] == 0).all() and (np.diff(probability[:, 2]) > 0).all() and probability.max() < 0.9


def test_seeds_everywhere_give_the_seeds():
    seeds = np.ones((3, 3), np.int8)
    assert (object_probability(np.zeros((3, 3)), np.zeros((3, 3)), seeds) == 1).all()
