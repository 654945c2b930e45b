"""Sessions: prompts, masks, propagation, undo, replay; with a small engine that counts what it is asked."""

import threading

import numpy as np
import pytest
import SimpleITK as sitk

from StrokeSAMLib.errors import Cancelled, InputError, OptionError
from StrokeSAMLib.interactive import Box, Mask, Plan, Point, Session
from StrokeSAMLib.interactive.cache import FeatureCache
from StrokeSAMLib.interactive.encodings import Encodings, outward
from StrokeSAMLib.interactive.memory import Footprint, in_words
from StrokeSAMLib.interactive.record import document, read_document, replay, write_document
from StrokeSAMLib.interactive.stack import stack_along_axis
from StrokeSAMLib.monitor import Monitor

COUNT = 12
OBJECT = slice(3, 9)


class Seen:
    """Features: the slice, and a size to be counted."""

    def __init__(self, pixels, device="gpu"):
        self.pixels, self.device, self.nbytes = pixels, device, 100

    def to(self, device):
        return Seen(self.pixels, device)


class Found:
    def __init__(self, array):
        self._array = array

    def mask(self, shape):
        return self._array


class Bright:
    """An engine: what is bright in the box or near the positive points, less what is near the negative ones."""

    id = "bright"
    accepts = frozenset({"point", "box", "mask"})
    tracks = False

    def __init__(self):
        self.encoded = []
        self.predicted = 0
        self.device = "gpu"

    def encode(self, pixels, spacing):
        self.encoded.append(int(pixels[0, 0]))
        return Seen(pixels)

    def predict(self, features, prompts, prior=None, context=None):
        self.predicted += 1
        y, x = np.indices(features.pixels.shape)
        found = np.zeros(features.pixels.shape, bool) if prior is None else prior.mask(None).copy()
        if prompts.mask is not None and not len(prompts.points):
            return Found(prompts.mask)
        if prompts.box is not None and prior is None:
            x0, y0, x1, y1 = prompts.box
            found |= (x >= x0) & (x <= x1) & (y >= y0) & (y <= y1) & (features.pixels > 100)
        for (px, py), label in zip(prompts.points, prompts.labels, strict=True):
            near = np.hypot(x - px, y - py) < 4
            found = found | near if label else found & ~near
        return Found(found)

    def follow(self, features, neighbour, shape):
        return Found(neighbour.mask(shape) & (features.pixels > 100))

    def footprint(self):
        return Footprint(1000, 100, 10, 1)

    def use_cpu(self):
        moved, self.device = self.device != "cpu", "cpu"
        return moved

    def describe(self):
        return {}


@pytest.fixture
def image():
    volume = np.full((COUNT, 40, 50), 20, np.uint8)
    volume[OBJECT, 10:30, 15:40] = 200
    volume[:, 0, 0] = np.arange(COUNT)
    made = sitk.GetImageFromArray(volume)
    made.SetSpacing((1.0, 1.0, 4.0))
    made.SetOrigin((-20.0, 5.0, 30.0))
    return made


@pytest.fixture
def engine():
    return Bright()


@pytest.fixture
def session(image, engine):
    return Session.on(Encodings(engine, stack_along_axis(image, 2)))


@pytest.fixture
def at(image):
    def position(column, row, k):
        return image.TransformContinuousIndexToPhysicalPoint([float(column), float(row), float(k)])

    return position


@pytest.fixture
def box(at):
    return lambda k=5, last=None: Box(at(14, 9, k), at(41, 31, k if last is None else last))


def voxels(session):
    return sitk.GetArrayFromImage(session.mask()) > 0


