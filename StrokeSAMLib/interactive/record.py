"""A session as JSON, and back: what was done, on which volume, with what; enough to do it again exactly."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk

from StrokeSAMLib.errors import InputError
from StrokeSAMLib.files import read_json, replacing
from StrokeSAMLib.imaging.geometry import like
from StrokeSAMLib.imaging.identity import volume_hash
from StrokeSAMLib.imaging.windowing import Window
from StrokeSAMLib.interactive.engines.base import Engine
from StrokeSAMLib.interactive.engines.registry import load_engine
from StrokeSAMLib.interactive.prompts import Box, Mask, Point, Prompt, prompts_from
from StrokeSAMLib.interactive.session import Session
from StrokeSAMLib.monitor import Monitor
from StrokeSAMLib.version import __version__

SCHEMA_VERSION = 1
# What a document that is not of the form, or has numbers beyond all bounds, ends in.
_DAMAGE = (KeyError, TypeError, ValueError, AttributeError, OverflowError)
_FORM = ("schema_version", "volume", "engine", "plane", "window", "actions")


def document(session: Session) -> dict[str, Any]:
    """The session as JSON: engine, volume's hash, plane, window, and every action that was not undone."""
    encodings, stack = session.encodings, session.stack
    return {
        "schema_version": SCHEMA_VERSION,
        "software": {"name": "StrokeSAM", "version": __version__},
        "volume": {"sha256": encodings.volume, "size": list(stack.reference.GetSize())},
        "engine": {"id": encodings.engine.id, **encodings.engine.describe()},
        "plane": stack.plane,
        "window": [stack.window.low, stack.window.high],
        "actions": [_action(action) for action in session.actions()],
        "notice": "Research use only; not a medical device.",
    }


def write_document(made: Mapping[str, Any], path: Path) -> None:
    """Write the document, whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(made, indent=1, allow_nan=False) + "\n", "utf-8")


def read_document(path: Path) -> dict[str, Any]:
    """The document in a file.

    Raises:
        InputError: it cannot be read, or is no session.
    """
    made = read_json(path)
    try:
        return check_document(made)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def check_document(made: Any) -> dict[str, Any]:
    """`made`, if it has the form of a session's document.

    Raises:
        InputError: it has not.
    """
    missing = [key for key in _FORM if not isinstance(made, dict) or key not in made]
    if missing:
        raise InputError(f"not a session: {missing[0]} is missing")
    if made["schema_version"] != SCHEMA_VERSION:
        raise InputError(f"of version {made['schema_version']}; this StrokeSAM reads {SCHEMA_VERSION}")
    return made


def prompts_of(made: Mapping[str, Any]) -> dict[int, Prompt]:
    """The prompts by number that a document ends with, without doing anything again.

    Raises:
        InputError: it cannot be followed.
    """
    prompts: dict[int, Prompt] = {}
    try:
        for action in map(_action_back, made["actions"]):
            if action["do"] in ("add", "change"):
                prompts[int(action["number"])] = action["prompt"]
            elif action["do"] == "remove":
                del prompts[int(action["number"])]
    except _DAMAGE as error:
        raise InputError(f"session: cannot be followed: {type(error).__name__}: {error}") from None
    return prompts


def replay(
    made: Mapping[str, Any],
    image: sitk.Image,
    weights: Path | None = None,
    device: str = "auto",
    monitor: Monitor | None = None,
    load: Callable[..., Engine] | None = None,
) -> Session:
    """The session of a document, done again on `image`; it can be gone on with, and undone.

    Args:
        load: gives the engine, in the place of `load_engine`.

    Raises:
        InputError: another volume, other weights, or a document that cannot be followed.
    """
    monitor = monitor or Monitor()
    try:
        _check_volume(image, made["volume"].get("sha256"))
        engine = dict(made["engine"])
        checksum = engine.pop("weights", None)
        loaded = (load or load_engine)(engine.pop("id"), weights, device, engine)
        session = Session(image, loaded, **made["plane"], window=Window(*made["window"]))
        _check_weights(session, checksum)
        for number, action in enumerate(made["actions"]):
            monitor.step(number / len(made["actions"]), str(action["do"]))
            session.repeat(_action_back(action), Monitor(cancel=monitor.cancel_event))
    except _DAMAGE as error:
        raise InputError(f"session: cannot be followed: {type(error).__name__}: {error}") from None
    return session


def _check_volume(image: sitk.Image, wanted: str | None) -> None:
    found = volume_hash(image)
    if found != wanted:
        raise InputError(f"volume: not the one of the session: its hash is {found}, the session's is {wanted}")


def _check_weights(session: Session, checksum: str | None) -> None:
    found = session.encodings.engine.describe().get("weights")
    if found != checksum:
        raise InputError(f"weights: not those of the session: their hash is {found}, the session's is {checksum}")


def _action(action: Mapping[str, Any]) -> dict[str, Any]:
    return {**action, "prompt": _prompt(action["prompt"])} if "prompt" in action else dict(action)


def _action_back(action: Mapping[str, Any]) -> dict[str, Any]:
    return {**action, "prompt": _prompt_back(action["prompt"])} if "prompt" in action else dict(action)


def _prompt(prompt: Prompt) -> dict[str, Any]:
    if isinstance(prompt, Point):
        return {"type": "point", "position": list(prompt.position), "label": int(prompt.positive)}
    if isinstance(prompt, Box):
        return {"type": "box", "corners": [list(prompt.first), list(prompt.second)]}
    return {"type": "mask", "label": int(prompt.positive), **_voxels(prompt)}


def _prompt_back(entry: Mapping[str, Any]) -> Prompt:
    if entry.get("type") == "mask":
        return Mask(_image(entry), bool(entry["label"]))
    return prompts_from({"space": "LPS", "prompts": [entry]})[0]


def _voxels(mask: Mask) -> dict[str, Any]:
    """A mask as text."""
    image = mask.image
    return {
        "size": list(image.GetSize()),
        "spacing": list(image.GetSpacing()),
        "origin": list(image.GetOrigin()),
        "direction": list(image.GetDirection()),
        "bits": base64.b64encode(mask.packed).decode("ascii"),
    }


def _image(entry: Mapping[str, Any]) -> sitk.Image:
    size = [int(n) for n in entry["size"]]
    count = int(np.prod(size))
    unpacker = zlib.decompressobj()
    # No more than the size says: a small file must not grow without bound.
    packed = unpacker.decompress(base64.b64decode(entry["bits"], validate=True), (count + 7) // 8)
    grid = sitk.Image(size, sitk.sitkUInt8)
    grid.SetSpacing(entry["spacing"])
    grid.SetOrigin(entry["origin"])
    grid.SetDirection(entry["direction"])
    bits = np.unpackbits(np.frombuffer(packed, np.uint8), count=count)
    return like(bits.reshape(size[::-1]), grid)
