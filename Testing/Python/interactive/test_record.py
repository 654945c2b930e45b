"""The document of a session, and the replay from it."""

import threading

import numpy as np
import pytest
import SimpleITK as sitk
from bright import COUNT, voxels

from StrokeSAMLib.core.errors import Cancelled, InputError
from StrokeSAMLib.core.monitor import Monitor
from StrokeSAMLib.interactive import Mask, Point
from StrokeSAMLib.interactive.record import read_document, replay, to_document, write_document


class TestReplay:
    def run_actions(self, session, box, at):
        """Add, change, undo and propagate."""
        session.add(box())
        number = session.add(Point(at(30, 25, 5), positive=False))
        session.propagate(last=7)
        session.add(Point(at(20, 20, 7), positive=False))
        session.change(number, Point(at(31, 25, 5), positive=False))
        session.add(Point(at(30, 20, 6), positive=False))
        session.undo()
        session.propagate(direction="up")

    @pytest.fixture(autouse=True)
    def registered(self, monkeypatch, engine):
        monkeypatch.setattr("StrokeSAMLib.interactive.record.load_engine", lambda *arguments: engine)

    def test_a_replay_is_identical(self, session, image, box, at, tmp_path):
        self.run_actions(session, box, at)
        write_document(to_document(session), tmp_path / "session.json")
        again = replay(read_document(tmp_path / "session.json"), image)
        assert (voxels(again) == voxels(session)).all()
        assert to_document(again) == to_document(session)
        again.undo()
        assert again.add(Point(at(30, 20, 6))) == max(session.prompts) + 1

    def test_a_replay_of_a_cancelled_propagation_is_identical(self, session, image, box):
        session.add(box())
        cancel = threading.Event()
        with pytest.raises(Cancelled):
            session.propagate(monitor=Monitor(cancel=cancel), on_slice=lambda k, mask: k == 7 and cancel.set())
        again = replay(to_document(session), image)
        assert (voxels(again) == voxels(session)).all() and voxels(again)[:, 20, 20].sum() == 4

    def test_a_replay_restores_masks(self, session, image, box):
        array = np.zeros((COUNT, 40, 50), np.uint8)
        array[4:6, 12:20, 16:30] = 1
        mask = sitk.GetImageFromArray(array)
        mask.CopyInformation(image)
        session.add(Mask(mask))
        array[4] = 0
        excluded = sitk.GetImageFromArray(array)
        excluded.CopyInformation(image)
        session.add(Mask(excluded, positive=False))
        again = replay(to_document(session), image)
        assert (voxels(again) == voxels(session)).all()
        assert voxels(again)[4].sum() == 8 * 14 and voxels(again).sum() == 8 * 14

    def test_another_volume_is_refused(self, session, image, box):
        session.add(box())
        document = to_document(session)
        other = sitk.Image(image)
        other[3, 3, 3] = 99
        with pytest.raises(
            InputError, match=rf"hash is [0-9a-f]{{64}}, the session's is {document['volume']['sha256']}"
        ):
            replay(document, other)

    def test_a_moved_volume_is_refused(self, session, image):
        moved = sitk.Image(image)
        moved.SetOrigin((0, 0, 0))
        with pytest.raises(InputError, match="not the volume of the session"):
            replay(to_document(session), moved)

    @pytest.mark.parametrize(
        "damage",
        [
            lambda document: document["actions"].append({"do": "dance"}),
            lambda document: document["actions"].append({"do": "add", "number": 9}),
            lambda document: document["actions"].append({"do": "propagate", "plan": {"speed": 3}, "visited": 2}),
            lambda document: document.update(window=[3]),
            lambda document: document.update(plane={"tilt": 1}),
            lambda document: document.update(window=[10**400, 10**401]),
            lambda document: document.update(volume="head"),
            lambda document: document.update(actions=3),
        ],
    )
    def test_a_damaged_document_is_refused(self, session, image, box, damage):
        session.add(box())
        document = to_document(session)
        damage(document)
        with pytest.raises(InputError, match="session: "):
            replay(document, image)

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            ("", "not JSON"),
            ("{", "not JSON"),
            ("[]", "not a session"),
            ('{"actions": []}', "not a session"),
            ("[" * 100_000, "cannot be read: its JSON is nested too deeply"),
            ('{"a":' * 100_000, "cannot be read: its JSON is nested too deeply"),
        ],
    )
    def test_a_file_without_a_session_is_refused(self, tmp_path, text, reason):
        path = tmp_path / "s.json"
        path.write_text(text)
        with pytest.raises(InputError, match=rf"s\.json: {reason}"):
            read_document(path)
