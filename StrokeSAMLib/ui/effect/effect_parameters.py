"""The effect's choices, which are parameters of the Segment Editor's MRML node: they are saved with the scene."""

from __future__ import annotations

from typing import Any

# Slicer does not keep an empty parameter.
_ALL = "all"
_DEFAULTS = {"Tool": "box", "Engine": "random-walker", "Device": "auto", "AvoidOtherSegments": "0", "SliceRange": _ALL}


def setDefaults(scriptedEffect: Any) -> None:
    """Give each parameter its default, unless it has a value."""
    for name, value in _DEFAULTS.items():
        scriptedEffect.setParameterDefault(name, value)


class EffectParameters:
    """Reads and writes the parameters of Slicer's qSlicerSegmentEditorScriptedEffect."""

    def __init__(self, scriptedEffect: Any):
        self._effect = scriptedEffect

    @property
    def tool(self) -> str:
        """One of `pointer.TOOLS`."""
        return self._value("Tool")

    def setTool(self, id: str) -> None:
        self._effect.setParameter("Tool", id)

    @property
    def engine(self) -> str:
        """The engine's id. It may be unknown, for example if another version saved the scene."""
        return self._value("Engine")

    def setEngine(self, id: str) -> None:
        self._effect.setParameter("Engine", id)

    @property
    def device(self) -> str:
        """The device for networks: "auto", "cpu", "cuda" or "mps"."""
        return self._value("Device")

    @property
    def avoid(self) -> bool:
        """Whether the object is kept out of the other visible segments."""
        return self._value("AvoidOtherSegments") == "1"

    def setAvoid(self, avoid: bool) -> None:
        self._effect.setParameter("AvoidOtherSegments", "1" if avoid else "0")

    @property
    def sliceRange(self) -> tuple[int, int] | None:
        """First and last slice of a propagation; None for all slices."""
        words = self._value("SliceRange").split()
        return (int(words[0]), int(words[1])) if len(words) == 2 and all(word.isdigit() for word in words) else None

    def setSliceRange(self, first: int | None, last: int | None) -> None:
        """Limit a propagation to these slices; None for no limit."""
        self._effect.setParameter("SliceRange", _ALL if first is None or last is None else f"{first} {last}")

    def _value(self, name: str) -> str:
        return self._effect.parameter(name) or _DEFAULTS[name]
