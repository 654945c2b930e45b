"""Encoding of slices: once for all segments, ahead in the background, and on a device without memory."""

import threading

import pytest
from bright import voxels

from StrokeSAMLib.core.errors import InputError
from StrokeSAMLib.core.memory import memory_text
from StrokeSAMLib.interactive import Point, Session
from StrokeSAMLib.interactive.features.cache import FeatureCache
from StrokeSAMLib.interactive.features.encodings import Encodings, outward
from StrokeSAMLib.interactive.slice_stack import stack_along_axis


class TestEncoding:
    def test_each_slice_is_encoded_once_for_all_segments(self, session, engine, box, at):
        session.add(box())
        session.propagate()
        other = session.sibling()
        other.add(Point(at(20, 20, 6)))
        other.propagate()
        assert len(engine.encoded) == len(set(engine.encoded))
        assert not (voxels(other) & ~voxels(session)).any()

    def test_encoding_ahead_goes_outward_from_the_viewed_slice(self, session, engine):
        session.encodings.encode_ahead(4)
        assert session.encodings.wait_ahead(10)
        assert engine.encoded == [4, 3, 5, 2, 6, 1, 7, 0, 8, 9, 10, 11]

    def test_encoding_ahead_ends_where_the_budget_is_full(self, image, engine):
        encodings = Encodings(engine, stack_along_axis(image, 2), FeatureCache(budget=500))
        encodings.encode_ahead(4)
        assert encodings.wait_ahead(10)
        assert len(engine.encoded) == 6 and encodings.cache.nbytes == 500

    def test_encoding_ahead_stops_after_its_present_slice(self, session, engine):
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

    def test_outward_orders_slices_by_distance(self):
        assert outward(1, 4) == [1, 0, 2, 3]


class TestOutOfMemory:
    """A device without memory for a prediction: features move to the host, then the engine to the CPU."""

    @pytest.fixture
    def encodings(self, image, engine):
        return Encodings(engine, stack_along_axis(image, 2))

    def propagate(self, encodings, box):
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
        assert voxels(self.propagate(encodings, box)).sum() == 6 * 500 and engine.device == "gpu"
        assert encodings.notes == ["the device's memory is full: features of slices moved to the host"]

    def test_then_the_engine_moves_to_the_cpu(self, encodings, engine, box):
        follow = engine.follow

        def on_the_cpu(*arguments):
            if engine.device != "cpu":
                raise MemoryError("CUDA out of memory")
            return follow(*arguments)

        engine.follow = on_the_cpu
        assert voxels(self.propagate(encodings, box)).sum() == 6 * 500
        assert len(encodings.notes) == 2 and "on the CPU" in encodings.notes[1]

    def test_without_memory_on_the_cpu_a_prompt_is_refused_and_the_session_stays(self, encodings, engine, box, at):
        session = Session.on(encodings)
        session.add(box())
        before = voxels(session)

        def never(*arguments, **named):
            raise MemoryError("CUDA out of memory")

        engine.predict = never
        with pytest.raises(InputError, match="not enough memory for engine bright"):
            session.add(Point(at(20, 20, 6)))
        assert (voxels(session) == before).all() and len(session.prompts) == 1

    def test_the_memory_needed_is_known_before(self, encodings):
        assert encodings.memory_needed(2) == 1000 + 100 + 12 * 10 + 24 * (1 + 250) + 12 * 2000
        assert memory_text(1_540_000_000) == "1.5 GB" and memory_text(340_200_000) == "340 MB"
