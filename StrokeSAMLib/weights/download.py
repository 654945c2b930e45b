"""Fetching a checkpoint over HTTP: all of it and the right one, or nothing."""

from __future__ import annotations

from pathlib import Path

from StrokeSAMLib.errors import InputError
from StrokeSAMLib.monitor import Monitor
from StrokeSAMLib.packages import not_installed
from StrokeSAMLib.weights.architectures import check_weights
from StrokeSAMLib.weights.catalogue import Entry
from StrokeSAMLib.weights.store import Store

# Small, so that a slow download can be cancelled soon.
_CHUNK_BYTES = 1 << 16
_SILENCE_S = 30


def fetch(entry: Entry, store: Store, monitor: Monitor) -> Path:
    """Download the checkpoint into `store`, in the place of one that is there; its path.

    A file whose SHA-256 is not published is read, safely, before it is kept: a server may answer with a web page.

    Raises:
        InputError: it cannot be fetched, the download failed, or what came is not that file; nothing was kept.
        Cancelled: between two chunks; nothing was kept.
    """
    url = entry.source()
    _check_packages(entry)
    with store.receiving(entry, url) as temporary:
        _download(entry.id, url, temporary, monitor)
        if entry.sha256 is None:
            check_weights(entry, temporary, f"{entry.id}: {url}")
    return store.path(entry.id)


def _check_packages(entry: Entry) -> None:
    needed = ("pooch", "torch") if entry.sha256 is None else ("pooch",)
    missing = not_installed(needed)
    if missing:
        raise InputError(f"{entry.id}: fetching it needs {' and '.join(missing)}, not installed here")


def _download(id: str, url: str, file: Path, monitor: Monitor) -> None:
    import pooch
    import requests

    monitor.step(0.0, f"{id}: connecting")
    # Compressed in transit, the file's length would not be known.
    how = {"timeout": _SILENCE_S, "headers": {"Accept-Encoding": "identity"}}
    download = pooch.HTTPDownloader(progressbar=_Progress(id, monitor), chunk_size=_CHUNK_BYTES, **how)
    try:
        download(url, str(file), None)
    except requests.RequestException as error:
        raise InputError(f"{id}: {url}: {_reason(error)}") from None


def _reason(error: Exception) -> str:
    import requests

    if isinstance(error, requests.HTTPError):
        return f"the server says {error.response.status_code} {error.response.reason}"
    # A silence in the midst of a file is a ConnectionError to requests.
    if isinstance(error, requests.Timeout) or "timed out" in str(error):
        return f"no answer for {_SILENCE_S} s"
    known = {
        requests.TooManyRedirects: "redirected too often",
        requests.exceptions.ChunkedEncodingError: "the download was cut off",
        requests.exceptions.SSLError: "the server's certificate cannot be trusted",
        requests.ConnectionError: "no connection to the server",
    }
    return next((text for kind, text in known.items() if isinstance(error, kind)), f"failed ({type(error).__name__})")


class _Progress:
    """What pooch takes for a progress bar: tells the monitor, which may cancel."""

    def __init__(self, id: str, monitor: Monitor):
        self.total = 0
        self._id = id
        self._monitor = monitor
        self._done = 0

    def update(self, count: int) -> None:
        """`count` more bytes have come."""
        self._done += count
        of_all = f" of {self.total / 1e6:.0f}" if self.total else ""
        fraction = self._done / self.total if self.total else 0.0
        self._monitor.step(fraction, f"{self._id}: {self._done / 1e6:.0f}{of_all} MB")

    def reset(self) -> None:
        """Count from the start."""
        self._done = 0

    def close(self) -> None:
        """Nothing to close."""
