"""Installation of Python packages on first use: questions, calls and errors. Slicer is a stand-in; pip is real."""

import os
import subprocess
import sys
import threading
import zipfile
from contextlib import nullcontext
from importlib import metadata
from types import SimpleNamespace

import pytest
from helpers import ROOT

from StrokeSAMLib.interactive.engines.registry import ENGINES
from StrokeSAMLib.lesion import METHODS
from StrokeSAMLib.ui.install import package_installer
from StrokeSAMLib.ui.install.package_installer import PackageError, PackageInstaller
from StrokeSAMLib.ui.install.pip_environment import PROTECTED, constraintLines, pipEnvironment

SAM2 = ("torch", "sam2")
WITHOUT_DEPENDENCIES = ["--no-deps", "--no-build-isolation", "sam2==1.1.0"]


class FakeSlicer:
    """The parts of Slicer that an installation uses. `calls` has the calls in order.

    An installation only marks packages as installed.
    """

    def __init__(self, version=(5, 12), extension=True, answer=True, window=True, testing=False, folder=""):
        self.calls, self.questions, self.environments = [], [], []
        self.installed = set()
        self.answer = answer
        self.failure = None
        self.modules = {}
        if version >= (5, 12):
            self.modules["slicer.packaging"] = SimpleNamespace(pip_ensure=self.pip_ensure, pip_install=self.pip)
        if extension:
            self.modules["PyTorchUtils"] = SimpleNamespace(PyTorchUtilsLogic=lambda: self)
        self.extensions = FakeExtensions()
        self.app = SimpleNamespace(testingEnabled=lambda: testing, extensionsManagerModel=lambda: self.extensions)
        self.util = SimpleNamespace(
            mainWindow=lambda: object() if window else None,
            confirmOkCancelDisplay=self.confirm,
            settingsValue=lambda key, default: folder if key == package_installer.WHEEL_FOLDER_SETTING else default,
            modulePath=lambda name: str(ROOT / name / f"{name}.py"),
            pip_install=self.pip510,
            WaitCursor=nullcontext,
        )

    def confirm(self, text, windowTitle=None):
        self.questions.append(text)
        return self.answer

    def pip_ensure(self, requirements, prompt_install=True, requester=None):
        assert not prompt_install, "the installer itself asks the user, once"
        self.record("pip_ensure", list(requirements))

    def pip(self, arguments, requester=None):
        self.record("pip_install", list(arguments))

    def pip510(self, arguments):
        self.record("util.pip_install", list(arguments))

    def installTorch(self, askConfirmation=True, forceComputationBackend=None, torchVersionRequirement=None):
        self.record("installTorch", [f"torch{torchVersionRequirement}", askConfirmation])
        return object()

    def record(self, name, arguments):
        self.calls.append((name, arguments))
        self.environments.append({key: os.environ.get(key) for key in ("PIP_NO_INDEX", "SAM2_BUILD_CUDA")})
        if self.failure is not None:
            raise self.failure
        for text in arguments:
            self.installed |= {name for name in ("torch", "sam2") if str(text).startswith(name)}
            self.installed |= {"segment_anything"} if str(text).startswith("segment-anything") else set()

    def importModule(self, name):
        if name not in self.modules:
            raise ModuleNotFoundError(name)
        return self.modules[name]

    def install(self, *names):
        PackageInstaller(self, self.importModule, self.notInstalled).install(names)

    def notInstalled(self, names):
        return [name for name in names if name not in self.installed]


class FakeExtensions:
    """Slicer's model of the extensions manager."""

    def __init__(self):
        self.interactive = True
        self.names = set()
        self.works = True
        self.calls = []

    def isExtensionInstalled(self, name):
        return name in self.names

    def installExtensionFromServer(self, name, restart):
        self.calls.append((name, restart, self.interactive))
        return self.works


