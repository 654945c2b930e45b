"""The record of a session as JSON: its volume, engine and actions, from which `replay` restores it exactly."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk

from StrokeSAMLib.core.errors import InputError
from StrokeSAMLib.core.files import atomic_write, read_json
from StrokeSAMLib.core.monitor import Monitor
from StrokeSAMLib.core.version import __version__
from StrokeSAMLib.imaging.geometry import image_like
from StrokeSAMLib.imaging.windowing import Window
from StrokeSAMLib.interactive.engines.base import AnyEngine
from StrokeSAMLib.interactive.engines.registry import engine_revision, load_engine
from StrokeSAMLib.interactive.prompts import KINDS, Box, Mask, Point, Prompt, prompts_from
from StrokeSAMLib.interactive.session import Session
from StrokeSAMLib.io.volume_hash import volume_hash

SCHEMA_VERSION = 1
# Errors that a document of the wrong form, or with numbers out of bounds, can raise.
_DOCUMENT_ERRORS = (KeyError, TypeError, ValueError, AttributeError, OverflowError)
_REQUIRED_KEYS = ("schema_version", "volume", "engine", "plane", "window", "actions")


def to_document(session: Session) -> dict[str, Any]:
    """The document of a session: engine, hash of the volume, plane, window, and all actions except undone ones."""
    encodings, stack = session.encodings, session.stack
    engine = encodings.engine
    return {
        "schema_version": SCHEMA_VERSION,
        "software": {"name": "StrokeSAM", "version": __version__},
        "volume": {"sha256": encodings.volume, "size": list(stack.reference.GetSize())},
        "engine": {"id": engine.id, "revision": engine_revision(engine.id), **engine.describe()},
        "plane": stack.plane,
        "window": [stack.window.low, stack.window.high],
        "actions": [_action_to_json(action) for action in session.actions()],
        "notice": "Research use only; not a medical device.",
    }


def write_document(document: Mapping[str, Any], path: Path) -> None:
    """Write the document to a file; an error leaves no partial file."""
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(document, indent=1, allow_nan=False) + "\n", "utf-8")


def read_document(path: Path) -> dict[str, Any]:
    """Read the document of a session from a file.

    Raises:
        InputError: the file cannot be read, or is not the document of a session.
    """
    document = read_json(path)
    try:
        return check_document(document)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def check_document(document: Any) -> dict[str, Any]:
    """Check that a value has the form of a session's document, and return it.

    Raises:
        InputError: a key is missing, or the schema version is another.
    """
    missing = [key for key in _REQUIRED_KEYS if not isinstance(document, dict) or key not in document]
    if missing:
        raise InputError(f"not a session: {missing[0]} is missing")
    if document["schema_version"] != SCHEMA_VERSION:
        raise InputError(
            f"the session has schema version {document['schema_version']}; this StrokeSAM reads {SCHEMA_VERSION}"
        )
    return document


def prompts_of(document: Mapping[str, Any]) -> dict[int, Prompt]:
    """The prompts by number after the last action of a document, read without a replay.

    Raises:
        InputError: an action cannot be read.
    """
    prompts: dict[int, Prompt] = {}
    try:
        for action in map(_action_from_json, document["actions"]):
            if action["do"] in ("add", "change"):
                prompts[int(action["number"])] = action["prompt"]
            elif action["do"] == "remove":
                del prompts[int(action["number"])]
    except _DOCUMENT_ERRORS as error:
        raise _unreadable(error) from None
    return prompts


def replay(
    document: Mapping[str, Any],
    image: sitk.Image,
    weights: Path | None = None,
    device: str = "auto",
    monitor: Monitor | None = None,
    load: Callable[..., AnyEngine] | None = None,
) -> Session:
    """Repeat the actions of a document on `image`.

    Args:
        document: see `to_document`.
        image: the volume of the session.
        weights: checkpoint of the engine; by default from the store.
        device: "auto", "cpu", "cuda" or "mps".
        monitor: progress, and cancellation.
        load: function that returns the engine; by default `load_engine`.

    Returns:
        The session, which can be continued and undone.

    Raises:
        InputError: the volume or the weights are not those of the session, or an action cannot be repeated.
    """
    monitor = monitor or Monitor()
    try:
        _check_volume(image, document["volume"].get("sha256"))
        settings = dict(document["engine"])
        check_revision(settings["id"], settings.pop("revision", 1))
        checksum = settings.pop("weights", None)
        engine = (load or load_engine)(settings.pop("id"), weights, device, settings)
        session = Session(image, engine, **document["plane"], window=Window(*document["window"]))
        _check_weights(session, checksum)
        for number, action in enumerate(document["actions"]):
            monitor.step(number / len(document["actions"]), str(action["do"]))
            session.repeat(_action_from_json(action), Monitor(cancel=monitor.cancel_event))
    except _DOCUMENT_ERRORS as error:
        raise _unreadable(error) from None
    return session


def _unreadable(error: Exception) -> InputError:
    return InputError(f"session: its actions cannot be repeated: {type(error).__name__}: {error}")


def check_revision(id: str, recorded: Any) -> None:
    """Check that engine `id` still gives the segments that it gave at the `recorded` revision.

    Raises:
        InputError: it is another revision.
    """
    present = engine_revision(id)
    if recorded != present:
        raise InputError(
            f"session: it was recorded with revision {recorded} of the engine {id}; this StrokeSAM has revision "
            f"{present}, which gives other segments: set the prompts anew"
        )


def _check_volume(image: sitk.Image, expected: str | None) -> None:
    found = volume_hash(image)
    if found != expected:
        raise InputError(f"volume: not the volume of the session: its hash is {found}, the session's is {expected}")


def _check_weights(session: Session, expected: str | None) -> None:
    found = session.encodings.engine.describe().get("weights")
    if found != expected:
        raise InputError(f"weights: not the weights of the session: their hash is {found}, the session's is {expected}")


def _action_to_json(action: Mapping[str, Any]) -> dict[str, Any]:
    return {**action, "prompt": _prompt_to_json(action["prompt"])} if "prompt" in action else dict(action)


def _action_from_json(action: Mapping[str, Any]) -> dict[str, Any]:
    if "plan" in action:
        # Records of version 0.1 have no `find_end`: their propagation did not look for the object's end.
        return {**action, "plan": {"find_end": False, **action["plan"]}}
    return {**action, "prompt": _prompt_from_json(action["prompt"])} if "prompt" in action else dict(action)


def _prompt_to_json(prompt: Prompt) -> dict[str, Any]:
    if isinstance(prompt, Point):
        return {"type": "point", "position": list(prompt.position), "label": int(prompt.positive)}
    if isinstance(prompt, Box):
        return {"type": "box", "corners": [list(prompt.first), list(prompt.second)]}
    kind = {"type": KINDS[type(prompt)], "label": int(prompt.positive)}
    if isinstance(prompt, Mask):
        return {**kind, **_voxels_to_json(prompt)}
    return {**kind, "points": [list(point) for point in prompt.points]}


def _prompt_from_json(entry: Mapping[str, Any]) -> Prompt:
    if entry.get("type") == "mask":
        return Mask(_voxels_from_json(entry), bool(entry["label"]))
    return prompts_from({"space": "LPS", "prompts": [entry]})[0]


def _voxels_to_json(mask: Mask) -> dict[str, Any]:
    """The grid of a mask, and its packed voxels as text."""
    image = mask.image
    return {
        "size": list(image.GetSize()),
        "spacing": list(image.GetSpacing()),
        "origin": list(image.GetOrigin()),
        "direction": list(image.GetDirection()),
        "bits": base64.b64encode(mask.packed).decode("ascii"),
    }


def _voxels_from_json(entry: Mapping[str, Any]) -> sitk.Image:
    size = [int(n) for n in entry["size"]]
    count = int(np.prod(size))
    unpacker = zlib.decompressobj()
    # No more bytes than the size needs: a small file must not unpack without bound.
    packed = unpacker.decompress(base64.b64decode(entry["bits"], validate=True), (count + 7) // 8)
    grid = sitk.Image(size, sitk.sitkUInt8)
    grid.SetSpacing(entry["spacing"])
    grid.SetOrigin(entry["origin"])
    grid.SetDirection(entry["direction"])
    bits = np.unpackbits(np.frombuffer(packed, np.uint8), count=count)
    return image_like(bits.reshape(size[::-1]), grid)
