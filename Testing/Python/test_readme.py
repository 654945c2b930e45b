"""README.md: its links lead somewhere, and the results of its tutorial are those of the library on the sample."""

import re

import numpy as np
import pytest
import SimpleITK as sitk
from helpers import ROOT, dice

from StrokeSAMLib.interactive import Mask, Point, Session
from StrokeSAMLib.lesion import segment
from StrokeSAMLib.phantom import head_ct
from StrokeSAMLib.report import measure

README = (ROOT / "README.md").read_text("utf-8")
STEPS = dict(re.findall(r"^(\d)\. (.*)$", README, re.MULTILINE))


@pytest.fixture(scope="module")
def sample():
    """What *StrokeHeadCT* in Slicer's Sample Data holds, and its infarct."""
    return head_ct()


@pytest.fixture(scope="module")
def rule(sample):
    return segment({"ncct": sample.ncct}, "asymmetry")


@pytest.fixture(scope="module")
def network(sample):
    pytest.importorskip("torch")
    return segment({"ncct": sample.ncct}, "ncct-unet")


def ml(mask):
    return np.count_nonzero(sitk.GetArrayViewFromImage(mask)) * np.prod(mask.GetSpacing()) / 1000


@pytest.mark.parametrize("page", ["README.md", *(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))])
def test_every_link_to_a_file_leads_to_one(page):
    text = (ROOT / page).read_text("utf-8")
    targets = [target.partition("#")[0] for target in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in target]
    missing = [target for target in targets if target and not ((ROOT / page).parent / target).exists()]
    assert not missing


def test_the_tutorial_has_five_steps_with_an_expected_result_each():
    assert list(STEPS) == ["1", "2", "3", "4", "5"]
    assert all("**Expected:**" in step for step in STEPS.values())


def test_the_rule_gives_the_volume_and_overlap_of_the_tutorial(sample, rule):
    found = measure(rule)
    assert f"{found['volume_ml']:.1f} ml, {found['side']}, {len(found['components'])} component " in STEPS["3"]
    assert f"true volume is {ml(sample.lesion):.1f} ml" in STEPS["4"]
    assert f"a Dice of {dice(rule.mask, sample.lesion):.2f} (" in STEPS["4"]


def test_the_network_gives_the_volume_and_overlap_of_the_tutorial(sample, network):
    found = measure(network)
    assert f"(with the network {found['volume_ml']:.1f} ml)" in STEPS["3"]
    assert (found["side"], len(found["components"])) == ("left", 1)
    assert f"(network {dice(network.mask, sample.lesion):.2f})" in STEPS["4"]


def test_the_largest_slice_is_that_of_the_tutorial(rule, sample):
    k = int(sitk.GetArrayViewFromImage(rule.mask).sum(axis=(1, 2)).argmax())
    assert f"S {sample.ncct.TransformIndexToPhysicalPoint((0, 0, k))[2]:g} mm" in STEPS["3"]


def test_the_click_of_the_tutorial_adds_what_the_rule_left_out(sample, rule):
    left, anterior = (float(n) for n in re.search(r"\(L (\d+), A (\d+) mm\)", STEPS["5"]).groups())
    superior = float(re.search(r"slice S (−?[\d.]+) mm", STEPS["5"]).group(1).replace("−", "-"))
    place = left, -anterior, superior
    session = Session(sample.ncct, "random-walker")
    session.add(Mask(rule.mask))
    session.add(Point(place))
    index = sample.ncct.TransformPhysicalPointToIndex(place)
    assert sample.lesion[index] and not rule.mask[index] and session.mask()[index]
