"""The store of checkpoints, and the import of files into it."""

import hashlib
import json
import os
import sys
import threading
import time
from dataclasses import replace

import pytest
from helpers import names

from StrokeSAMLib.core.errors import Cancelled, InputError
from StrokeSAMLib.core.monitor import Monitor
from StrokeSAMLib.imaging.nnunet_resampling import Fingerprint
from StrokeSAMLib.interactive.engines.registry import find_engine
from StrokeSAMLib.weights.catalogue import find_weights
from StrokeSAMLib.weights.importing import import_weights
from StrokeSAMLib.weights.store import FOLDER_VARIABLE, Store


class TestStore:
    def test_its_folder(self, store, monkeypatch, tmp_path):
        assert Store().folder == store.folder == tmp_path / "store"
        assert Store(tmp_path / "other").folder == tmp_path / "other"
        monkeypatch.delenv(FOLDER_VARIABLE)
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
        assert "strokesam" in Store().folder.parts and Store().folder.name == "weights"

    def test_without_a_folder_is_an_error(self, monkeypatch):
        monkeypatch.delenv(FOLDER_VARIABLE)
        monkeypatch.setitem(sys.modules, "platformdirs", None)
        with pytest.raises(InputError, match="no folder for weights: set STROKESAM_WEIGHTS, or install"):
            Store()
        assert find_engine("medsam").readiness() == "no: needs weights (strokesam weights import medsam FILE)"

    def test_imports_verifies_and_removes_a_checkpoint(self, store, swift):
        entry = find_weights("swift-medsam")
        assert import_weights(entry, swift, store, Monitor())
        assert store.path(entry.id).read_bytes() == swift.read_bytes()
        assert [each for each in store.entries() if not each.shipped] == [entry]
        assert store.verify(entry.id) == hashlib.sha256(swift.read_bytes()).hexdigest()
        store.remove(entry.id)
        assert all(each.shipped for each in store.entries()) and names(store) == []
        for action in (store.verify, store.remove):
            with pytest.raises(InputError, match=r"no weights swift-medsam in .*: strokesam weights import swift-meds"):
                action(entry.id)

    def test_plans_beside_a_checkpoint_come_and_go_with_it(self, store, tmp_path, monkeypatch):
        torch = pytest.importorskip("torch")
        from StrokeSAMLib.weights.fingerprint import read_fingerprints

        monkeypatch.setattr("StrokeSAMLib.weights.importing.check_weights", lambda *arguments: True)
        entry, file, plans = find_weights("aisct-sam"), tmp_path / "best.pth", tmp_path / "plans.json"
        torch.save({"network_weights": {"a": torch.zeros(1)}}, file)
        numbers = {"percentile_00_5": 5, "percentile_99_5": 55, "mean": 27, "std": 9}
        plans.write_text(json.dumps({"foreground_intensity_properties_per_channel": {"0": numbers}}))
        import_weights(entry, file, store, Monitor())
        expected = (Fingerprint(5, 55, 27, 9),)
        assert read_fingerprints(store.path(entry.id)) == expected
        import_weights(entry, store.path(entry.id), store, Monitor())
        assert read_fingerprints(store.path(entry.id)) == expected
        plans.write_text("{}")
        with pytest.raises(InputError, match=r"plans\.json: has no densities"):
            import_weights(entry, file, store, Monitor())
        assert read_fingerprints(store.path(entry.id)) == expected
        plans.unlink()
        import_weights(entry, file, store, Monitor())
        assert read_fingerprints(store.path(entry.id)) is None
        store.remove(entry.id)
        assert names(store) == []

    def test_plans_are_imported_only_for_a_network_that_needs_them(self, store, swift, tmp_path):
        (tmp_path / "plans.json").write_text("no plans")
        import_weights(find_weights("swift-medsam"), swift, store, Monitor())
        assert names(store) == ["swift-medsam.json", "swift-medsam.pt"]

    def test_weights_of_another_network_are_not_imported(self, store, swift):
        with pytest.raises(InputError, match=r"downloaded\.pth: weights of another network: of 435 keys \d+ missing"):
            import_weights(find_weights("lite-medsam"), swift, store, Monitor())
        assert names(store) == []

    def test_a_file_other_than_the_published_one_is_not_imported(self, store, swift):
        entry = replace(find_weights("swift-medsam"), sha256="0" * 64)
        with pytest.raises(InputError, match=r"swift-medsam: downloaded\.pth: not the published file: its SHA-256 is"):
            import_weights(entry, swift, store, Monitor())
        assert names(store) == []

    def test_keys_are_not_compared_for_a_network_that_strokesam_does_not_have(self, store, swift):
        assert not import_weights(find_weights("stardust"), swift, store, Monitor())
        assert store.find("stardust")

    def test_without_the_networks_packages_keys_are_not_compared(self, store, swift, monkeypatch):
        monkeypatch.setitem(sys.modules, "StrokeSAMLib.nets.models.sam2_model", None)
        assert not import_weights(find_weights("medsam2"), swift, store, Monitor())

    def test_without_torch_nothing_is_imported(self, store, swift, monkeypatch):
        monkeypatch.setitem(sys.modules, "StrokeSAMLib.weights.checkpoint", None)
        with pytest.raises(InputError, match=r"downloaded\.pth: reading a checkpoint needs the Python package torch"):
            import_weights(find_weights("swift-medsam"), swift, store, Monitor())
        assert not store.folder.exists()

    def test_a_cancelled_import_leaves_nothing(self, store, swift):
        cancel = threading.Event()
        monitor = Monitor(lambda fraction, text: cancel.set() if fraction > 0 else None, cancel)
        with pytest.raises(Cancelled):
            import_weights(find_weights("swift-medsam"), swift, store, monitor)
        assert names(store) == []

    def test_a_file_without_a_record_cannot_be_verified(self, store, swift):
        import_weights(find_weights("swift-medsam"), swift, store, Monitor())
        (store.folder / "swift-medsam.json").write_text("[]")
        with pytest.raises(InputError, match=r"swift-medsam\.json: no SHA-256 to compare swift-medsam with"):
            store.verify("swift-medsam")

    def test_a_folder_that_cannot_be_made_is_an_error(self, swift, tmp_path):
        store = Store(swift / "store")
        with pytest.raises(InputError, match=r"downloaded\.pth/store: cannot keep weights there: Not a directory"):
            import_weights(find_weights("swift-medsam"), swift, store, Monitor())
        assert store.find("swift-medsam") is None

    def test_a_read_only_folder_is_an_error(self, store, swift):
        if os.geteuid() == 0:
            pytest.skip("root may write anywhere")
        store.folder.mkdir(mode=0o500)
        with pytest.raises(InputError, match="cannot write there: Permission denied"):
            import_weights(find_weights("swift-medsam"), swift, store, Monitor())

    def test_files_of_killed_processes_are_deleted_after_a_day(self, store, swift):
        store.folder.mkdir()
        old, new = store.folder / ".strokesam-old.pt", store.folder / ".strokesam-new.pt"
        for path in (old, new):
            path.write_bytes(b"half")
        os.utime(old, (time.time() - 90_000,) * 2)
        import_weights(find_weights("swift-medsam"), swift, store, Monitor())
        assert not old.exists() and new.exists()
