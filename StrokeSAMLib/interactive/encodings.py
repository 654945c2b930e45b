"""The encoded slices of one stack by one engine: made once, ahead of their use where there is time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar
from weakref import WeakKeyDictionary

from StrokeSAMLib.errors import InputError
from StrokeSAMLib.imaging.identity import volume_hash
from StrokeSAMLib.interactive.cache import FeatureCache
from StrokeSAMLib.interactive.engines.base import Engine, Features
from StrokeSAMLib.interactive.memory import needed
from StrokeSAMLib.interactive.stack import SliceStack
from StrokeSAMLib.nets.trim import trim

Told = TypeVar("Told")
# Bytes of features. To read a slice's from disk takes 4 ms, to encode it again fifty times as long.
_ON_CPU = {"budget": 64 << 20, "disk_budget": 4 << 30}
_ON_GPU = {"budget": 1 << 30, "host_budget": 4 << 30}
# Memory is given back after so many answers: what it leaves behind grows by 4 MB with each, and each time costs the
# next answer some 20 ms.
_TRIM_EVERY = 8


class Encodings:
    """Features by slice, shared by every segment of a volume. Safe from several threads.

    Attributes:
        engine: that encodes and answers.
        stack: the slices.
        volume: hash of the volume; with window and plane it is the key of the cache.
        notes: what the user should know of how it went.
    """

    def __init__(self, engine: Engine, stack: SliceStack, cache: FeatureCache | None = None):
        self.engine = engine
        self.stack = stack
        self.volume = volume_hash(stack.reference)
        self.cache = cache or _cache_of(engine)
        self._key = (engine.id, self.volume, stack.window, str(sorted(stack.plane.items())))
        self._encoding = threading.Lock()
        self.notes: list[str] = []
        self._asked = 0
        self._ahead: _Ahead | None = None

    def features(self, k: int) -> Features:
        """The features of slice `k`, encoded now unless they are there."""
        found = self.cache.get((*self._key, k))
        if found is not None:
            return found
        with self._encoding:
            found = self.cache.get((*self._key, k))  # by the thread that encodes ahead, while this one waited
            if found is None:
                found = self.engine.encode(self.stack.pixels[k], self.stack.spacing)
                self.cache.put((*self._key, k), found)
            return found

    def ask(self, k: int, question: Callable[[Features], Told]) -> Told:
        """What the engine tells of slice `k`: `question` of its features.

        Where the device runs out of memory, features move to the host; where that is not enough, all goes on on the
        CPU. `notes` says so, and the session is as it was.

        Raises:
            InputError: not even the CPU has the memory.
        """
        while True:
            try:
                features = self.features(k)
                told = question(features)
            except MemoryError as error:
                self._make_room(error)
            else:
                self._asked += 1
                if features.nbytes and self._asked % _TRIM_EVERY == 0:
                    trim()
                return told

    def _make_room(self, error: MemoryError) -> None:
        if self.cache.spill():
            self.notes.append("the device's memory is full: features of slices moved to the host")
        elif self.engine.use_cpu():
            self.cache.use_cpu()
            self.notes.append("the device's memory is full: going on on the CPU, more slowly")
        else:
            raise InputError(f"volume: not enough memory for engine {self.engine.id} ({error})") from None

    def memory_needed(self, segments: int = 1) -> int:
        """Bytes that a session of `segments` segments will take, all slices visited (see `memory.needed`)."""
        rows, columns = self.stack.shape
        return needed(self.engine.footprint(), len(self.stack), rows * columns, segments, self.cache.budget)

    def is_encoded(self, k: int) -> bool:
        """Whether slice `k` needs no encoding."""
        return (*self._key, k) in self.cache

    def encode_ahead(self, k: int) -> None:
        """From now on encode slice `k` and its neighbours outward, in the background, as far as the budget goes."""
        self.stop_ahead()
        self._ahead = _Ahead(self, k)

    def stop_ahead(self, wait: bool = True) -> None:
        """End the encoding in the background, after the slice it is at; `wait` for that."""
        if self._ahead is not None:
            self._ahead.stop(wait)
            self._ahead = None

    @property
    def encodes_ahead(self) -> bool:
        """Whether slices are being encoded in the background."""
        return not self.wait_ahead(timeout=0.0)

    def wait_ahead(self, timeout: float | None = None) -> bool:
        """Wait until everything is encoded that will be; whether it is."""
        ahead = self._ahead  # another thread may stop it meanwhile
        return ahead is None or ahead.wait(timeout)


def _cache_of(engine: Engine) -> FeatureCache:
    """The features that `engine` made, for whatever session: kept as long as the engine is."""
    if engine not in _caches:
        device = str(engine.device)
        _caches[engine] = FeatureCache(device=device, **(_ON_CPU if device == "cpu" else _ON_GPU))
    return _caches[engine]


_caches: WeakKeyDictionary[Engine, FeatureCache] = WeakKeyDictionary()


class _Ahead:
    """A thread that encodes outward from a slice."""

    def __init__(self, encodings: Encodings, k: int):
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(encodings, k), name="StrokeSAM ahead", daemon=True)
        self._thread.start()

    def stop(self, wait: bool) -> None:
        self._stopped.set()
        if wait:
            self._thread.join()

    def wait(self, timeout: float | None) -> bool:
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self, encodings: Encodings, k: int) -> None:
        for n in outward(k, len(encodings.stack)):
            if self._stopped.is_set():
                return
            try:
                encodings.features(n)
            except Exception:
                return  # whoever asks for this slice meets the error and tells the user
            if not encodings.is_encoded(k):
                return  # the budget is full: going on would drop what is nearer


def outward(k: int, count: int) -> list[int]:
    """0 … `count` − 1, the nearest to `k` first."""
    return sorted(range(count), key=lambda n: (abs(n - k), n))
