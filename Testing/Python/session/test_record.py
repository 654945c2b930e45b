"""Undo, and the file that a session is rebuilt from."""

import threading

import numpy as np
import pytest
import SimpleITK as sitk
from bright import COUNT, voxels

from StrokeSAMLib.errors import Cancelled, InputError
from StrokeSAMLib.interactive import Mask, Point
from StrokeSAMLib.interactive.record import document, read_document, replay, write_document
from StrokeSAMLib.monitor import Monitor


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
            lambda made: made.update(window=[10**400, 10**401]),
            lambda made: made.update(volume="head"),
            lambda made: made.update(actions=3),
        ],
    )
    def test_a_document_that_cannot_be_followed(self, session, image, box, damage):
        session.add(box())
        made = document(session)
        damage(made)
        with pytest.raises(InputError, match="session: "):
            replay(made, image)

    @pytest.mark.parametrize("text", ["", "{", "[]", '{"actions": []}', "[" * 100_000, '{"a":' * 100_000])
    def test_a_file_that_is_no_session(self, tmp_path, text):
        path = tmp_path / "s.json"
        path.write_text(text)
        with pytest.raises(InputError, match=r"s\.json: not"):
            read_document(path)
