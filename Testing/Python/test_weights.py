"""Checkpoints: the catalogue, the store, and the engines that find theirs there."""

import hashlib
import json
import os
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest
from helpers import names

from StrokeSAMLib.errors import Cancelled, InputError, OptionError
from StrokeSAMLib.imaging.nnunet import Fingerprint
from StrokeSAMLib.interactive.engines.registry import ENGINES, find_engine, load_engine
from StrokeSAMLib.lesion.registry import METHODS
from StrokeSAMLib.monitor import Monitor
from StrokeSAMLib.weights import architectures, catalogue
from StrokeSAMLib.weights.catalogue import find_weights
from StrokeSAMLib.weights.importing import import_weights
from StrokeSAMLib.weights.store import VARIABLE, Store


class TestCatalogue:
    def test_is_as_its_schema_says(self):
        document = json.loads(catalogue._resource("catalogue.json"))
        jsonschema.Draft202012Validator.check_schema(catalogue.schema())
        jsonschema.validate(document, catalogue.schema())
        ids = [row["id"] for row in document["weights"]]
        assert len(ids) == len(set(ids))

    @pytest.mark.parametrize("change", [{"sha256": "abc"}, {"url": None}, {"licence": ""}, {"url": "http://x/y.pt"}])
    def test_its_schema_refuses_what_is_wrong(self, change):
        document = json.loads(catalogue._resource("catalogue.json"))
        document["weights"][0] |= change
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(document, catalogue.schema())

    def test_has_the_weights_of_every_engine_and_no_users_that_are_none(self):
        known = catalogue.catalogue()
        assert all(engine.id in known[engine.id].used_by for engine in ENGINES if engine.weights)
        users = {user for entry in known.values() for user in entry.used_by}
        # Of SAM-UNETR no weights are published.
        methods = {method.id for method in METHODS if method.weights} - {"sam-unetr"}
        assert users == {engine.id for engine in ENGINES if engine.weights} | methods

    def test_sizes_agree(self):
        for entry in catalogue.catalogue().values():
            if entry.bytes is not None:
                assert entry.megabytes == round(entry.bytes / 1e6), entry.id
            # What ships has half the precision.
            if entry.megabytes is not None and not entry.shipped:
                assert entry.megabytes == pytest.approx(entry.memory_bytes / 1e6, rel=0.02), entry.id

    def test_memory_is_that_of_the_networks_built(self):
        built = {
            name: architectures.network(name)
            for name in (*architectures._SAM, *architectures._SAM2, *architectures._COMPACT)
        }
        for entry in catalogue.catalogue().values():
            if entry.architecture in built:
                state = built[entry.architecture].state_dict().values()
                assert entry.memory_bytes == sum(value.numel() * value.element_size() for value in state), entry.id

    def test_unknown_weights(self):
        with pytest.raises(OptionError, match=r"no weights 'sam9'; there are: sam2\.1-tiny, "):
            find_weights("sam9")


