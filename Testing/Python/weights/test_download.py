"""Downloads from a local server that answers correctly or fails in many ways."""

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

from StrokeSAMLib.core.errors import Cancelled, InputError
from StrokeSAMLib.core.monitor import Monitor
from StrokeSAMLib.nets.models import sam_models
from StrokeSAMLib.weights import download
from StrokeSAMLib.weights.catalogue import find_weights

# The server's file "other" is BODY reversed.
OTHER_HASH = hashlib.sha256(BODY[::-1]).hexdigest()


class TestDownload:
    @pytest.mark.parametrize("path", ["whole", "moved", "slow", "unannounced"])
    def test_arrives_complete(self, entry, store, path):
        steps = []
        checkpoint = entry(path)
        path_in_store = download.fetch(checkpoint, store, Monitor(lambda *step: steps.append(step)))
        assert path_in_store == store.find(checkpoint.id)
        assert store.path(checkpoint.id).read_bytes() == BODY
        assert names(store) == ["sam2.1-tiny.json", "sam2.1-tiny.pt"]
        assert store.verify(checkpoint.id) == HASH
        fractions = [fraction for fraction, _ in steps]
        assert fractions == sorted(fractions)
        assert steps[-1] == (1.0, "sam2.1-tiny: 1 of 1 MB") or path == "unannounced"

    @pytest.mark.parametrize(
        ("path", "changes", "reason"),
        [
            ("absent", {}, "the server says 404 Not Found"),
            ("failing", {}, "the server says 503 Service Unavailable"),
            ("circle", {}, "redirected too often"),
            ("cut", {}, "the download was cut off"),
            ("stalled", {}, "no answer for 0.5 s"),
            ("silent", {}, "no answer for 0.5 s"),
            (
                "other",
                {},
                f"not the published file: its SHA-256 is {OTHER_HASH}, not {HASH}",
            ),
            ("whole", {"bytes": 5}, f"not the published file: it has {len(BODY)} bytes, not 5"),
            ("page", {"bytes": None, "sha256": None}, "refused: it is no PyTorch file"),
            ("cut", {"bytes": None, "sha256": None}, "the download was cut off"),
        ],
    )
    def test_fails_in_one_line_and_leaves_nothing(self, entry, store, monkeypatch, path, changes, reason):
        monkeypatch.setattr(download, "_SILENCE_S", 0.5)
        checkpoint = entry(path, **changes)
        with pytest.raises(InputError) as raised:
            download.fetch(checkpoint, store, Monitor())
        assert str(raised.value) == f"sam2.1-tiny: {checkpoint.url}: {reason}"
        assert names(store) == []

    def test_an_unreachable_server_is_an_error(self, entry, store):
        checkpoint = entry("whole", url="http://127.0.0.1:1/whole")
        with pytest.raises(InputError, match=r"^sam2\.1-tiny: http://127\.0\.0\.1:1/whole: no connection to the serv"):
            download.fetch(checkpoint, store, Monitor())

    def test_a_failure_keeps_the_earlier_file(self, entry, store):
        download.fetch(entry("whole"), store, Monitor())
        with pytest.raises(InputError):
            download.fetch(entry("cut"), store, Monitor())
        assert store.verify("sam2.1-tiny") == HASH

    def test_can_be_cancelled_between_chunks_and_repeated(self, entry, store):
        cancel = threading.Event()
        monitor = Monitor(lambda fraction, text: cancel.set() if fraction > 0.3 else None, cancel)
        with pytest.raises(Cancelled):
            download.fetch(entry("slow"), store, monitor)
        assert names(store) == []
        download.fetch(entry("whole"), store, Monitor())
        assert store.verify("sam2.1-tiny") == HASH

    def test_a_disk_that_fills_up_is_an_error(self, entry, store, monkeypatch):
        class Full(io.FileIO):
            def write(self, data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr("pooch.downloaders.open", lambda path, mode: Full(path, "w"), raising=False)
        with pytest.raises(InputError, match=r"sam2\.1-tiny\.pt: cannot write there: No space left on device"):
            download.fetch(entry("whole"), store, Monitor())
        assert names(store) == []

    def test_a_disk_without_enough_space_is_an_error_before_the_download(self, entry, store, monkeypatch):
        usage = shutil.disk_usage("/")._replace(free=10_000)
        monkeypatch.setattr("shutil.disk_usage", lambda path: usage)
        with pytest.raises(InputError, match=r"disk is too full: sam2\.1-tiny takes 1 MB, and 0 MB are free"):
            download.fetch(entry("absent"), store, Monitor())

    def test_without_a_published_hash_that_of_the_received_file_is_recorded(self, server, store, monkeypatch):
        weights = io.BytesIO()
        torch.save(sam_models.swift_medsam().state_dict(), weights)
        monkeypatch.setattr(server, "body", weights.getvalue())
        checkpoint = replace(find_weights("swift-medsam"), url=f"{server.address}/whole", obstacle=None)
        download.fetch(checkpoint, store, Monitor())
        assert store.verify(checkpoint.id) == hashlib.sha256(weights.getvalue()).hexdigest()
        record = json.loads((store.folder / "swift-medsam.json").read_text("utf-8"))
        assert record["source"] == checkpoint.url and record["bytes"] == len(weights.getvalue())
        with store.path(checkpoint.id).open("r+b") as stream:
            stream.write(b"?")
        with pytest.raises(InputError, match=r"swift-medsam\.pt: changed or damaged"):
            store.verify(checkpoint.id)

    def test_a_checkpoint_that_only_a_person_can_download_is_an_error(self, store):
        with pytest.raises(InputError) as raised:
            download.fetch(find_weights("sam-med2d"), store, Monitor())
        assert str(raised.value) == (
            "sam-med2d cannot be fetched, it is on Google Drive, linked from its project's page: download it from "
            "https://github.com/OpenGVLab/SAM-Med2D, then run: strokesam weights import sam-med2d FILE"
        )
        assert not store.folder.exists()

    @pytest.mark.parametrize(("changes", "absent"), [({}, "pooch"), ({"sha256": None, "bytes": None}, "torch")])
    def test_missing_packages_are_an_error(self, entry, store, monkeypatch, changes, absent):
        monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == absent else name)
        with pytest.raises(InputError, match=f"sam2.1-tiny: fetching it needs {absent}, not installed here$"):
            download.fetch(entry("whole", **changes), store, Monitor())
        assert not store.folder.exists()
