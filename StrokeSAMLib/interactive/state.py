"""The state of a session, never changed in place: undo is going back to the one before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from StrokeSAMLib.interactive.engines.base import Answer
from StrokeSAMLib.interactive.slices import Placed

NOTHING: Mapping = MappingProxyType({})


@dataclass(frozen=True)
class State:
    """What a session knows at one moment.

    Attributes:
        prompts: by their number, in the order in which they were given.
        prompted: the answers on slices with prompts.
        tracked: the answers of propagation; those below prompts are what the prompts correct.
        corrected: the slices whose prompts changed since the last propagation.
        action: what led here from the state before, as it is written to a file.
    """

    prompts: Mapping[int, Placed] = field(default_factory=lambda: NOTHING)
    prompted: Mapping[int, Answer] = field(default_factory=lambda: NOTHING)
    tracked: Mapping[int, Answer] = field(default_factory=lambda: NOTHING)
    corrected: frozenset[int] = frozenset()
    action: Mapping[str, Any] | None = None

    def answers(self) -> dict[int, Answer]:
        """The answer on each slice that has one."""
        return {**self.tracked, **self.prompted}


class History:
    """States to undo to and to redo."""

    def __init__(self) -> None:
        self._states = [State()]
        self._now = 0

    @property
    def state(self) -> State:
        """The present state."""
        return self._states[self._now]

    def push(self, state: State) -> None:
        """Make `state` the present; what was undone is lost."""
        self._states[self._now + 1 :] = [state]
        self._now += 1

    @property
    def can_undo(self) -> bool:
        """Whether there is a state before this."""
        return self._now > 0

    @property
    def can_redo(self) -> bool:
        """Whether a state was undone."""
        return self._now + 1 < len(self._states)

    def undo(self) -> bool:
        """Go back by one; whether there was one to go back to."""
        moved = self.can_undo
        self._now -= moved
        return moved

    def redo(self) -> bool:
        """Go forward by one; whether one had been undone."""
        moved = self.can_redo
        self._now += moved
        return moved

    def actions(self) -> list[Mapping[str, Any]]:
        """What led from the empty state to the present one."""
        return [state.action for state in self._states[1 : self._now + 1]]
