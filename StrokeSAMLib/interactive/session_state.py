"""The states of a session. A state is never changed in place: undo goes back to the one before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np

from StrokeSAMLib.interactive.engines.base import Prediction, VolumeAnswer
from StrokeSAMLib.interactive.slice_prompts import PlacedPrompt

EMPTY: Mapping = MappingProxyType({})


@dataclass(frozen=True)
class SessionState:
    """The state of a session after one action.

    Attributes:
        prompts: prompts by number, in the order in which they were added.
        prompted: predictions on slices with prompts, by slice.
        tracked: predictions of the propagation, by slice; on a slice with prompts, the one that the prompts correct. Of
            an engine that answers in 3-D, the predictions of its answer on the slices `reached` and on those with
            prompts.
        corrected: slices whose prompts changed since the last propagation.
        answer: the answer of an engine that answers in 3-D.
        reached: slices that a propagation of such an answer reached.
        action: the action that led here from the state before, as written to a session's file.
    """

    prompts: Mapping[int, PlacedPrompt] = field(default_factory=lambda: EMPTY)
    prompted: Mapping[int, Prediction] = field(default_factory=lambda: EMPTY)
    tracked: Mapping[int, Prediction] = field(default_factory=lambda: EMPTY)
    corrected: frozenset[int] = frozenset()
    answer: VolumeAnswer | None = None
    reached: frozenset[int] = frozenset()
    action: Mapping[str, Any] | None = None

    def predictions(self) -> dict[int, Prediction]:
        """The prediction of each slice that has one."""
        return {**self.tracked, **self.prompted}

    def mask(self, k: int, shape: tuple[int, int]) -> np.ndarray:
        """The mask of slice `k`, bool (row, column) of `shape`, without the pixels of negative masks and lassos."""
        prediction = self.prompted.get(k) or self.tracked.get(k)
        return self.without_excluded(k, np.zeros(shape, bool) if prediction is None else prediction.mask(shape))

    def without_excluded(self, k: int, mask: np.ndarray) -> np.ndarray:
        """`mask` without the pixels of negative masks and lassos on slice `k`."""
        for entry in self.exclusions(k):
            mask = mask & ~entry.excluded[k]
        return mask

    def exclusions(self, k: int) -> list[PlacedPrompt]:
        """The prompts that say where the object is not on slice `k`."""
        return [entry for entry in self.prompts.values() if k in entry.excluded]


class History:
    """The states of a session, for undo and redo."""

    def __init__(self) -> None:
        self._states = [SessionState()]
        self._now = 0

    @property
    def state(self) -> SessionState:
        """The present state."""
        return self._states[self._now]

    def push(self, state: SessionState) -> None:
        """Make `state` the present one, and drop the undone states."""
        self._states[self._now + 1 :] = [state]
        self._now += 1

    @property
    def can_undo(self) -> bool:
        """True if there is a state before the present one."""
        return self._now > 0

    @property
    def can_redo(self) -> bool:
        """True if there is an undone state."""
        return self._now + 1 < len(self._states)

    def undo(self) -> bool:
        """Go back by one state; True if there was one."""
        moved = self.can_undo
        self._now -= moved
        return moved

    def redo(self) -> bool:
        """Go forward by one undone state; True if there was one."""
        moved = self.can_redo
        self._now += moved
        return moved

    def actions(self) -> list[Mapping[str, Any]]:
        """The actions from the empty state to the present one."""
        return [state.action for state in self._states[1 : self._now + 1] if state.action is not None]
