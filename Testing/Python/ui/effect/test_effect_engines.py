"""Engines of the effect: saved with the prompts, not ready, and changed."""

import dataclasses

import numpy as np
import pytest

pytest.importorskip("slicer")

from balls import MIDDLE
from effect_host import draw, finish, listed, of_kind


def test_the_engine_that_is_saved_with_the_prompts_is_chosen_again(effect, host, red, volume):
    first = host.node.GetSelectedSegmentID()
    draw(effect, red, volume)
    finish()
    host.select(host.add_segment())
    host.setParameter("Engine", "medsam2")
    host.select(first)
    finish()
    assert host.parameter("Engine") == "random-walker" and len(listed()) == 1


def test_an_engine_without_its_packages_or_weights_shows_a_message(effect, host, red, volume):
    draw(effect, red, volume)
    finish()
    host.setParameter("Engine", "medsam2")
    finish()
    messages = [each.text for each in of_kind("QLabel") if each.text]
    assert any("medsam2 needs weights" in text for text in messages)
    assert listed() == ["Box"]
    host.setParameter("Engine", "random-walker")
    finish()
    assert listed() == [f"Box, slice {MIDDLE[0]}"]


def test_the_button_for_weights_is_visible_only_if_nothing_else_is_missing(effect, host, monkeypatch):
    from StrokeSAMLib.interactive.engines.registry import EngineEntry

    for missing, visible, status in (
        (["sam2"], False, "Needs sam2."),
        ([], True, "Needs weights: see section Weights."),
    ):
        monkeypatch.setattr(EngineEntry, "missing_packages", lambda entry, missing=missing: missing)
        host.setParameter("Engine", "random-walker")
        host.setParameter("Engine", "medsam")
        buttons = [each for each in of_kind("QPushButton") if each.text == "Get weights…" and each.visible]
        assert bool(buttons) == visible
        assert any(each.text == status for each in of_kind("QLabel"))


def test_another_engine_predicts_from_the_same_prompts(effect, host, red, volume, monkeypatch):
    from StrokeSAMLib.interactive.engines import random_walker

    draw(effect, red, volume)
    finish()
    before = effect.promptEditor.sessionView.outlines[MIDDLE[0]]
    engine = random_walker.RandomWalker()
    engine.id = "medsam"
    engine.answer = lambda stack, prompts, previous=None: random_walker.RandomWalker().answer(
        stack, [with_smaller_box(prompt) for prompt in prompts]
    )
    monkeypatch.setattr("StrokeSAMLib.interactive.engines.registry.load_engine", lambda *arguments: engine)
    host.setParameter("Engine", "medsam")
    finish()
    after = effect.promptEditor.sessionView
    assert after.document["engine"]["id"] == "medsam" and len(after.prompts) == 1
    assert after.outlines[MIDDLE[0]].shape != before.shape


def with_smaller_box(prompt):
    """The prompt, a box, with smaller sides, so that the answer differs."""
    sides = np.array([0, 4, 4])
    box = prompt.pixels
    return dataclasses.replace(prompt, pixels=dataclasses.replace(box, low=box.low + sides, high=box.high - sides))
