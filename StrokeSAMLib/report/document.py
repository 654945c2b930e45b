"""The report as a JSON document with a published schema."""

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

from StrokeSAMLib.core.files import atomic_write, file_hash
from StrokeSAMLib.core.version import __version__
from StrokeSAMLib.io.dicom.address import split_number
from StrokeSAMLib.io.dicom.files import files_below
from StrokeSAMLib.lesion.result import LesionResult
from StrokeSAMLib.report.measurements import measure

SCHEMA_VERSION = 1
_DIGITS = 6


def report(result: LesionResult, files: Mapping[str, Path] | None = None) -> dict[str, Any]:
    """The report on `result` as a JSON document: method, options, inputs and measurements (see `schema`).

    Args:
        result: the result of an automatic method.
        files: the input files (or folders of a DICOM series) by key. The report has their names and hashes, without
            their folders, which may name a patient.
    """
    plane = result.midsagittal
    return _to_json(
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
    """Write the document to `path` atomically.

    Raises:
        InputError: the folder cannot be written to.
        ValueError: the document has a number that is not finite.
    """
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n", "utf-8")


def schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of the document."""
    return json.loads(resources.files("StrokeSAMLib.report").joinpath("report.schema.json").read_text("utf-8"))


def _input(path: Path) -> dict[str, str]:
    source, _ = split_number(path)
    return {"file": path.name, "sha256": _folder_hash(source) if source.is_dir() else file_hash(source)}


def _folder_hash(folder: Path) -> str:
    """A hash of the sorted hashes of the folder's files; it depends on neither their names nor their order."""
    hashes = sorted(file_hash(path) for path in files_below(folder) if path.is_file())
    return hashlib.sha256("".join(hashes).encode()).hexdigest()


def _to_json(value: Any) -> Any:
    """Convert to JSON's types: NumPy numbers to Python's, floats to `_DIGITS` decimals, NaN and infinity to null."""
    if isinstance(value, Mapping):
        return {key: _to_json(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_to_json(entry) for entry in value]
    plain = value.item() if isinstance(value, np.generic) else value
    if isinstance(plain, float):
        return round(plain, _DIGITS) if math.isfinite(plain) else None
    return plain