class TestPrompts:
    def test_a_box_gives_the_mask_of_its_slice(self, session, box):
        session.add(box())
        assert session.slice_mask(5)[10:30, 15:40].all() and session.slice_mask(5).sum() == 500
        assert not session.slice_mask(4).any()

    def test_points_on_several_slices(self, session, at):
        session.add(Point(at(20, 20, 4)))
        session.add(Point(at(30, 20, 7)))
        assert session.slices_with_prompts() == [4, 7] and session.slice_mask(7)[20, 30]

    def test_a_click_costs_one_answer_and_no_encoding(self, session, engine, box, at):
        session.add(box())
        session.add(Point(at(20, 20, 5), positive=False))
        assert engine.predicted == 2 and engine.encoded == [5]

    def test_change_and_remove(self, session, box, at):
        session.add(box())
        number = session.add(Point(at(20, 20, 5), positive=False))
        assert not session.slice_mask(5)[20, 20]
        session.change(number, Point(at(30, 20, 5), positive=False))
        assert session.slice_mask(5)[20, 20] and not session.slice_mask(5)[20, 30]
        session.remove(number)
        assert session.slice_mask(5).sum() == 500 and len(session.prompts) == 1

    def test_moved_to_another_slice(self, session, box):
        number = session.add(box(5))
        session.change(number, box(6))
        assert session.slices_with_prompts() == [6] and not session.slice_mask(5).any()

    def test_no_such_prompt(self, session):
        with pytest.raises(OptionError, match="no prompt 7"):
            session.remove(7)

    def test_a_mask_is_a_start(self, session, image):
        array = np.zeros((COUNT, 40, 50), np.uint8)
        array[4:6, 12:20, 16:30] = 1
        mask = sitk.GetImageFromArray(array)
        mask.CopyInformation(image)
        session.add(Mask(mask))
        assert session.slices_with_prompts() == [4, 5]
        session.propagate()
        assert (voxels(session) == (array[4] > 0) & np.isin(np.arange(COUNT), range(3, 9))[:, None, None]).all()

    def test_a_negative_mask_is_where_the_object_is_not(self, session, image, box):
        array = np.zeros((COUNT, 40, 50), np.uint8)
        array[:, :, :25] = 1
        mask = sitk.GetImageFromArray(array)
        mask.CopyInformation(image)
        session.add(Mask(mask, positive=False))
        session.add(box())
        session.propagate()
        found = voxels(session)
        assert found[OBJECT, 10:30, 25:40].all() and not found[:, :, :25].any()

    def test_a_box_across_slices_prompts_the_middle_and_tells_the_span(self, session, box):
        session.add(box(3, 8))
        assert session.slices_with_prompts() == [5] and session.span() == (3, 8)


class TestBadPrompts:
    def refused(self, session, prompt, reason):
        before = session.actions()
        with pytest.raises(InputError, match=reason):
            session.add(prompt)
        assert session.actions() == before

    def test_a_point_outside_the_volume(self, session, at):
        self.refused(session, Point(at(20, 20, COUNT)), r"point \(.*\) LPS mm lies outside the volume")

    def test_a_box_outside_the_volume(self, session, at):
        self.refused(session, Box(at(100, 9, 5), at(120, 31, 5)), "lies outside the volume")

    def test_a_box_of_no_area(self, session, at):
        self.refused(session, Box(at(14, 9, 5), at(14, 31, 5)), "no area")

    def test_a_second_box_on_a_slice(self, session, box):
        session.add(box())
        self.refused(session, box(), "slice 5 has a box already")

    def test_only_negative_points(self, session, at):
        self.refused(session, Point(at(20, 20, 5), positive=False), "only negative points")

    def test_contradictory_points(self, session, at):
        session.add(Point(at(20, 20, 5)))
        self.refused(session, Point(at(20, 20, 5), positive=False), "contradicts")

    def test_an_empty_mask(self, session, image):
        self.refused(session, Mask(image * 0), "holds nothing")

    def test_a_prompt_that_the_engine_does_not_take(self, session, at, engine):
        engine.accepts = frozenset({"box"})
        for positive in (True, False):
            with pytest.raises(OptionError, match="engine bright takes no point, only box"):
                session.add(Point(at(20, 20, 5), positive))

    def test_a_box_is_cut_at_the_volumes_edge(self, session, at):
        session.add(Box(at(-30, -30, 5), at(30, 20, 5)))
        assert session.slice_mask(5)[10:21, 15:31].all()