class TestStore:
    def test_its_folder(self, store, monkeypatch, tmp_path):
        assert Store().folder == store.folder == tmp_path / "store"
        assert Store(tmp_path / "other").folder == tmp_path / "other"
        monkeypatch.delenv(VARIABLE)
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
        assert "strokesam" in Store().folder.parts and Store().folder.name == "weights"

    def test_no_folder_is_known(self, monkeypatch):
        monkeypatch.delenv(VARIABLE)
        monkeypatch.setitem(sys.modules, "platformdirs", None)
        with pytest.raises(InputError, match="no folder for weights: set STROKESAM_WEIGHTS, or install"):
            Store()
        assert find_engine("medsam").readiness() == "no: needs weights (strokesam weights import medsam FILE)"

    def test_import_verify_remove(self, store, swift):
        made = find_weights("swift-medsam")
        assert import_weights(made, swift, store, Monitor())
        assert store.path(made.id).read_bytes() == swift.read_bytes()
        assert [entry for entry in store.held() if not entry.shipped] == [made]
        assert store.verify(made.id) == hashlib.sha256(swift.read_bytes()).hexdigest()
        store.remove(made.id)
        assert all(entry.shipped for entry in store.held()) and names(store) == []
        for act in (store.verify, store.remove):
            with pytest.raises(InputError, match=r"no weights swift-medsam in .*: strokesam weights import swift-meds"):
                act(made.id)

    def test_plans_beside_a_checkpoint_come_and_go_with_it(self, store, tmp_path, monkeypatch):
        torch = pytest.importorskip("torch")
        from StrokeSAMLib.weights.fingerprint import read_fingerprints

        monkeypatch.setattr("StrokeSAMLib.weights.importing.check_weights", lambda *arguments: True)
        made, file, plans = find_weights("aisct-sam"), tmp_path / "best.pth", tmp_path / "plans.json"
        torch.save({"network_weights": {"a": torch.zeros(1)}}, file)
        numbers = {"percentile_00_5": 5, "percentile_99_5": 55, "mean": 27, "std": 9}
        plans.write_text(json.dumps({"foreground_intensity_properties_per_channel": {"0": numbers}}))
        import_weights(made, file, store, Monitor())
        wanted = (Fingerprint(5, 55, 27, 9),)
        assert read_fingerprints(store.path(made.id)) == wanted
        import_weights(made, store.path(made.id), store, Monitor())
        assert read_fingerprints(store.path(made.id)) == wanted
        plans.write_text("{}")
        with pytest.raises(InputError, match=r"plans\.json: has no densities"):
            import_weights(made, file, store, Monitor())
        assert read_fingerprints(store.path(made.id)) == wanted
        plans.unlink()
        import_weights(made, file, store, Monitor())
        assert read_fingerprints(store.path(made.id)) is None
        store.remove(made.id)
        assert names(store) == []

    def test_plans_are_taken_only_for_the_network_that_needs_them(self, store, swift, tmp_path):
        (tmp_path / "plans.json").write_text("no plans")
        import_weights(find_weights("swift-medsam"), swift, store, Monitor())
        assert names(store) == ["swift-medsam.json", "swift-medsam.pt"]

    def test_weights_of_another_network_are_not_imported(self, store, swift):
        with pytest.raises(InputError, match=r"downloaded\.pth: weights of another network: of 435 keys \d+ missing"):
            import_weights(find_weights("lite-medsam"), swift, store, Monitor())
        assert names(store) == []

    def test_a_file_other_than_the_published_one_is_not_imported(self, store, swift):
        made = replace(find_weights("swift-medsam"), sha256="0" * 64)
        with pytest.raises(InputError, match=r"swift-medsam: downloaded\.pth: not that file: its SHA-256 is"):
            import_weights(made, swift, store, Monitor())
        assert names(store) == []

    def test_what_cannot_be_compared_says_so(self, store, swift):
        assert not import_weights(find_weights("stardust"), swift, store, Monitor())
        assert store.find("stardust")

    def test_without_the_networks_packages_keys_are_not_compared(self, store, swift, monkeypatch):
        monkeypatch.setitem(sys.modules, "StrokeSAMLib.nets.sam2_model", None)
        assert not import_weights(find_weights("medsam2"), swift, store, Monitor())

    def test_without_torch_nothing_is_imported(self, store, swift, monkeypatch):
        monkeypatch.setitem(sys.modules, "StrokeSAMLib.weights.checkpoint", None)
        with pytest.raises(InputError, match=r"downloaded\.pth: reading a checkpoint needs the Python package torch"):
            import_weights(find_weights("swift-medsam"), swift, store, Monitor())
        assert not store.folder.exists()

    def test_cancelled_import(self, store, swift):
        cancel = threading.Event()
        monitor = Monitor(lambda fraction, text: cancel.set() if fraction > 0 else None, cancel)
        with pytest.raises(Cancelled):
            import_weights(find_weights("swift-medsam"), swift, store, monitor)
        assert names(store) == []

    def test_without_a_record_there_is_nothing_to_compare_with(self, store, swift):
        import_weights(find_weights("swift-medsam"), swift, store, Monitor())
        (store.folder / "swift-medsam.json").write_text("[]")
        with pytest.raises(InputError, match=r"swift-medsam\.json: no SHA-256 to compare swift-medsam with"):
            store.verify("swift-medsam")

    def test_a_folder_that_cannot_be(self, swift, tmp_path):
        store = Store(swift / "store")
        with pytest.raises(InputError, match=r"downloaded\.pth/store: cannot keep weights there: Not a directory"):
            import_weights(find_weights("swift-medsam"), swift, store, Monitor())
        assert store.find("swift-medsam") is None

    def test_a_read_only_folder(self, store, swift):
        if os.geteuid() == 0:
            pytest.skip("root may write anywhere")
        store.folder.mkdir(mode=0o500)
        with pytest.raises(InputError, match="cannot write there: Permission denied"):
            import_weights(find_weights("swift-medsam"), swift, store, Monitor())

    def test_what_a_killed_process_left_goes_after_a_day(self, store, swift):
        store.folder.mkdir()
        old, new = store.folder / ".strokesam-old.pt", store.folder / ".strokesam-new.pt"
        for path in (old, new):
            path.write_bytes(b"half")
        os.utime(old, (time.time() - 90_000,) * 2)
        import_weights(find_weights("swift-medsam"), swift, store, Monitor())
        assert not old.exists() and new.exists()


