"""Downloads from a real server that behaves well and badly."""

import errno
import hashlib
import io
import json
import os
import shutil
import threading
from dataclasses import replace

import pytest
import torch
from download_server import BODY, HASH
from helpers import names

from StrokeSAMLib.errors import Cancelled, InputError
from StrokeSAMLib.monitor import Monitor
from StrokeSAMLib.nets import sam_models
from StrokeSAMLib.weights import download
from StrokeSAMLib.weights.catalogue import find_weights


class TestDownload:
    @pytest.mark.parametrize("path", ["whole", "moved", "slow", "unannounced"])
    def test_arrives_whole(self, entry, store, path):
        told = []
        made = entry(path)
        assert download.fetch(made, store, Monitor(lambda *step: told.append(step))) == store.find(made.id)
        assert store.path(made.id).read_bytes() == BODY
        assert names(store) == ["sam2.1-tiny.json", "sam2.1-tiny.pt"]
        assert store.verify(made.id) == HASH
        fractions = [fraction for fraction, _ in told]
        assert fractions == sorted(fractions)
        assert told[-1] == (1.0, "sam2.1-tiny: 1 of 1 MB") or path == "unannounced"

    @pytest.mark.parametrize(
        ("path", "changes", "reason"),
        [
            ("absent", {}, "the server says 404 Not Found"),
            ("failing", {}, "the server says 503 Service Unavailable"),
            ("circle", {}, "redirected too often"),
            ("cut", {}, "the download was cut off"),
            ("stalled", {}, "no answer for 0.5 s"),
            ("silent", {}, "no answer for 0.5 s"),
            ("other", {}, f"not that file: its SHA-256 is {hashlib.sha256(BODY[::-1]).hexdigest()}, not {HASH}"),
            ("whole", {"bytes": 5}, f"not that file: it has {len(BODY)} bytes, not 5"),
            ("page", {"bytes": None, "sha256": None}, "refused: it is no PyTorch file"),
            ("cut", {"bytes": None, "sha256": None}, "the download was cut off"),
        ],
    )
    def test_fails_in_one_line_and_leaves_nothing(self, entry, store, monkeypatch, path, changes, reason):
        monkeypatch.setattr(download, "_SILENCE_S", 0.5)
        made = entry(path, **changes)
        with pytest.raises(InputError) as raised:
            download.fetch(made, store, Monitor())
        assert str(raised.value) == f"sam2.1-tiny: {made.url}: {reason}"
        assert names(store) == []

    def test_no_server(self, entry, store):
        made = entry("whole", url="http://127.0.0.1:1/whole")
        with pytest.raises(InputError, match=r"^sam2\.1-tiny: http://127\.0\.0\.1:1/whole: no connection to the serv"):
            download.fetch(made, store, Monitor())

    def test_a_failure_leaves_what_was_there(self, entry, store):
        download.fetch(entry("whole"), store, Monitor())
        with pytest.raises(InputError):
            download.fetch(entry("cut"), store, Monitor())
        assert store.verify("sam2.1-tiny") == HASH

    def test_cancelled_between_chunks_and_fetched_again(self, entry, store):
        cancel = threading.Event()
        monitor = Monitor(lambda fraction, text: cancel.set() if fraction > 0.3 else None, cancel)
        with pytest.raises(Cancelled):
            download.fetch(entry("slow"), store, monitor)
        assert names(store) == []
        download.fetch(entry("whole"), store, Monitor())
        assert store.verify("sam2.1-tiny") == HASH

    def test_a_disk_that_fills_up(self, entry, store, monkeypatch):
        class Full(io.FileIO):
            def write(self, data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr("pooch.downloaders.open", lambda path, mode: Full(path, "w"), raising=False)
        with pytest.raises(InputError, match=r"sam2\.1-tiny\.pt: cannot write there: No space left on device"):
            download.fetch(entry("whole"), store, Monitor())
        assert names(store) == []

    def test_a_disk_that_is_too_full_before_it_begins(self, entry, store, monkeypatch):
        usage = shutil.disk_usage("/")._replace(free=10_000)
        monkeypatch.setattr("shutil.disk_usage", lambda path: usage)
        with pytest.raises(InputError, match=r"disk is too full: sam2\.1-tiny takes 1 MB, and 0 MB are free"):
            download.fetch(entry("absent"), store, Monitor())

    def test_without_a_published_hash_the_one_received_is_kept(self, server, store, monkeypatch):
        weights = io.BytesIO()
        torch.save(sam_models.swift_medsam().state_dict(), weights)
        monkeypatch.setattr(server, "body", weights.getvalue())
        made = replace(find_weights("swift-medsam"), url=f"{server.address}/whole", obstacle=None)
        download.fetch(made, store, Monitor())
        assert store.verify(made.id) == hashlib.sha256(weights.getvalue()).hexdigest()
        record = json.loads((store.folder / "swift-medsam.json").read_text())
        assert record["source"] == made.url and record["bytes"] == len(weights.getvalue())
        with store.path(made.id).open("r+b") as stream:
            stream.write(b"?")
        with pytest.raises(InputError, match=r"swift-medsam\.pt: changed or damaged"):
            store.verify(made.id)

    def test_what_a_person_must_download(self, store):
        with pytest.raises(InputError) as raised:
            download.fetch(find_weights("lite-medsam"), store, Monitor())
        assert str(raised.value) == (
            "lite-medsam cannot be fetched, it is on Google Drive, linked from its project's page: download it from "
            "https://github.com/bowang-lab/MedSAM/tree/LiteMedSAM, then run: strokesam weights import lite-medsam FILE"
        )
        assert not store.folder.exists()

    @pytest.mark.parametrize(("changes", "absent"), [({}, "pooch"), ({"sha256": None, "bytes": None}, "torch")])
    def test_packages_that_are_missing(self, entry, store, monkeypatch, changes, absent):
        monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == absent else name)
        with pytest.raises(InputError, match=f"sam2.1-tiny: fetching it needs {absent}, not installed here$"):
            download.fetch(entry("whole", **changes), store, Monitor())
        assert not store.folder.exists()