class TestPackages:
    def test_sam2_on_slicer_512(self):
        slicer = FakeSlicer()
        slicer.install(*SAM2)
        assert slicer.calls == [
            ("installTorch", ["torch>=2.6", False]),
            ("pip_ensure", ["hydra-core>=1.3", "iopath>=0.1.10"]),
            ("pip_install", WITHOUT_DEPENDENCIES),
        ]

    def test_sam2_on_slicer_510(self):
        slicer = FakeSlicer(version=(5, 10))
        slicer.install(*SAM2)
        assert slicer.calls == [
            ("installTorch", ["torch>=2.6", False]),
            ("util.pip_install", ["hydra-core>=1.3", "iopath>=0.1.10"]),
            ("util.pip_install", WITHOUT_DEPENDENCIES),
        ]

    def test_only_missing_packages_are_installed(self):
        slicer = FakeSlicer(extension=False)
        slicer.install("segment_anything")
        assert slicer.calls == [("pip_install", ["--no-deps", "--no-build-isolation", "segment-anything==1.0"])]

    def test_the_package_for_downloads(self):
        slicer = FakeSlicer()
        slicer.installed.add("pooch")
        slicer.install("pooch")
        assert slicer.calls == [("pip_ensure", ["pooch>=1.8"])]

    def test_one_question_names_the_packages_and_their_source(self):
        slicer = FakeSlicer()
        slicer.install(*SAM2)
        assert len(slicer.questions) == 1
        assert "torch, sam2" in slicer.questions[0]
        assert "the internet" in slicer.questions[0]

    def test_an_older_extension_without_the_arguments(self):
        slicer = FakeSlicer()
        slicer.installTorch = lambda confirm=True: slicer.installed.add("torch") or object()
        slicer.install("torch")
        assert "torch" in slicer.installed

    def test_caches_are_invalidated_afterwards(self, monkeypatch):
        slicer = FakeSlicer()
        calls = []
        monkeypatch.setattr(package_installer.importlib, "invalidate_caches", lambda: calls.append(list(slicer.calls)))
        slicer.install("torch")
        assert calls == [slicer.calls]

    def test_every_package_of_engines_and_methods_is_known(self, monkeypatch):
        needed = {name for entry in (*ENGINES, *METHODS) for name in entry.packages} - set(PROTECTED)
        assert needed
        slicer = FakeSlicer()
        monkeypatch.setattr(slicer, "record", lambda name, arguments: slicer.installed.update(needed))
        slicer.install(*sorted(needed))


class TestEnsure:
    def test_slicer_is_not_used_if_all_packages_are_installed(self):
        package_installer.ensure(["json", "zipfile"], slicer=object())

    def test_the_missing_packages_are_installed(self, monkeypatch):
        installed = []
        monkeypatch.setattr(PackageInstaller, "install", lambda self, names: installed.extend(names))
        package_installer.ensure(["json", "no_such_package"], slicer=object())
        assert installed == ["no_such_package"]

    def test_without_slicers_application_it_is_refused(self):
        with pytest.raises(PackageError, match="no_such_package: not installed, and there is no window"):
            package_installer.ensure(["no_such_package"], slicer=SimpleNamespace())


class TestOffline:
    def test_everything_comes_from_the_folder_also_torch(self, tmp_path):
        slicer = FakeSlicer(folder=str(tmp_path), extension=False)
        slicer.install(*SAM2)
        assert slicer.calls == [
            ("pip_ensure", ["torch>=2.6", "hydra-core>=1.3", "iopath>=0.1.10"]),
            ("pip_install", WITHOUT_DEPENDENCIES),
        ]
        assert {environment["PIP_NO_INDEX"] for environment in slicer.environments} == {"1"}
        assert str(tmp_path) in slicer.questions[0]

    def test_the_error_names_a_missing_folder(self, tmp_path):
        slicer = FakeSlicer(folder=str(tmp_path / "gone"))
        with pytest.raises(PackageError, match=r"gone: no such folder.*StrokeSAM/WheelFolder"):
            slicer.install(*SAM2)
        assert not slicer.questions