class TestShipped:
    """What comes with StrokeSAM: no store, no network, nothing that could be lost."""

    IDS = tuple(entry.id for entry in catalogue.catalogue().values() if entry.shipped)

    def test_are_those_of_the_compact_networks(self):
        assert set(self.IDS) == {"ncct-unet", "dwi-unet"}

    @pytest.mark.parametrize("id", IDS)
    def test_are_whole_small_and_of_the_network(self, store, id):
        assert store.verify(id) == find_weights(id).sha256
        assert store.find(id).stat().st_size < 6_000_000
        assert architectures.check_weights(find_weights(id), store.find(id), id)
        assert not store.folder.exists()

    @pytest.mark.parametrize("id", IDS)
    def test_have_a_card(self, store, id):
        card = store.find(id).with_suffix(".md").read_text("utf-8")
        assert all(
            words in card for words in ("not a medical device", "Licence", "Not tested", find_weights(id).sha256)
        )

    def test_are_neither_fetched_nor_replaced_nor_deleted(self, store, tmp_path):
        entry = find_weights("ncct-unet")
        for wrong in (
            entry.source,
            lambda: import_weights(entry, store.find(entry.id), store, Monitor()),
            lambda: store.remove(entry.id),
        ):
            with pytest.raises(InputError, match="ncct-unet ships with StrokeSAM"):
                wrong()
        assert store.find(entry.id).is_file() and not store.folder.exists()


class TestEngines:
    def test_find_their_weights_in_the_store(self, store, swift):
        engine = find_engine("swift-medsam")
        assert engine.readiness() == "no: needs weights (strokesam weights import swift-medsam FILE)"
        with pytest.raises(InputError, match="needs weights: strokesam weights import swift-medsam FILE, or --w"):
            load_engine("swift-medsam", device="cpu")
        import_weights(find_weights("swift-medsam"), swift, store, Monitor())
        assert engine.readiness() == "yes"
        loaded = load_engine("swift-medsam", device="cpu")
        assert loaded.describe()["weights"] == hashlib.sha256(swift.read_bytes()).hexdigest()

    def test_readiness_names_the_command(self):
        assert find_engine("sam2.1-tiny").readiness() == "no: needs weights (strokesam weights fetch sam2.1-tiny)"

    def test_a_file_that_is_given_comes_first(self, swift):
        assert find_engine("swift-medsam").readiness(swift) == "yes"
        assert find_engine("swift-medsam").checkpoint(swift) == swift

    def test_an_id_stands_for_its_file_in_the_store(self, store, tmp_path):
        engine = find_engine("medsam2")
        with pytest.raises(InputError, match=r"engine medsam2 needs weights: strokesam weights fetch medsam2-us-heart"):
            engine.checkpoint(Path("medsam2-us-heart"))
        store.folder.mkdir()
        store.path("medsam2-us-heart").write_bytes(b"weights")
        assert engine.checkpoint(Path("medsam2-us-heart")) == store.path("medsam2-us-heart")

    def test_the_list_of_methods_needs_no_torch(self):
        code = (
            "import sys; from StrokeSAMLib.cli import run; run(['methods']); print({'torch', 'pooch'} & {*sys.modules})"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert done.stdout.endswith("\nset()\n"), done
