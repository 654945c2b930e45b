"""LiteMedSAM with its trained weights, on real lesions and on the synthetic head."""

import numpy as np
import pytest
import SimpleITK as sitk
from helpers import REAL_DATA, dice
from trained_weights import trained_weights

from StrokeSAMLib.interactive import Box, Session

pytest.importorskip("torch")


@pytest.fixture(scope="module")
def weights():
    return trained_weights("lite-medsam")


def boxed_session(image, reference, weights, margin=2):
    """A session with a box about the largest slice of `reference`, (k, j, i) bool; and the number of that slice."""
    k = int(reference.sum(axis=(1, 2)).argmax())
    j, i = np.nonzero(reference[k])
    corners = ([i.min() - margin, j.min() - margin, k], [i.max() + margin, j.max() + margin, k])
    first, second = (image.TransformContinuousIndexToPhysicalPoint([float(n) for n in corner]) for corner in corners)
    session = Session(image, "lite-medsam", weights=weights, device="cpu")
    session.add(Box(first, second))
    return session, k


# The network does not recognise the second lesion; the published implementation has the same Dice within 0.01.
@pytest.mark.parametrize(
    ("name", "least"), [("CT_Lesion_000001", 0.95), ("CT_Lesion_000010", 0.45), ("CT_Lesion_000015", 0.8)]
)
def test_a_box_outlines_a_real_lesion_on_its_slice(weights, name, least):
    path = next((REAL_DATA / "recist").glob(f"{name}*.npz"), None)
    if path is None:
        pytest.skip(f"no real lesion {name}: set STROKESAM_TEST_DATA")
    with np.load(path) as case:
        image, reference = sitk.GetImageFromArray(case["imgs"]), case["gts"] > 0
        image.SetSpacing(case["spacing"].tolist())
    session, k = boxed_session(image, reference, weights)
    assert dice(session.slice_mask(k), reference[k]) >= least