class TestPropagation:
    def test_through_the_object_and_not_beyond(self, session, box):
        session.add(box())
        session.propagate()
        found = voxels(session)
        assert found[OBJECT, 10:30, 15:40].all() and found.sum() == 6 * 500

    def test_outward_both_ways_in_turn(self, session, box):
        session.add(box())
        seen = []
        session.propagate(seen=lambda k, mask: seen.append((k, bool(mask.any()))))
        assert [k for k, _ in seen] == [6, 4, 7, 3, 8, 2, 9, 1, 10]
        assert [k for k, there in seen if there] == [6, 4, 7, 3, 8]

    @pytest.mark.parametrize(("direction", "reached"), [("up", {5, 6, 7, 8}), ("down", {3, 4, 5})])
    def test_one_way(self, session, box, direction, reached):
        session.add(box())
        session.propagate(direction=direction)
        assert set(np.flatnonzero(voxels(session).any(axis=(1, 2)))) == reached

    def test_within_a_range(self, session, box):
        session.add(box())
        session.propagate(first=4, last=6)
        assert set(np.flatnonzero(voxels(session).any(axis=(1, 2)))) == {4, 5, 6}

    def test_it_stops_after_empty_slices(self, session, engine, box):
        session.add(box())
        session.propagate(stop_after=1)
        assert set(engine.encoded) == set(range(2, 10))

    def test_it_need_not_stop(self, session, engine, box):
        session.add(box())
        session.propagate(stop_after=0)
        assert set(engine.encoded) == set(range(COUNT))

    def test_prompted_slices_are_passed_and_kept(self, session, box, at):
        session.add(box(4))
        session.add(Point(at(20, 20, 7)))
        session.propagate()
        assert session.slice_mask(7).sum() < 100 and session.slice_mask(8).sum() < 100
        assert session.slice_mask(6).sum() == 500

    def test_without_prompts(self, session):
        with pytest.raises(InputError, match="no slice in the range has a prompt"):
            session.propagate()

    def test_prompts_outside_the_range(self, session, box):
        session.add(box())
        with pytest.raises(InputError, match="no slice in the range"):
            session.propagate(first=7)

    @pytest.mark.parametrize(
        ("settings", "reason"),
        [
            ({"direction": "left"}, "direction is 'left'"),
            ({"policy": "magic"}, "propagation is 'magic'"),
            ({"first": 9, "last": 3}, "slices 9 to 3"),
            ({"last": COUNT}, "has slices 0 to 11"),
            ({"stop_after": -1}, "stop_after is -1"),
            ({"policy": "memory"}, "engine bright has no memory"),
        ],
    )
    def test_settings_that_make_no_sense(self, session, box, settings, reason):
        session.add(box())
        with pytest.raises(OptionError, match=reason):
            session.propagate(**settings)

    def test_a_cancelled_one_keeps_what_it_has(self, session, box):
        session.add(box())
        cancel = threading.Event()
        with pytest.raises(Cancelled):
            session.propagate(monitor=Monitor(cancel=cancel), seen=lambda k, mask: k == 4 and cancel.set())
        assert set(np.flatnonzero(voxels(session).any(axis=(1, 2)))) == {4, 5, 6}

    def test_a_one_slice_volume(self, engine):
        image = sitk.GetImageFromArray(np.full((1, 20, 20), 200, np.uint8))
        session = Session.on(Encodings(engine, stack_along_axis(image, 2)))
        session.add(Box((2, 2, 0), (10, 10, 0)))
        assert session.propagate() == 0 and voxels(session).sum() == 81

    def test_two_thousand_slices(self, engine):
        volume = np.full((2000, 16, 16), 20, np.uint8)
        volume[:, 4:12, 4:12] = 200
        session = Session.on(Encodings(engine, stack_along_axis(sitk.GetImageFromArray(volume), 2)))
        session.add(Box((3, 3, 700), (12, 12, 700)))
        session.propagate()
        assert (voxels(session) == (volume > 100)).all()


