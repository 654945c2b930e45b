"""Features on disk: what memory has no room for, and what is dearer to make again than to read."""

from __future__ import annotations

import mmap
import pickle
import tempfile
from collections.abc import Hashable
from typing import IO

from StrokeSAMLib.interactive.engines.base import Features


class SpillFile:
    """Features by key, in a temporary file that is gone with the process, and that no other opens.

    What is once written stays, as a slice's features never change. Not safe from several threads.
    """

    def __init__(self, budget: int):
        """`budget`, bytes; the file is made when first written to."""
        self._budget = budget
        self._file: IO[bytes] | None = None
        # Where a record starts, and the lengths of its parts: the object, and its arrays, which are written as they
        # are: copies of that size would leave holes in the heap.
        self._places: dict[Hashable, tuple[int, list[int]]] = {}
        self._end = 0

    def __contains__(self, key: Hashable) -> bool:
        return key in self._places

    @property
    def nbytes(self) -> int:
        """What it holds."""
        return self._end

    def write(self, key: Hashable, features: Features) -> None:
        """Keep `features`, which are on the host, where budget and disk have the room."""
        if key in self._places or self._end + features.nbytes > self._budget:
            return
        arrays: list[pickle.PickleBuffer] = []
        head = pickle.dumps(features, protocol=5, buffer_callback=arrays.append)
        parts = [head, *(array.raw() for array in arrays)]
        try:
            if self._file is None:
                self._file = tempfile.TemporaryFile(prefix="StrokeSAM-")  # noqa: SIM115
            self._file.seek(self._end)
            for part in parts:
                self._file.write(part)
            self._file.flush()
        except OSError:  # no room, or no folder to write to: it is a cache, and goes on without
            self._budget = 0
            return
        lengths = [len(part) for part in parts]
        self._places[key] = (self._end, lengths)
        self._end += sum(lengths)

    def read(self, key: Hashable) -> Features | None:
        """What `write` kept; None where it kept nothing."""
        if key not in self._places:
            return None
        start, (head, *arrays) = self._places[key]
        self._file.seek(start)
        made = self._file.read(head)
        # The file has no name, so that none but this process wrote it.
        return pickle.loads(made, buffers=[self._pages(length) for length in arrays])

    def _pages(self, length: int) -> mmap.mmap:
        pages = mmap.mmap(-1, length)
        self._file.readinto(pages)
        return pages
