"""The encoded slices of one stack: each is encoded once, ahead of its use where there is time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar, cast
from weakref import WeakKeyDictionary

from StrokeSAMLib.core.errors import InputError
from StrokeSAMLib.core.memory import release_memory
from StrokeSAMLib.interactive.engines.base import AnyEngine, Engine, Features, VolumeEngine
from StrokeSAMLib.interactive.features.cache import FeatureCache
from StrokeSAMLib.interactive.features.footprint import memory_needed
from StrokeSAMLib.interactive.slice_stack import SliceStack
from StrokeSAMLib.io.volume_hash import volume_hash

Result = TypeVar("Result")
# Budgets of the cache, bytes. Reading a slice's features from disk takes 4 ms, encoding them again fifty times as long.
_ON_CPU = {"budget": 64 << 20, "disk_budget": 4 << 30}
_ON_GPU = {"budget": 1 << 30, "host_budget": 4 << 30}
# Memory is released after this many predictions: each leaves 4 MB behind, and each release slows the next prediction
# by about 20 ms.
_TRIM_EVERY = 8


class Encodings:
    """Features by slice, shared by every segment of a volume. Thread-safe.

    Attributes:
        engine: engine that encodes the slices.
        stack: the slices.
        volume: hash of the volume; with window and plane it is the key of the cache.
        notes: notes for the user about precision and memory.
    """

    def __init__(self, engine: AnyEngine, stack: SliceStack, cache: FeatureCache | None = None):
        """Prepare the slices of `stack` for `engine`; `cache` is by default the engine's own."""
        self.engine = engine
        self.stack = stack
        self.volume = volume_hash(stack.reference)
        self.cache = cache or _engine_cache(engine)
        self._key = (engine.id, self.volume, stack.window, str(sorted(stack.plane.items())))
        self._encoding = threading.Lock()
        self.notes: list[str] = list(engine.notes)
        self._calls = 0
        self._ahead: _Ahead | None = None

    def features(self, k: int) -> Features:
        """The features of slice `k`, encoded now unless the cache has them."""
        features = self.cache.get((*self._key, k))
        if features is not None:
            return features
        with self._encoding:
            # The background thread may have encoded the slice while this one waited.
            features = self.cache.get((*self._key, k))
            if features is None:
                features = cast(Engine, self.engine).encode(self.stack.pixels[k], self.stack.spacing)
                self.cache.put((*self._key, k), features)
            return features

    def with_features(self, k: int, function: Callable[[Features], Result]) -> Result:
        """Call `function` with the features of slice `k`, and return its result.

        Where the device has no memory left, the features move to the host; where that is not enough, the engine moves
        to the CPU. `function` is then called again, and `notes` has a note for the user.

        Raises:
            InputError: not even the CPU has enough memory.
        """
        while True:
            try:
                features = self.features(k)
                result = function(features)
            except MemoryError as error:
                self._make_room(error)
            else:
                self._calls += 1
                if features.nbytes and self._calls % _TRIM_EVERY == 0:
                    release_memory()
                return result

    def _make_room(self, error: MemoryError) -> None:
        if self.cache.move_to_host():
            self.notes.append("the device's memory is full: features of slices moved to the host")
        elif self.engine.use_cpu():
            self.cache.use_cpu()
            self.notes.append("the device's memory is full: continuing on the CPU, which is slower")
        else:
            raise InputError(f"volume: not enough memory for engine {self.engine.id} ({error})") from None

    def memory_needed(self, segments: int = 1) -> int:
        """The memory that a session of `segments` segments takes when all slices are visited, bytes."""
        rows, columns = self.stack.shape
        return memory_needed(self.engine.footprint(), len(self.stack), rows * columns, segments, self.cache.budget)

    def is_encoded(self, k: int) -> bool:
        """True if the cache has the features of slice `k`."""
        return (*self._key, k) in self.cache

    def encode_ahead(self, k: int) -> None:
        """Start to encode slice `k` and its neighbours outward, in the background, as far as the budget goes.

        An engine that answers in 3-D encodes nothing.
        """
        self.stop_ahead()
        if isinstance(self.engine, VolumeEngine):
            return
        self._ahead = _Ahead(self, k)

    def stop_ahead(self, wait: bool = True) -> None:
        """Stop the encoding in the background after its present slice; `wait` for that slice."""
        if self._ahead is not None:
            self._ahead.stop(wait)
            self._ahead = None

    @property
    def encodes_ahead(self) -> bool:
        """True while slices are being encoded in the background."""
        return not self.wait_ahead(timeout=0.0)

    def wait_ahead(self, timeout: float | None = None) -> bool:
        """Wait for the encoding in the background, up to `timeout` seconds; True if it has ended."""
        ahead = self._ahead  # another thread may stop it meanwhile
        return ahead is None or ahead.wait(timeout)


def _engine_cache(engine: AnyEngine) -> FeatureCache:
    """The cache of `engine`, shared by its sessions and kept as long as the engine."""
    if engine not in _caches:
        device = str(engine.device)
        _caches[engine] = FeatureCache(device=device, **(_ON_CPU if device == "cpu" else _ON_GPU))
    return _caches[engine]


_caches: WeakKeyDictionary[AnyEngine, FeatureCache] = WeakKeyDictionary()


class _Ahead:
    """A thread that encodes slices outward from slice `k`."""

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
                return  # the next use of this slice raises the same error, in a thread that can report it
            if not encodings.is_encoded(k):
                return  # the budget is full: more slices would push out nearer ones


def outward(k: int, count: int) -> list[int]:
    """The slices 0 … `count` − 1, the nearest to `k` first."""
    return sorted(range(count), key=lambda n: (abs(n - k), n))
