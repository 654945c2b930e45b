"""The report as a JSON document, with a published schema."""

from __future__ import annotations

import datetime
import hashlib
import json
import math
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from StrokeSAMLib.files import file_hash, replacing
from StrokeSAMLib.lesion.result import LesionResult
from StrokeSAMLib.report.measurements import measure
from StrokeSAMLib.version import __version__

SCHEMA_VERSION = 1
_DIGITS = 6


def report(result: LesionResult, files: Mapping[str, Path] | None = None) -> dict[str, Any]:
    """The report on `result`: what made it, from what, and what was measured (see `schema`).

    Args:
        result: of an automatic method.
        files: the input files (or folders of a DICOM series) by key; named and hashed, without their folders, which
            may name a patient.
    """
    plane = result.midsagittal
    return _jsonable(
        {
            "schema_version": SCHEMA_VERSION,
            "software": {"name": "StrokeSAM", "version": __version__},
            "created": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
            "method": result.method,
            "options": dict(result.options),
            "inputs": {key: _input(Path(path)) for key, path in (files or {}).items()},
            "measurements": measure(result),
            "midsagittal_plane": {"normal_lps": list(plane.normal), "offset_mm": plane.offset},
            "warnings": list(result.warnings),
            "notice": "Research use only; not a medical device.",
        }
    )


def write_report(document: Mapping[str, Any], path: Path) -> None:
    """Write the document to `path`, whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n", "utf-8")


def schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of the document."""
    return json.loads(resources.files(__package__).joinpath("report.schema.json").read_text("utf-8"))


def _input(path: Path) -> dict[str, str]:
    return {"file": path.name, "sha256": _series_hash(path) if path.is_dir() else file_hash(path)}


def _series_hash(folder: Path) -> str:
    """The hash of the sorted hashes of the folder's files: neither names nor their order count."""
    hashes = sorted(file_hash(path) for path in folder.iterdir() if path.is_file())
    return hashlib.sha256("".join(hashes).encode()).hexdigest()


def _jsonable(value: Any) -> Any:
    """`value` as JSON knows it: NumPy's numbers as Python's, floats to `_DIGITS` decimals, NaN and infinity null."""
    if isinstance(value, Mapping):
        return {key: _jsonable(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_jsonable(entry) for entry in value]
    plain = value.item() if isinstance(value, np.generic) else value
    if isinstance(plain, float):
        return round(plain, _DIGITS) if math.isfinite(plain) else None
    return plain