class TestRefusals:
    def test_the_user_declines(self):
        slicer = FakeSlicer(answer=False)
        with pytest.raises(PackageError, match="torch, sam2: you declined"):
            slicer.install(*SAM2)
        assert not slicer.calls

    @pytest.mark.parametrize("mode", [{"testing": True}, {"window": False}])
    def test_without_a_window_nothing_is_asked_or_installed(self, mode):
        slicer = FakeSlicer(**mode, extension=False)
        with pytest.raises(PackageError, match="there is no window"):
            slicer.install(*SAM2)
        assert not slicer.questions
        assert not slicer.calls

    @pytest.mark.parametrize("version", [(5, 10), (5, 12)])
    def test_pip_fails(self, version):
        slicer = FakeSlicer(version=version)
        slicer.failure = subprocess.CalledProcessError(1, "pip install")
        with pytest.raises(PackageError, match=r"sam2 could not be installed .*exit status 1") as caught:
            slicer.install("sam2")
        assert "\n" not in str(caught.value)
        assert isinstance(caught.value.__cause__, subprocess.CalledProcessError)

    def test_the_extension_does_not_install_torch(self):
        slicer = FakeSlicer()
        slicer.installTorch = lambda askConfirmation: None
        with pytest.raises(PackageError, match="torch, sam2 could not be installed"):
            slicer.install(*SAM2)
        assert not slicer.calls

    def test_installed_but_not_found(self):
        slicer = FakeSlicer()
        slicer.notInstalled = list
        with pytest.raises(PackageError, match="restart Slicer"):
            slicer.install("sam2")

    def test_another_thread_is_refused(self):
        caught = []

        def work():
            try:
                FakeSlicer().install("sam2")
            except RuntimeError as error:
                caught.append(error)

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        assert len(caught) == 1

    def test_a_second_installation_is_refused_until_the_first_ends(self):
        slicer = FakeSlicer()
        record = slicer.record

        def install_again(name, arguments):
            with pytest.raises(PackageError, match="already"):
                slicer.install("sam2")
            record(name, arguments)

        slicer.record = install_again
        slicer.install("sam2")
        slicer.record = record
        slicer.install("segment_anything")
        assert len(slicer.questions) == 2


class TestMissingExtension:
    def test_the_extension_is_offered_and_the_user_restarts_slicer(self):
        slicer = FakeSlicer(extension=False)
        with pytest.raises(PackageError, match="restart Slicer"):
            slicer.install(*SAM2)
        assert len(slicer.questions) == 1
        assert slicer.extensions.calls == [("PyTorch", False, False)]
        assert slicer.extensions.interactive
        assert not slicer.calls

    def test_the_user_declines(self):
        slicer = FakeSlicer(extension=False, answer=False)
        with pytest.raises(PackageError, match="extension PyTorch: you declined"):
            slicer.install(*SAM2)
        assert not slicer.extensions.calls

    def test_the_extension_cannot_be_installed(self):
        slicer = FakeSlicer(extension=False)
        slicer.extensions.works = False
        with pytest.raises(PackageError, match="Extensions Manager"):
            slicer.install(*SAM2)
        assert slicer.extensions.interactive

    def test_the_extension_is_installed_but_slicer_was_not_restarted(self):
        slicer = FakeSlicer(extension=False)
        slicer.extensions.names.add("PyTorch")
        with pytest.raises(PackageError, match="restart Slicer"):
            slicer.install(*SAM2)
        assert not slicer.questions


def wheel(folder, name, version):
    """Write the wheel of an empty package."""
    info = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as file:
        file.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        file.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        file.writestr(f"{info}/RECORD", "")


def pip(*arguments):
    """A dry run of pip."""
    command = [sys.executable, "-m", "pip", "install", "--dry-run", *arguments]
    return subprocess.run(command, capture_output=True, encoding="utf-8")


class TestPipEnvironment:
    @pytest.fixture
    def folder(self, tmp_path):
        """A folder of wheels with a space in its name."""
        folder = tmp_path / "my wheels"
        folder.mkdir()
        return folder

    def test_pip_finds_the_folder(self, folder):
        wheel(folder, "strokesam_nothing", "1.0")
        with pipEnvironment(folder):
            done = pip("strokesam-nothing")
        assert "Would install strokesam-nothing-1.0" in done.stdout.replace("_", "-"), done.stderr

    def test_pip_does_not_replace_numpy(self, folder):
        wheel(folder, "numpy", "99.0")
        with pipEnvironment(folder):
            constrained = pip("--upgrade", "numpy")
        unconstrained = pip("--upgrade", "numpy", "--no-index", f"--find-links={folder}")
        assert "Would install numpy-99.0" in unconstrained.stdout, unconstrained.stderr
        assert "99.0" not in constrained.stdout

    def test_a_package_without_metadata_allows_no_version(self):
        assert constraintLines(["numpy", "helpers", "no_such_package"]) == [
            f"numpy=={metadata.version('numpy')}",
            "helpers<0",
        ]

    def test_the_environment_is_restored(self, folder, monkeypatch):
        monkeypatch.setenv("PIP_NO_INDEX", "0")
        before = dict(os.environ)
        with pytest.raises(ValueError), pipEnvironment(folder):
            assert os.environ["PIP_NO_INDEX"] == "1"
            assert os.environ["SAM2_BUILD_CUDA"] == "0"
            raise ValueError
        assert dict(os.environ) == before
