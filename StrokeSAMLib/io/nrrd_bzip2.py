"""NRRD files whose voxels are packed by bzip2, which ITK cannot unpack."""

from __future__ import annotations

import bz2
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from StrokeSAMLib.core.errors import InputError
from StrokeSAMLib.io.text_header import TextHeader

_CHANGED_FIELDS = re.compile(rb"^(encoding|data ?file):.*\r?\n", re.IGNORECASE | re.MULTILINE)


@contextmanager
def unpacked(path: Path, header: TextHeader) -> Iterator[Path]:
    """Provide a temporary NRRD file with the voxels of `path` as they are, unpacked; it is deleted afterwards.

    Raises:
        InputError: the voxels are spread over several files.
        OSError, EOFError: the voxels are truncated or damaged.
    """
    if header.data_file is None:
        raise InputError(f"{path}: several files packed by bzip2 cannot be read")
    voxels = path.parent / header.data_file if header.data_file else path
    with tempfile.TemporaryDirectory() as folder, path.open("rb") as source, voxels.open("rb") as packed:
        fields = _CHANGED_FIELDS.sub(b"", source.read(header.length)).rstrip()
        packed.seek(0 if header.data_file else header.length)
        target = Path(folder) / "unpacked.nrrd"
        with target.open("wb") as stream, bz2.open(packed) as content:
            stream.write(fields + b"\nencoding: raw\n\n")
            shutil.copyfileobj(content, stream)
        yield target
