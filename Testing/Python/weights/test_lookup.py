"""The weights that an engine loads: the user's file, or those in the store."""

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from StrokeSAMLib.core.errors import InputError
from StrokeSAMLib.core.monitor import Monitor
from StrokeSAMLib.interactive.engines.registry import find_engine, load_engine
from StrokeSAMLib.weights.catalogue import find_weights
from StrokeSAMLib.weights.importing import import_weights


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

    def test_a_file_of_the_user_comes_first(self, swift):
        assert find_engine("swift-medsam").readiness(swift) == "yes"
        assert find_engine("swift-medsam").checkpoint(swift) == swift

    def test_an_id_means_its_file_in_the_store(self, store, tmp_path):
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
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8")
        assert done.stdout.endswith("\nset()\n"), done
