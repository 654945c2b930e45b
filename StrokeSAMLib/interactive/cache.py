"""Features of encoded slices, within a budget of bytes."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable

from StrokeSAMLib.interactive.engines.base import Features
from StrokeSAMLib.interactive.spill import SpillFile


class FeatureCache:
    """Encode once: features by key, for every segment, direction and correction.

    Past the budget of the device the least recently used move to the host; past the host's budget to a temporary
    file; past that one's they go, and are encoded again when they are asked for. On a CPU the device is the host.
    Safe from several threads.
    """

    def __init__(self, budget: int = 1 << 30, host_budget: int = 0, device: str = "cpu", disk_budget: int = 0):
        """Bytes kept on `device`, then on the host, then on disk."""
        self._device = device
        self._total = budget + (host_budget if device != "cpu" else 0)
        self._budgets = {device: budget}
        if device != "cpu":
            self._budgets["cpu"] = host_budget
        self._tiers: dict[str, OrderedDict[Hashable, Features]] = {name: OrderedDict() for name in self._budgets}
        self._disk = SpillFile(disk_budget)
        self._lock = threading.RLock()

    def get(self, key: Hashable) -> Features | None:
        """The features, on the device; None where they have to be made."""
        with self._lock:
            for place, tier in self._tiers.items():
                if key in tier:
                    features = tier.pop(key)
                    features = features if place == self._device else features.to(self._device)
                    self.put(key, features)
                    return features
            features = self._disk.read(key)
            if features is not None:
                features = features if self._device == "cpu" else features.to(self._device)
                self.put(key, features)
            return features

    def put(self, key: Hashable, features: Features) -> None:
        """Keep `features`, as the most recently used."""
        with self._lock:
            self._tiers[self._device][key] = features
            self._shrink()

    def __contains__(self, key: Hashable) -> bool:
        with self._lock:
            return key in self._disk or any(key in tier for tier in self._tiers.values())

    @property
    def nbytes(self) -> int:
        """What is kept in memory, on all devices."""
        with self._lock:
            return sum(features.nbytes for tier in self._tiers.values() for features in tier.values())

    def spill(self) -> bool:
        """Move all from the device to the host, for good: its memory has run out. Whether there was any to move."""
        with self._lock:
            held = bool(self._tiers[self._device]) and self._device != "cpu"
            if held:
                self._budgets[self._device] = 0
                self._shrink()
            return held

    def use_cpu(self) -> None:
        """From now on everything is on the host, in what was its budget and the device's."""
        with self._lock:
            self._budgets = {"cpu": max(self._total, 1)}
            self._tiers = {"cpu": OrderedDict()}
            self._device = "cpu"

    @property
    def budget(self) -> int:
        """Bytes of memory that it may take, on all devices."""
        return self._total

    def _shrink(self) -> None:
        places = list(self._tiers)
        for place, below in zip(places, [*places[1:], None], strict=True):
            tier = self._tiers[place]
            used = sum(features.nbytes for features in tier.values())
            while used > self._budgets[place] and tier:
                key, features = tier.popitem(last=False)
                used -= features.nbytes
                if below is not None and self._budgets[below] > 0:
                    self._tiers[below][key] = features.to(below)
                elif key not in self._disk:
                    self._disk.write(key, features.to("cpu"))
