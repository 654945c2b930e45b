"""Features of slices: made once, ahead, kept within a budget, and what is done where memory runs out."""

import threading

import numpy as np
import pytest
from bright import Seen, voxels

from StrokeSAMLib.errors import InputError
from StrokeSAMLib.interactive import Point, Session
from StrokeSAMLib.interactive.cache import FeatureCache
from StrokeSAMLib.interactive.encodings import Encodings, outward
from StrokeSAMLib.interactive.memory import in_words
from StrokeSAMLib.interactive.stack import stack_along_axis


class TestEncoding:
    def test_each_slice_once_for_all_segments(self, session, engine, box, at):
        session.add(box())
        session.propagate()
        other = session.sibling()
        other.add(Point(at(20, 20, 6)))
        other.propagate()
        assert len(engine.encoded) == len(set(engine.encoded))
        assert not (voxels(other) & ~voxels(session)).any()

    def test_ahead_outward_from_the_viewed_slice(self, session, engine):
        session.encodings.encode_ahead(4)
        assert session.encodings.wait_ahead(10)
        assert engine.encoded == [4, 3, 5, 2, 6, 1, 7, 0, 8, 9, 10, 11]

    def test_ahead_as_far_as_the_budget_goes(self, image, engine):
        encodings = Encodings(engine, stack_along_axis(image, 2), FeatureCache(budget=500))
        encodings.encode_ahead(4)
        assert encodings.wait_ahead(10)
        assert len(engine.encoded) == 6 and encodings.cache.nbytes == 500

    def test_ahead_can_be_stopped(self, session, engine):
        started, go = threading.Event(), threading.Event()
        encode = engine.encode

        def slow(pixels, spacing):
            started.set()
            assert go.wait(10)
            return encode(pixels, spacing)

        engine.encode = slow
        session.encodings.encode_ahead(4)
        assert started.wait(10)
        stopper = threading.Thread(target=session.encodings.stop_ahead)
        stopper.start()
        while not session.encodings._ahead or not session.encodings._ahead._stopped.is_set():
            pass
        go.set()
        stopper.join(10)
        assert engine.encoded == [4]

    def test_outward(self):
        assert outward(1, 4) == [1, 0, 2, 3]


class TestCache:
    def test_the_least_recently_used_goes(self):
        cache = FeatureCache(budget=250)
        for key in "ab":
            cache.put(key, Seen(None, "cpu"))
        cache.get("a")
        cache.put("c", Seen(None, "cpu"))
        assert "a" in cache and "c" in cache and "b" not in cache and cache.nbytes == 200

    def test_a_device_spills_to_the_host_and_takes_back(self):
        cache = FeatureCache(budget=250, host_budget=200, device="gpu")
        for key in "abcde":
            cache.put(key, Seen(key))
        assert "a" not in cache and all(key in cache for key in "bcde")
        found = cache.get("b")
        assert found.pixels == "b" and found.device == "gpu"
        assert cache.nbytes == 400

    def test_when_the_device_is_full_all_move_to_the_host(self):
        cache = FeatureCache(budget=1000, host_budget=1000, device="gpu")
        for key in "abc":
            cache.put(key, Seen(key))
        assert cache.spill()
        assert all(key in cache for key in "abc") and cache.get("a").device == "gpu"
        assert not cache.spill()

    def test_one_too_large_is_not_kept(self):
        cache = FeatureCache(budget=50)
        cache.put("a", Seen(None, "cpu"))
        assert "a" not in cache

    def test_past_the_memory_it_goes_to_disk_and_comes_back(self):
        cache = FeatureCache(budget=250, disk_budget=1 << 20)
        for key in "abcd":
            cache.put(key, Seen(np.full(1000, ord(key)), "cpu"))
        assert cache.nbytes == 200
        for key in "abcd":
            found = cache.get(key)
            assert (found.pixels == ord(key)).all() and found.device == "cpu"
        assert cache.nbytes == 200

    def test_from_the_device_to_disk_and_back(self):
        cache = FeatureCache(budget=150, device="gpu", disk_budget=1 << 20)
        for key in "ab":
            cache.put(key, Seen(key))
        assert cache.get("a").device == "gpu" and cache.get("a").pixels == "a"

    def test_a_full_disk_is_a_smaller_cache(self, monkeypatch):
        def full(**arguments):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("tempfile.TemporaryFile", full)
        cache = FeatureCache(budget=150, disk_budget=1 << 20)
        for key in "ab":
            cache.put(key, Seen(key, "cpu"))
        assert "a" not in cache and cache.get("a") is None and "b" in cache

    def test_no_more_on_disk_than_its_budget(self):
        cache = FeatureCache(budget=150, disk_budget=8_050)
        for key in "abc":
            cache.put(key, Seen(np.full(1000, ord(key)), "cpu"))  # 8,000 bytes each on disk
        assert "a" in cache and "b" not in cache and "c" in cache


class TestOutOfMemory:
    """The device has memory for so many answers; then for none, until the engine is on the CPU."""

    @pytest.fixture
    def encodings(self, image, engine):
        return Encodings(engine, stack_along_axis(image, 2))

    def propagated(self, encodings, box):
        session = Session.on(encodings)
        session.add(box())
        session.propagate()
        return session

    def test_features_move_to_the_host_first(self, encodings, engine, box):
        follow, full = engine.follow, [True]

        def once(*arguments):
            if full:
                full.clear()
                raise MemoryError("CUDA out of memory")
            return follow(*arguments)

        engine.follow = once
        assert voxels(self.propagated(encodings, box)).sum() == 6 * 500 and engine.device == "gpu"
        assert encodings.notes == ["the device's memory is full: features of slices moved to the host"]

    def test_then_all_goes_to_the_cpu(self, encodings, engine, box):
        follow = engine.follow

        def on_the_cpu(*arguments):
            if engine.device != "cpu":
                raise MemoryError("CUDA out of memory")
            return follow(*arguments)

        engine.follow = on_the_cpu
        assert voxels(self.propagated(encodings, box)).sum() == 6 * 500
        assert len(encodings.notes) == 2 and "on the CPU" in encodings.notes[1]

    def test_then_it_is_refused_and_the_session_is_as_it_was(self, encodings, engine, box, at):
        session = Session.on(encodings)
        session.add(box())
        before = voxels(session)

        def never(*arguments, **named):
            raise MemoryError("CUDA out of memory")

        engine.predict = never
        with pytest.raises(InputError, match="not enough memory for engine bright"):
            session.add(Point(at(20, 20, 6)))
        assert (voxels(session) == before).all() and len(session.prompts) == 1

    def test_the_need_is_told_before(self, encodings):
        assert encodings.memory_needed(2) == 1000 + 100 + 12 * 10 + 24 * (1 + 250) + 12 * 2000
        assert in_words(1_540_000_000) == "1.5 GB" and in_words(340_200_000) == "340 MB"
