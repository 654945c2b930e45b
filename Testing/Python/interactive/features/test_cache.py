"""The cache of features within budgets of the device, the host and the disk."""

import numpy as np
from bright import SliceFeatures

from StrokeSAMLib.interactive.features.cache import FeatureCache


def test_the_least_recently_used_features_are_dropped():
    cache = FeatureCache(budget=250)
    for key in "ab":
        cache.put(key, SliceFeatures(None, "cpu"))
    cache.get("a")
    cache.put("c", SliceFeatures(None, "cpu"))
    assert "a" in cache and "c" in cache and "b" not in cache and cache.nbytes == 200


def test_features_past_the_devices_budget_move_to_the_host_and_back():
    cache = FeatureCache(budget=250, host_budget=200, device="gpu")
    for key in "abcde":
        cache.put(key, SliceFeatures(key))
    assert "a" not in cache and all(key in cache for key in "bcde")
    features = cache.get("b")
    assert features.pixels == "b" and features.device == "gpu"
    assert cache.nbytes == 400


def test_a_full_device_moves_all_features_to_the_host():
    cache = FeatureCache(budget=1000, host_budget=1000, device="gpu")
    for key in "abc":
        cache.put(key, SliceFeatures(key))
    assert cache.move_to_host()
    assert all(key in cache for key in "abc") and cache.get("a").device == "gpu"
    assert not cache.move_to_host()


def test_features_larger_than_the_budget_are_not_kept():
    cache = FeatureCache(budget=50)
    cache.put("a", SliceFeatures(None, "cpu"))
    assert "a" not in cache


def test_features_past_the_memory_budget_move_to_disk_and_back():
    cache = FeatureCache(budget=250, disk_budget=1 << 20)
    for key in "abcd":
        cache.put(key, SliceFeatures(np.full(1000, ord(key)), "cpu"))
    assert cache.nbytes == 200
    for key in "abcd":
        features = cache.get(key)
        assert (features.pixels == ord(key)).all() and features.device == "cpu"
    assert cache.nbytes == 200


def test_features_of_a_device_move_to_disk_and_back():
    cache = FeatureCache(budget=150, device="gpu", disk_budget=1 << 20)
    for key in "ab":
        cache.put(key, SliceFeatures(key))
    assert cache.get("a").device == "gpu" and cache.get("a").pixels == "a"


def test_a_full_disk_leaves_the_cache_in_memory(monkeypatch):
    def full(**arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tempfile.TemporaryFile", full)
    cache = FeatureCache(budget=150, disk_budget=1 << 20)
    for key in "ab":
        cache.put(key, SliceFeatures(key, "cpu"))
    assert "a" not in cache and cache.get("a") is None and "b" in cache


def test_the_disk_holds_no_more_than_its_budget():
    cache = FeatureCache(budget=150, disk_budget=8_050)
    for key in "abc":
        cache.put(key, SliceFeatures(np.full(1000, ord(key)), "cpu"))  # 8,000 bytes each on disk
    assert "a" in cache and "b" not in cache and "c" in cache