class TestCorrections:
    def test_a_correction_starts_from_what_was_tracked(self, session, box, at):
        session.add(box())
        session.propagate()
        session.add(Point(at(20, 20, 7), positive=False))
        assert not session.slice_mask(7)[20, 20] and session.slice_mask(7).sum() > 400

    def test_it_changes_the_next_propagation(self, session, box, at):
        session.add(box())
        session.propagate()
        session.add(Point(at(20, 20, 7), positive=False))
        session.propagate()
        assert not session.slice_mask(8)[20, 20]

    def test_only_what_changes_is_done_again(self, session, box, at):
        session.add(box(3))
        session.propagate(stop_after=0)
        session.add(Point(at(20, 20, 3)))
        seen = []
        session.propagate(stop_after=0, seen=lambda k, mask: seen.append(k))
        assert sorted(seen) == [0, 1, 2, 4, 5, 6]
        session.propagate(resume=False, seen=lambda k, mask: seen.append(k))
        assert voxels(session)[OBJECT, 10:30, 15:40].all()

    def test_what_lay_beyond_a_slice_where_the_object_ends_goes(self, engine):
        volume = np.full((COUNT, 40, 50), 20, np.uint8)
        volume[:, 10:14, 15:19] = 200
        session = Session.on(Encodings(engine, stack_along_axis(sitk.GetImageFromArray(volume), 2)))
        session.add(Box((14.0, 9.0, 2.0), (20.0, 15.0, 2.0)))
        session.propagate()
        assert voxels(session).any(axis=(1, 2)).all()
        session.add(Point((16.5, 11.5, 6.0), positive=False))
        session.propagate()
        assert np.flatnonzero(voxels(session).any(axis=(1, 2))).tolist() == [0, 1, 2, 3, 4, 5]

    def test_a_removed_prompt_starts_all_over(self, session, box, at):
        session.add(box())
        number = session.add(Point(at(20, 20, 7)))
        session.propagate()
        assert session.slice_mask(8).sum() < 100
        session.remove(number)
        session.propagate()
        assert session.slice_mask(8).sum() == 500


class TestUndo:
    def test_each_action(self, session, box, at):
        session.add(box())
        session.propagate()
        session.add(Point(at(20, 20, 7), positive=False))
        states = [voxels(session).sum()]
        while session.undo():
            states.append(voxels(session).sum())
        assert states[1:] == [3000, 500, 0]
        while session.redo():
            pass
        assert voxels(session).sum() == states[0] and not session.can_redo

    def test_a_new_action_ends_what_could_be_redone(self, session, box, at):
        session.add(box())
        session.undo()
        session.add(Point(at(20, 20, 7)))
        assert not session.redo()


