"""Helpers of several tests: overlap, real images, oblique grids, scripts."""

import importlib.util
import os
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

ROOT = Path(__file__).parents[3]
REAL_DATA = Path(os.environ.get("STROKESAM_TEST_DATA", ROOT.parent / "shared" / "data"))


def load_script(path):
    """Import a Python file of Testing, which is in no package, as a module."""
    specification = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(specification)
    sys.modules[path.stem] = module  # dataclasses look the module up there
    specification.loader.exec_module(module)
    return module


def array(image):
    return image if isinstance(image, np.ndarray) else sitk.GetArrayFromImage(image)


def dice(first, second):
    first, second = array(first) > 0, array(second) > 0
    return 2 * (first & second).sum() / (first.sum() + second.sum())


def volume_ml(mask):
    return float((array(mask) > 0).sum() * np.prod(mask.GetSpacing()) / 1000)


def names(store):
    """The file names in a store of weights."""
    return sorted(path.name for path in store.folder.iterdir()) if store.folder.exists() else []


def real_image(name):
    """Read a real image; skip the test if the folder of STROKESAM_TEST_DATA does not have it."""
    path = REAL_DATA / name
    if not path.exists():
        pytest.skip(f"no real image {name}: set STROKESAM_TEST_DATA")
    return sitk.ReadImage(str(path))


def oblique_grid(like, degrees, flips=(1, 1, 1)):
    """The grid of `like`, turned about S and P around its middle, with flipped axes."""
    turn = sitk.Euler3DTransform()
    turn.SetRotation(0.0, np.deg2rad(degrees / 2), np.deg2rad(degrees))
    direction = np.asarray(turn.GetMatrix()).reshape(3, 3) * np.asarray(flips)
    grid = sitk.Image(like.GetSize(), like.GetPixelID())
    grid.SetSpacing(like.GetSpacing())
    grid.SetDirection(direction.ravel().tolist())
    half = (np.asarray(like.GetSize()) - 1) / 2
    middle = like.TransformContinuousIndexToPhysicalPoint(half.tolist())
    grid.SetOrigin((np.asarray(middle) - direction @ (half * np.asarray(like.GetSpacing()))).tolist())
    return grid


def ball_anatomy():
    """A label map for training: a ball of white matter in shells of grey matter and CSF."""
    k, j, i = np.indices((72, 80, 72)) * 2.0
    radius = np.sqrt((k - 72) ** 2 + (j - 80) ** 2 + (i - 72) ** 2)
    labels = np.select([radius > 65, radius > 61, radius > 50], [0, 1, 2], 3).astype(np.uint8)
    image = sitk.GetImageFromArray(labels)
    image.SetSpacing((2.0, 2.0, 2.0))
    return image
