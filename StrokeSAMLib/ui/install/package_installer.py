"""Install the Python packages of an engine or method into Slicer's own Python when they are first needed."""

from __future__ import annotations

import importlib
import inspect
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from StrokeSAMLib.core.errors import StrokeSAMError
from StrokeSAMLib.core.installed_packages import not_installed
from StrokeSAMLib.ui.install.pip_environment import pipEnvironment
from StrokeSAMLib.ui.translation import tr as _

WHEEL_FOLDER_SETTING = "StrokeSAM/WheelFolder"

_REQUESTER = "StrokeSAM"
_TORCH = ">=2.6"
# Installed without dependencies: they require torchvision, which is not used and often does not fit the installed
# torch.
_WITHOUT_DEPENDENCIES = {"sam2": "sam2==1.1.0", "segment_anything": "segment-anything==1.0"}
# Lines of requirements.txt that a package needs. A package that is not listed here has a line of its own.
_REQUIRED_LINES = {"sam2": ("hydra-core", "iopath"), "segment_anything": (), "torch": ()}

_installationLock = threading.Lock()


class PackageError(StrokeSAMError):
    """A Python package is missing because its installation was declined, failed, or is not possible."""


def ensure(packages: Iterable[str], slicer: Any = None) -> None:
    """Install the missing ones of `packages` after one question to the user. Call it on the main thread only.

    Torch is installed through the PyTorch extension, which chooses the build for the graphics card. If Slicer's
    settings name a folder of wheels (`WHEEL_FOLDER_SETTING`), everything is installed from that folder and nothing
    from the internet.

    Args:
        packages: import names, as in `EngineEntry.packages`.
        slicer: Slicer's package; None for the one of this process.

    Raises:
        PackageError: the user declined, there is no window for the question, Slicer must be restarted first, or the
            installation failed. The text names the reason and what the user can do.
        RuntimeError: called from another thread than the main thread.
    """
    missing = not_installed(packages)
    if not missing:
        return
    if slicer is None:
        import slicer
    PackageInstaller(slicer).install(missing)


