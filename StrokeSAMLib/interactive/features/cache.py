"""A cache of the features of encoded slices, within budgets of bytes."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable

from StrokeSAMLib.interactive.engines.base import Features
from StrokeSAMLib.interactive.features.disk_cache import DiskCache


class FeatureCache:
    """Features by key, shared by every segment, direction and correction.

    Past the device's budget the least recently used features move to the host. Past the host's budget they move to a
    temporary file. Past the budget of the file they are dropped, and encoded again when needed. On a CPU the device
    is the host. Thread-safe.
    """

    def __init__(self, budget: int = 1 << 30, host_budget: int = 0, device: str = "cpu", disk_budget: int = 0):
        """Create an empty cache.

        Args:
            budget: bytes kept on `device`.
            host_budget: bytes kept on the host, where `device` is not the CPU.
            device: device of the engine.
            disk_budget: bytes kept on disk.
        """
        self._device = device
        self._total = budget + (host_budget if device != "cpu" else 0)
        self._budgets = {device: budget}
        if device != "cpu":
            self._budgets["cpu"] = host_budget
        self._tiers: dict[str, OrderedDict[Hashable, Features]] = {name: OrderedDict() for name in self._budgets}
        self._disk = DiskCache(disk_budget)
        self._lock = threading.RLock()

    def get(self, key: Hashable) -> Features | None:
        """The features, on the device; None where they must be encoded."""
        with self._lock:
            for tier_device, tier in self._tiers.items():
                if key in tier:
                    features = tier.pop(key)
                    features = features if tier_device == self._device else features.to(self._device)
                    self.put(key, features)
                    return features
            features = self._disk.read(key)
            if features is not None:
                features = features if self._device == "cpu" else features.to(self._device)
                self.put(key, features)
            return features

    def put(self, key: Hashable, features: Features) -> None:
        """Keep `features`, which are on the device, as the most recently used."""
        with self._lock:
            self._tiers[self._device][key] = features
            self._shrink()

    def __contains__(self, key: Hashable) -> bool:
        with self._lock:
            return key in self._disk or any(key in tier for tier in self._tiers.values())

    @property
    def nbytes(self) -> int:
        """Bytes of the features in memory, on all devices."""
        with self._lock:
            return sum(features.nbytes for tier in self._tiers.values() for features in tier.values())

    def move_to_host(self) -> bool:
        """Move all features from the device to the host for good, where the device has no memory left.

        Returns:
            True if there were features on the device.
        """
        with self._lock:
            any_on_device = bool(self._tiers[self._device]) and self._device != "cpu"
            if any_on_device:
                self._budgets[self._device] = 0
                self._shrink()
            return any_on_device

    def use_cpu(self) -> None:
        """Drop the features in memory, and keep new ones on the host, within the budgets of the device and the host."""
        with self._lock:
            self._budgets = {"cpu": max(self._total, 1)}
            self._tiers = {"cpu": OrderedDict()}
            self._device = "cpu"

    @property
    def budget(self) -> int:
        """Bytes of memory that the cache may take, on all devices."""
        return self._total

    def _shrink(self) -> None:
        devices = list(self._tiers)
        for device, next_device in zip(devices, [*devices[1:], None], strict=True):
            tier = self._tiers[device]
            used = sum(features.nbytes for features in tier.values())
            while used > self._budgets[device] and tier:
                key, features = tier.popitem(last=False)
                used -= features.nbytes
                if next_device is not None and self._budgets[next_device] > 0:
                    self._tiers[next_device][key] = features.to(next_device)
                elif key not in self._disk:
                    self._disk.write(key, features.to("cpu"))
