"""Features on disk: reading them takes less time than encoding the slice again."""

from __future__ import annotations

import io
import mmap
import pickle
import tempfile
from collections.abc import Hashable

from StrokeSAMLib.interactive.engines.base import Features


class DiskCache:
    """Features by key, in a temporary file that ends with the process and that no other process can open.

    A record is never overwritten, because the features of a slice never change. Not thread-safe.
    """

    def __init__(self, budget: int):
        """Create an empty cache of up to `budget` bytes; the file is created by the first `write`."""
        self._budget = budget
        self._file: io.BufferedRandom | None = None
        # By key: start of the record, and lengths of its parts. The first part is the pickled object, the others are
        # its arrays, written without a copy: copies of that size would leave holes in the heap.
        self._records: dict[Hashable, tuple[int, list[int]]] = {}
        self._end = 0

    def __contains__(self, key: Hashable) -> bool:
        return key in self._records

    def write(self, key: Hashable, features: Features) -> None:
        """Keep `features`, which are on the host, if the budget and the disk have room."""
        if key in self._records or self._end + features.nbytes > self._budget:
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
        except OSError:  # a full disk, or no writable folder: continue without a file
            self._budget = 0
            return
        lengths = [len(part) for part in parts]
        self._records[key] = (self._end, lengths)
        self._end += sum(lengths)

    def read(self, key: Hashable) -> Features | None:
        """The features that `write` kept; None where there are none."""
        if self._file is None or key not in self._records:
            return None
        start, (head_length, *array_lengths) = self._records[key]
        self._file.seek(start)
        head = self._file.read(head_length)
        # Unpickling is safe: the file has no name, so only this process can have written it.
        return pickle.loads(head, buffers=[_read_pages(self._file, length) for length in array_lengths])


def _read_pages(file: io.BufferedRandom, length: int) -> mmap.mmap:
    pages = mmap.mmap(-1, length)
    file.readinto(pages)
    return pages