class PackageInstaller:
    """Installs packages with `slicer.packaging`, or with `slicer.util.pip_install` before Slicer 5.12."""

    def __init__(
        self,
        slicer: Any,
        importModule: Callable[[str], Any] = importlib.import_module,
        notInstalled: Callable[[Iterable[str]], list[str]] = not_installed,
    ):
        """Create an installer.

        Args:
            slicer: Slicer's package.
            importModule: imports a module by name.
            notInstalled: returns the missing ones of import names.
        """
        self._slicer = slicer
        self._import = importModule
        self._notInstalled = notInstalled

    def install(self, packages: Sequence[str]) -> None:
        """Install packages, all of which are missing. Errors as in `ensure`."""
        if threading.current_thread() is not threading.main_thread():
            raise RuntimeError("packages are installed on the main thread only")
        # Slicer handles clicks while pip runs, so a second installation may be requested.
        if not _installationLock.acquire(blocking=False):
            raise PackageError(_("Python packages are already being installed"))
        try:
            self._install(packages)
        finally:
            _installationLock.release()

    def _install(self, packages: Sequence[str]) -> None:
        self._checkWindow(packages)
        folder = self._wheelFolder()
        torch = self._torchLogic() if "torch" in packages and folder is None else None
        self._confirm(_question(packages, folder), _packageList(packages))
        with pipEnvironment(folder), _failuresAsPackageError(packages):
            if torch is not None:
                self._installTorch(torch)
            self._installRequirements(self._requirements(packages, torch is None))
            self._installWithoutDependencies(
                [_WITHOUT_DEPENDENCIES[name] for name in packages if name in _WITHOUT_DEPENDENCIES]
            )
        importlib.invalidate_caches()
        missing = self._notInstalled(packages)
        if missing:
            text = _("{packages} was installed but is not found: restart Slicer and try again")
            raise PackageError(text.format(packages=_packageList(missing)))

    def _checkWindow(self, packages: Sequence[str]) -> None:
        """Refuse to install in a script or test, because nothing is installed without a question to the user."""
        app = getattr(self._slicer, "app", None)
        if app is None or app.testingEnabled() or self._slicer.util.mainWindow() is None:
            text = _("{packages}: not installed, and there is no window to ask for permission")
            raise PackageError(text.format(packages=_packageList(packages)))

    def _confirm(self, question: str, subject: str) -> None:
        if not self._slicer.util.confirmOkCancelDisplay(question, _REQUESTER):
            text = _("{subject}: you declined the installation; try again to be asked again")
            raise PackageError(text.format(subject=subject))

    def _wheelFolder(self) -> Path | None:
        setting = str(self._slicer.util.settingsValue(WHEEL_FOLDER_SETTING, "") or "").strip()
        if not setting:
            return None
        if not Path(setting).is_dir():
            text = _("{folder}: no such folder of wheels (Slicer's setting {setting})")
            raise PackageError(text.format(folder=setting, setting=WHEEL_FOLDER_SETTING))
        return Path(setting)

    def _torchLogic(self) -> Any:
        try:
            return self._import("PyTorchUtils").PyTorchUtilsLogic()
        except ImportError:
            self._offerExtension()
            raise PackageError(_("restart Slicer, so that it loads the extension PyTorch, and try again")) from None

    def _offerExtension(self) -> None:
        extensions = self._slicer.app.extensionsManagerModel()
        if extensions.isExtensionInstalled("PyTorch"):
            return
        self._confirm(
            _(
                "PyTorch is installed through Slicer's extension PyTorch, which is missing. Install the extension? "
                "Slicer must be restarted afterwards."
            ),
            _("the extension PyTorch"),
        )
        # In interactive mode Slicer would ask again, and restart at once without saving the user's scene.
        interactive, extensions.interactive = extensions.interactive, False
        try:
            installed = extensions.installExtensionFromServer("PyTorch", False)
        finally:
            extensions.interactive = interactive
        if not installed:
            raise PackageError(_("the extension PyTorch could not be installed: install it in the Extensions Manager"))

    def _installTorch(self, logic: Any) -> None:
        arguments = {"askConfirmation": False, "torchVersionRequirement": _TORCH}
        # Versions of the extension differ in their arguments.
        parameters = inspect.signature(logic.installTorch).parameters
        with self._slicer.util.WaitCursor():
            if logic.installTorch(**{name: value for name, value in arguments.items() if name in parameters}) is None:
                raise RuntimeError("the extension PyTorch did not install torch")

    def _requirements(self, packages: Sequence[str], withTorch: bool) -> list[str]:
        """The lines of requirements.txt that the packages need; with `withTorch` also the requirement of torch."""
        path = Path(self._slicer.util.modulePath("StrokeSAM")).parent / "Resources" / "requirements.txt"
        lines = {_distribution(line): line for line in path.read_text("utf-8").splitlines() if line[:1].isalpha()}
        names = [name for package in packages for name in _REQUIRED_LINES.get(package, (package,))]
        torch = [f"torch{_TORCH}"] if withTorch and "torch" in packages else []
        return torch + [lines[name] for name in names]

    def _installRequirements(self, requirements: list[str]) -> None:
        if not requirements:
            return
        packaging = self._packaging()
        if packaging is None:
            self._pipInstall(requirements)
        else:
            packaging.pip_ensure(requirements, prompt_install=False, requester=_REQUESTER)

    def _installWithoutDependencies(self, requirements: list[str]) -> None:
        if requirements:
            # Without build isolation, because the build imports torch.
            self._pipInstall(["--no-deps", "--no-build-isolation", *requirements])

    def _pipInstall(self, arguments: list[str]) -> None:
        packaging = self._packaging()
        if packaging is not None:
            packaging.pip_install(arguments, requester=_REQUESTER)
            return
        with self._slicer.util.WaitCursor():
            self._slicer.util.pip_install(arguments)

    def _packaging(self) -> Any | None:
        """The module `slicer.packaging`; None before Slicer 5.12."""
        try:
            return self._import("slicer.packaging")
        except ImportError:
            return None


@contextmanager
def _failuresAsPackageError(packages: Sequence[str]) -> Iterator[None]:
    """Turn any error into a `PackageError` with the error's first line."""
    try:
        yield
    except Exception as error:  # pip, torch's libraries and the other extension raise errors of many types
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        text = _("{packages} could not be installed ({reason}); see the Python console")
        raise PackageError(text.format(packages=_packageList(packages), reason=reason)) from error


def _question(packages: Sequence[str], folder: Path | None) -> str:
    size = _(" PyTorch is large; this can take many minutes.") if "torch" in packages else ""
    source = _("the folder {folder}").format(folder=folder) if folder else _("the internet")
    text = _("{packages} must be installed into Slicer's own Python, from {source}.{size} Install now?")
    return text.format(packages=_packageList(packages), source=source, size=size)


def _packageList(packages: Sequence[str]) -> str:
    text = _("Python packages {names}") if len(packages) > 1 else _("Python package {names}")
    return text.format(names=", ".join(packages))


def _distribution(line: str) -> str:
    return re.split(r"[^\w.-]", line, maxsplit=1)[0]
