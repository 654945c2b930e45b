"""What is chosen in the module's panel: kept in a parameter node, and so saved with the scene."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Protocol


class State(Protocol):
    """As much of the parameter node as the panel uses; each input has an attribute with its key, a node or None."""

    method: str
    segmentation: Any
    device: str
    probability: bool
    options: str


def inputsOf(state: State, keys: tuple[str, ...]) -> dict[str, Any]:
    """The volumes that are chosen, by the inputs' keys."""
    found = {key: getattr(state, key, None) for key in keys}
    return {key: node for key, node in found.items() if node is not None}


def optionsOf(state: State, method: str) -> dict[str, str]:
    """The method's options that are not as by default, as texts by name."""
    return dict(_everyMethods(state).get(method, {}))


def setOptions(state: State, method: str, options: Mapping[str, str]) -> None:
    """Keep the method's options; those of other methods stay."""
    kept = {**_everyMethods(state), method: dict(options)}
    state.options = json.dumps({id: values for id, values in kept.items() if values})


def _everyMethods(state: State) -> dict[str, dict[str, str]]:
    try:
        held = json.loads(state.options)
        return {id: {name: str(value) for name, value in values.items()} for id, values in held.items()}
    except (ValueError, AttributeError):  # another program's scene
        return {}
