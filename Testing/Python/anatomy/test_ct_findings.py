"""Findings in a head CT that mislead the methods."""

import numpy as np
import pytest

from StrokeSAMLib.anatomy.ct_findings import misleading_findings

SPACING = (2.0, 2.0, 2.0)
NOISE = np.random.default_rng(0).standard_normal((60, 90, 80)).astype(np.float32)


@pytest.fixture
def head():
    """HU (k, j, i) of a head of air, scalp, skull and brain, with noise of 4 HU; the distance from its middle, mm."""
    k, j, i = np.indices(NOISE.shape)
    away = 2 * np.sqrt((k - 29.5) ** 2 + ((j - 44.5) / 1.4) ** 2 + ((i - 39.5) / 1.1) ** 2)
    hu = np.select([away < 48, away < 53, away < 57], [33.0, 900.0, 40.0], -1000.0)
    return (hu + 4 * NOISE).astype(np.float32), away


def ball(away, radius_mm, shift=0):
    """A ball in the brain, `shift` voxels beside its middle."""
    return np.roll(away, shift, axis=2) < radius_mm


def found(hu, away):
    return misleading_findings(hu, away < 47, SPACING)


def test_a_normal_head_has_no_finding(head):
    assert found(*head) == []


@pytest.mark.parametrize(("density", "word"), [(70, "bleeding"), (160, "contrast")])
def test_blood_and_contrast_are_told_apart(head, density, word):
    hu, away = head
    hu[ball(away, 9.0, 8)] = density
    [sentence] = found(hu, away)
    assert word in sentence


def test_calcification_is_no_blood(head):
    hu, away = head
    hu[ball(away, 5.0, 8)] = 70
    hu[ball(away, 3.5, 8)] = 400
    assert found(hu, away) == []


def test_metal_is_found(head):
    hu, away = head
    hu[ball(away, 6.0, 8)] = 3071
    assert "metal" in found(hu, away)[0]


def test_clipped_values_leave_scalp_without_skull(head):
    hu, away = head
    assert "no skull" in found(np.clip(hu, 0, 100), away)[-1]


def test_a_brain_without_skull_and_scalp_has_no_finding(head):
    hu, away = head
    assert found(np.where(away < 47, hu, 0), away) == []
