"""Small synthetic patients for trainings that take seconds."""

import numpy as np

from StrokeSAMLib.training.synthesis import Patient


def cube_patient(kind, anatomies, seed):
    """A patient of 16³ voxels whose lesion is a bright cube. It has the arguments of `make_patient`."""
    rng = np.random.default_rng(seed)
    lesion = np.zeros((16, 16, 16), bool)
    k, j, i = rng.integers(2, 9, 3)
    lesion[k : k + 6, j : j + 6, i : i + 6] = True
    inputs = rng.standard_normal((2, 16, 16, 16), dtype=np.float32) * 0.2
    inputs[0] += 2 * lesion
    return Patient(inputs, lesion, np.ones_like(lesion))
