"""The lessons of `prompt-unet`: each is one turn of two sessions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn

from StrokeSAMLib.interactive.prompt_maps import CUBE
from StrokeSAMLib.training.checkpoint import TrainingSetup
from StrokeSAMLib.training.gradients import Gradients
from StrokeSAMLib.training.preview import PATIENT_COUNT, write_preview
from StrokeSAMLib.training.prompts.backgrounds import Heads
from StrokeSAMLib.training.prompts.cubes import make_cube
from StrokeSAMLib.training.prompts.sessions import Session, advance, answer_turns, new_session
from StrokeSAMLib.training.prompts.shapes import Shapes
from StrokeSAMLib.training.step import SEED_STRIDE
from StrokeSAMLib.training.synthesis import Anatomy, Patient

# Sessions of one pass through the network. PyTorch takes its slow convolution on a CPU for a single small cube.
_SESSIONS = 2
# Pairs of sessions that take turns, so that neighbouring steps differ, and the shape of their cubes. Two of three are
# smaller than those of the engine and cost two fifths; the network sees the same share of object either way.
_SHAPES = (CUBE, (16, 48, 48), (16, 48, 48))


class PromptLessons:
    """Sessions that go on from lesson to lesson: the network's answer makes the next click.

    A resumed training begins new sessions. Up to there it gives the same weights as an uninterrupted one.

    Args:
        setup: of the training.
        anatomies: the brains to make heads from.
        shapes: shapes of objects.
    """

    def __init__(self, setup: TrainingSetup, anatomies: Sequence[Anatomy], shapes: Shapes):
        self._first_seed, self._heads, self._shapes = SEED_STRIDE * setup.seed, Heads(anatomies), shapes
        self._sessions: dict[tuple[int, int], Session] = {}

    def gradients(
        self, network: nn.Module, number: int, device: torch.device, precision: torch.dtype
    ) -> tuple[float, Gradients]:
        """See `Lessons.gradients`."""
        keys = [(number % len(_SHAPES), side) for side in range(_SESSIONS)]
        sessions = [self._session(key, self._first_seed + _SESSIONS * number + key[1]) for key in keys]
        loss, gradients, answers = answer_turns(network, sessions, device, precision)
        for key, session, answer in zip(keys, sessions, answers, strict=True):
            if not advance(session, answer):
                del self._sessions[key]
        return loss, gradients

    def preview(self, path: Path) -> None:
        """See `Lessons.preview`."""
        cubes = [make_cube(self._heads, self._shapes, self._first_seed + number) for number in range(PATIENT_COUNT)]
        patients = [Patient(cube.image[None], cube.truth, cube.valid) for cube in cubes]
        write_preview("prompt-unet", patients, path)

    def _session(self, key: tuple[int, int], seed: int) -> Session:
        if key not in self._sessions:
            self._sessions[key] = new_session(self._heads, self._shapes, seed, _SHAPES[key[0]])
        return self._sessions[key]