class TestFiles:
    def full(self, session, box, at):
        session.add(box())
        number = session.add(Point(at(30, 25, 5), positive=False))
        session.propagate(last=7)
        session.add(Point(at(20, 20, 7), positive=False))
        session.change(number, Point(at(31, 25, 5), positive=False))
        session.add(Point(at(30, 20, 6), positive=False))
        session.undo()
        session.propagate(direction="up")

    @pytest.fixture(autouse=True)
    def known(self, monkeypatch, engine):
        monkeypatch.setattr("StrokeSAMLib.interactive.record.load_engine", lambda *arguments: engine)

    def test_a_replay_is_identical(self, session, image, box, at, tmp_path):
        self.full(session, box, at)
        write_document(document(session), tmp_path / "session.json")
        again = replay(read_document(tmp_path / "session.json"), image)
        assert (voxels(again) == voxels(session)).all()
        assert document(again) == document(session)
        again.undo()
        assert again.add(Point(at(30, 20, 6))) == max(session.prompts) + 1

    def test_of_a_cancelled_propagation_too(self, session, image, box):
        session.add(box())
        cancel = threading.Event()
        with pytest.raises(Cancelled):
            session.propagate(monitor=Monitor(cancel=cancel), seen=lambda k, mask: k == 7 and cancel.set())
        again = replay(document(session), image)
        assert (voxels(again) == voxels(session)).all() and voxels(again)[:, 20, 20].sum() == 4

    def test_masks_are_in_the_file(self, session, image, box):
        array = np.zeros((COUNT, 40, 50), np.uint8)
        array[4:6, 12:20, 16:30] = 1
        mask = sitk.GetImageFromArray(array)
        mask.CopyInformation(image)
        session.add(Mask(mask))
        array[4] = 0
        excluded = sitk.GetImageFromArray(array)
        excluded.CopyInformation(image)
        session.add(Mask(excluded, positive=False))
        again = replay(document(session), image)
        assert (voxels(again) == voxels(session)).all()
        assert voxels(again)[4].sum() == 8 * 14 and voxels(again).sum() == 8 * 14

    def test_another_volume(self, session, image, box):
        session.add(box())
        made = document(session)
        other = sitk.Image(image)
        other[3, 3, 3] = 99
        with pytest.raises(InputError, match=rf"hash is [0-9a-f]{{64}}, the session's is {made['volume']['sha256']}"):
            replay(made, other)

    def test_a_moved_volume(self, session, image):
        moved = sitk.Image(image)
        moved.SetOrigin((0, 0, 0))
        with pytest.raises(InputError, match="not the one of the session"):
            replay(document(session), moved)

    @pytest.mark.parametrize(
        "damage",
        [
            lambda made: made["actions"].append({"do": "dance"}),
            lambda made: made["actions"].append({"do": "add", "number": 9}),
            lambda made: made["actions"].append({"do": "propagate", "plan": {"speed": 3}, "visited": 2}),
            lambda made: made.update(window=[3]),
            lambda made: made.update(plane={"tilt": 1}),
        ],
    )
    def test_a_document_that_cannot_be_followed(self, session, image, box, damage):
        session.add(box())
        made = document(session)
        damage(made)
        with pytest.raises(InputError, match="session: "):
            replay(made, image)

    @pytest.mark.parametrize("text", ["", "{", "[]", '{"actions": []}'])
    def test_a_file_that_is_no_session(self, tmp_path, text):
        path = tmp_path / "s.json"
        path.write_text(text)
        with pytest.raises(InputError, match=r"s\.json: not"):
            read_document(path)


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

    def test_features_move_to_the_host_first(self, encodings, engine, box):
        follow, full = engine.follow, [True]

        def once(*arguments):
            if full:
                full.clear()
                raise MemoryError("CUDA out of memory")
            return follow(*arguments)

        engine.follow = once
        session = Session.on(encodings)
        session.add(box())
        session.propagate()
        assert voxels(session).sum() == 6 * 500 and engine.device == "gpu"
        assert encodings.notes == ["the device's memory is full: features of slices moved to the host"]

    def test_then_all_goes_to_the_cpu(self, encodings, engine, box):
        follow = engine.follow

        def on_the_cpu(*arguments):
            if engine.device != "cpu":
                raise MemoryError("CUDA out of memory")
            return follow(*arguments)

        engine.follow = on_the_cpu
        session = Session.on(encodings)
        session.add(box())
        session.propagate()
        assert voxels(session).sum() == 6 * 500
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


def test_a_plan_as_json():
    plan = Plan("up", "box", 2, 9, 3, False)
    assert Plan(**plan.to_json()) == plan
