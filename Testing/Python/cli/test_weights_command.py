"""The commands `strokesam weights …`."""

import hashlib
import io
import signal
import subprocess
import sys
import textwrap
import time

import pytest
from download_server import BODY, HASH
from helpers import names

from StrokeSAMLib import cli
from StrokeSAMLib.core.monitor import Monitor
from StrokeSAMLib.weights.catalogue import catalogue, find_weights
from StrokeSAMLib.weights.importing import import_weights


class Terminal(io.StringIO):
    """An input with prepared answers that counts as a terminal."""

    def isatty(self):
        return True


class TestCommand:
    @pytest.fixture
    def refuse(self, capfd):
        def run(*arguments, reason):
            assert cli.run(["weights", *map(str, arguments)]) == 2
            out, err = capfd.readouterr()
            assert err.count("\n") == 1 and reason in err, err
            return out

        return run

    def test_list(self, capfd, store):
        store.folder.mkdir()
        store.path("medsam").write_bytes(b"weights")
        assert cli.run(["weights", "list"]) == 0
        lines = {line.split()[0]: line for line in capfd.readouterr().out.splitlines()}
        assert {*catalogue()} < {*lines}
        assert lines["sam2.1-tiny"].split()[-2:] == ["no", "fetch"]
        assert lines["medsam"].split()[-2:] == ["yes", "import"]
        assert "research and education" in lines["medsam2"]

    def test_fetch_shows_the_terms_first(self, capfd, entry, store):
        made = entry("whole")
        assert cli.run(["weights", "fetch", "sam2.1-tiny", "--yes"]) == 0
        out, err = capfd.readouterr()
        assert out.index("Apache-2.0") < out.index("arXiv 2408.00714") < out.index(f"→ {store.path(made.id)}")
        assert err == ""
        entry("absent")
        assert cli.run(["weights", "fetch", "sam2.1-tiny", "--yes"]) == 0
        assert "is here already" in capfd.readouterr().out

    def test_fetch_replaces_a_damaged_checkpoint(self, entry, store):
        entry("whole")
        store.folder.mkdir()
        store.path("sam2.1-tiny").write_bytes(b"half")
        assert cli.run(["weights", "fetch", "sam2.1-tiny", "--yes"]) == 0
        assert store.verify("sam2.1-tiny") == HASH

    @pytest.mark.parametrize(("answer", "status"), [("y\n", 0), ("Yes\n", 0), ("n\n", 2), ("\n", 2), ("", 2)])
    def test_fetch_asks_for_consent(self, capfd, monkeypatch, entry, store, answer, status):
        entry("whole")
        monkeypatch.setattr("sys.stdin", Terminal(answer))
        assert cli.run(["weights", "fetch", "sam2.1-tiny"]) == status
        assert "[y/N]" in capfd.readouterr().err
        assert (store.find("sam2.1-tiny") is not None) == (status == 0)

    @pytest.mark.parametrize("stdin", [io.StringIO("y\n"), None])
    def test_fetch_without_a_terminal(self, monkeypatch, entry, refuse, store, stdin):
        entry("whole")
        monkeypatch.setattr("sys.stdin", stdin)
        assert refuse("fetch", "sam2.1-tiny", reason="sam2.1-tiny: its licence (Apache-2.0) must be accepted") == ""
        assert not store.folder.exists()

    def test_import_verify_remove(self, capfd, store, swift):
        assert cli.run(["weights", "import", "swift-medsam", str(swift)]) == 0
        assert capfd.readouterr() == (f"swift-medsam → {store.path('swift-medsam')}\n", "")
        digest = hashlib.sha256(swift.read_bytes()).hexdigest()
        for arguments in ([], ["swift-medsam"]):
            assert cli.run(["weights", "verify", *arguments]) == 0
            lines = capfd.readouterr().out.splitlines()
            assert f"swift-medsam: intact, SHA-256 {digest}" in lines
            # The three shipped networks are compared too.
            assert len(lines) == (1 if arguments else 4)
        assert cli.run(["weights", "remove", "swift-medsam"]) == 0
        assert names(store) == []

    def test_import_notes_that_keys_were_not_compared(self, capfd, swift):
        assert cli.run(["weights", "import", "stardust", str(swift)]) == 0
        assert "note: its keys were not compared" in capfd.readouterr().err

    def test_refusals(self, refuse, store, swift, tmp_path):
        refuse("fetch", "sam9", "--yes", reason="no weights 'sam9'")
        refuse("fetch", "medsam", "--yes", reason="strokesam weights import medsam FILE")
        refuse("import", "medsam", tmp_path / "absent.pth", reason="absent.pth: no such file")
        refuse("import", "medsam", swift, reason="downloaded.pth: weights of another network: of 314 keys")
        refuse("import", "medsam", tmp_path, reason=f"{tmp_path}: a folder; name a file")
        refuse("verify", "medsam", reason="no weights medsam in")
        refuse("remove", "medsam", reason="no weights medsam in")
        refuse("remove", "../medsam", reason="no weights '../medsam'")
        assert names(store) == []

    def test_a_failed_download_is_one_line(self, refuse, entry, store):
        made = entry("absent")
        refuse("fetch", "sam2.1-tiny", "--yes", reason=f"sam2.1-tiny: {made.url}: the server says 404 Not Found")
        assert names(store) == []

    def test_verify_reports_intact_and_damaged_checkpoints(self, refuse, store, swift):
        import_weights(find_weights("swift-medsam"), swift, store, Monitor())
        store.path("sam-vit-b").write_bytes(b"half")
        assert "swift-medsam: intact" in refuse("verify", reason="sam-vit-b.pt: changed or damaged")

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
    def test_an_interrupted_fetch_can_be_repeated(self, server, store, number):
        code = f"""
            from dataclasses import replace
            from StrokeSAMLib.cli import main
            from StrokeSAMLib.weights.catalogue import catalogue
            known = {{"url": "{server.address}/slow", "bytes": {len(BODY)}, "megabytes": 1, "sha256": "{HASH}"}}
            catalogue()["sam2.1-tiny"] = replace(catalogue()["sam2.1-tiny"], **known)
            main(["weights", "fetch", "sam2.1-tiny", "--yes"])
        """
        command = [sys.executable, "-c", textwrap.dedent(code)]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, encoding="utf-8")
        deadline = time.monotonic() + 60
        while not any(path.stat().st_size for path in store.folder.glob(".strokesam-*")):
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.02)
        process.send_signal(number)
        _, err = process.communicate(timeout=60)
        assert store.find("sam2.1-tiny") is None
        if number == signal.SIGINT:
            assert (process.returncode, err, names(store)) == (130, "strokesam: interrupted\n", [])
        assert subprocess.run(command, stdout=subprocess.DEVNULL).returncode == 0
        assert hashlib.sha256(store.path("sam2.1-tiny").read_bytes()).hexdigest() == HASH
