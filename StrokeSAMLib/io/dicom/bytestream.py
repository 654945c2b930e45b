"""The bytes of one DICOM file: its transfer syntax, and a stream at the start of its data set (PS3.10 section 7)."""

from __future__ import annotations

import mmap
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from StrokeSAMLib.io.dicom.address import MAGIC, MAGIC_OFFSET

IMPLICIT, EXPLICIT = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"
DEFLATED, BIG_ENDIAN = "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2"
_PRIVATE_GE = "1.2.840.113619.5.2"  # implicit little endian with pixels in big endian
NATIVE = (IMPLICIT, EXPLICIT, DEFLATED, BIG_ENDIAN, _PRIVATE_GE)
# Elements of the file meta information.
_STORAGE_CLASS, _TRANSFER_SYNTAX, _DIRECTORY = b"\2\0", b"\x10\0", "1.2.840.10008.1.3.10"
_CHUNK_BYTES = 1 << 16
# Deflate shrinks by a factor of 1032 at most. A slice that is all air comes near; a whole scan does not.
_MOST_GROWTH, _ALWAYS_ALLOWED_BYTES = 100, 1 << 25
_LONG_LENGTH = (b"OB", b"OW", b"OF", b"OD", b"OL", b"OV", b"SQ", b"UN", b"UC", b"UR", b"UT", b"SV", b"UV")


class NotDicomError(Exception):
    """The file is no DICOM file."""


class DamagedError(Exception):
    """The file is damaged; the text says how, as the end of a sentence that begins with its name."""


@dataclass(frozen=True)
class DataSetStream:
    """A file's data set.

    Attributes:
        stream: the file, or the inflated data set of a deflated file; at the first element.
        size: length of the stream, bytes.
        syntax: UID of the transfer syntax.
        has_magic: whether the file has the preamble of DICOM; otherwise it was recognised by its first element.
        is_directory: whether the file is a DICOMDIR.
    """

    stream: mmap.mmap | BytesIO
    size: int
    syntax: str
    has_magic: bool
    is_directory: bool

    @property
    def is_little_endian(self) -> bool:
        return self.syntax != BIG_ENDIAN

    @property
    def is_implicit(self) -> bool:
        return self.syntax in (IMPLICIT, _PRIVATE_GE)

    @property
    def pixels_are_little_endian(self) -> bool:
        return self.syntax not in (BIG_ENDIAN, _PRIVATE_GE)

    def part(self, offset: int, length: int) -> bytes:
        """The bytes from `offset` on, fewer at the end."""
        self.stream.seek(min(offset, self.size))
        return self.stream.read(length)


@contextmanager
def open_data_set(path: Path) -> Iterator[DataSetStream]:
    """Open a file at its data set. Nothing is read into memory, unless the file is deflated.

    Raises:
        NotDicomError: neither the preamble of DICOM nor a first element of a data set.
        DamagedError: empty, or the file meta information or the deflated data end early.
        OSError: the file cannot be opened.
    """
    with path.open("rb") as file:
        if not file.seek(0, 2):
            raise DamagedError("is empty")
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            has_magic = content[MAGIC_OFFSET : MAGIC_OFFSET + 4] == MAGIC
            start = MAGIC_OFFSET + 4 if has_magic else 0
            if not has_magic and not _begins_data_set(content[:8]):
                raise NotDicomError
            start, meta = _meta(content, start)
            syntax = meta.get(_TRANSFER_SYNTAX) or _guess_syntax(content[start : start + 6])
            is_directory = meta.get(_STORAGE_CLASS) == _DIRECTORY
            if syntax == DEFLATED:
                inflated = _inflate(content, start)
                yield DataSetStream(BytesIO(inflated), len(inflated), syntax, has_magic, is_directory)
            else:
                content.seek(start)
                yield DataSetStream(content, len(content), syntax, has_magic, is_directory)


def _begins_data_set(start: bytes) -> bool:
    """Whether the bytes are an element of group 2 or 8, as the first one of a file without preamble."""
    if len(start) < 8:
        return False
    for order in "<>":
        group, element = struct.unpack(f"{order}HH", start[:4])
        if group in (2, 8) and element <= 0x0070:
            length = struct.unpack(f"{order}I", start[4:])[0]
            return _is_vr(start[4:6]) or length <= 1 << 10
    return False


def _is_vr(two: bytes) -> bool:
    return two.isalpha() and two.isupper()


def _guess_syntax(start: bytes) -> str:
    """The transfer syntax of a data set without file meta information, from its first element."""
    if len(start) >= 2 and start[0] == 0 != start[1]:
        return BIG_ENDIAN
    return EXPLICIT if _is_vr(start[4:6]) else IMPLICIT


def _meta(content: mmap.mmap, start: int) -> tuple[int, dict[bytes, str]]:
    """The end of the file meta information (group 2, explicit little endian), and its UIDs by element number."""
    uids: dict[bytes, str] = {}
    while content[start : start + 2] == b"\2\0":
        vr = content[start + 4 : start + 6]
        head, form = (12, "<I") if vr in _LONG_LENGTH else (8, "<H")
        if start + head > len(content):
            raise DamagedError("is truncated")
        (length,) = struct.unpack_from(form, content, start + head - struct.calcsize(form))
        if vr == b"UI":
            value = content[start + head : start + head + length]
            uids[content[start + 2 : start + 4]] = value.decode("ascii", "replace").strip("\0 ")
        start += head + length
        if start > len(content):
            raise DamagedError("is truncated")
    return start, uids


def _inflate(content: mmap.mmap, start: int) -> bytes:
    limit = max(_ALWAYS_ALLOWED_BYTES, _MOST_GROWTH * len(content))
    # The first pass only counts, so that a bomb takes no memory.
    if sum(map(len, _inflated(content, start, limit))) > limit:
        raise DamagedError(f"is a deflated file that grows to more than {_MOST_GROWTH} times its size")
    return b"".join(_inflated(content, start, limit))


def _inflated(content: mmap.mmap, start: int, limit: int) -> Iterator[bytes]:
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    pending, length = b"", 0
    try:
        while not inflater.eof and length <= limit:
            pending = inflater.unconsumed_tail or content[start : start + _CHUNK_BYTES]
            if not inflater.unconsumed_tail:
                start += len(pending)
            part = inflater.decompress(pending, _CHUNK_BYTES)
            if not part and not pending:
                raise DamagedError("is truncated")
            length += len(part)
            yield part
    except zlib.error:
        raise DamagedError("is truncated or damaged") from None
