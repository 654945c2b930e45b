"""The user's choices in the module's panel. A parameter node holds them, so they are saved with the scene."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Protocol


class LesionPanelState(Protocol):
    """The part of the parameter node that the panel uses.

    Each input of a method has an attribute with the input's key: a volume node or None.

    Attributes:
        method: id of the method; "" before one is chosen.
        segmentation: the segmentation node to write to, or None.
        device: "auto", "cpu", "cuda" or "mps".
        probability: whether to add the probability map as a volume.
        options: the options of all methods that differ from their defaults, as JSON.
    """

    method: str
    segmentation: Any
    device: str
    probability: bool
    options: str


def inputsOf(state: LesionPanelState, keys: tuple[str, ...]) -> dict[str, Any]:
    """The chosen volume nodes by the inputs' keys."""
    nodes = {key: getattr(state, key, None) for key in keys}
    return {key: node for key, node in nodes.items() if node is not None}


def optionsOf(state: LesionPanelState, method: str) -> dict[str, str]:
    """The method's options that differ from their defaults, as texts by name."""
    return dict(_allOptions(state).get(method, {}))


def setOptions(state: LesionPanelState, method: str, options: Mapping[str, str]) -> None:
    """Store the method's options. Options of other methods stay."""
    optionsByMethod = {**_allOptions(state), method: dict(options)}
    state.options = json.dumps({id: values for id, values in optionsByMethod.items() if values})


def _allOptions(state: LesionPanelState) -> dict[str, dict[str, str]]:
    try:
        document = json.loads(state.options)
        return {id: {name: str(value) for name, value in values.items()} for id, values in document.items()}
    except (ValueError, AttributeError):  # a scene of another program may hold any text
        return {}
