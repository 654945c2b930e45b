"""Python packages that an engine or a method needs, installed into Slicer's own Python when they are first needed."""

from __future__ import annotations

import importlib
import inspect
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from StrokeSAMLib.errors import StrokeSAMError
from StrokeSAMLib.packages import not_installed
from StrokeSAMLib.ui.pip_environment import pipEnvironment

WHEEL_FOLDER_SETTING = "StrokeSAM/WheelFolder"

_REQUESTER = "StrokeSAM"
_TORCH = ">=2.6"
# Their metadata asks for torchvision, which is not needed and often does not fit the torch that is there.
_BARE = {"sam2": "sam2==1.1.0", "segment_anything": "segment-anything==1.0"}
# What they import of the lines of requirements.txt; any other package is such a line itself.
_BESIDE = {"sam2": ("hydra-core", "iopath"), "segment_anything": (), "torch": ()}

_installing = threading.Lock()


class PackageError(StrokeSAMError):
    """A Python package that is not there: its installation was declined, failed, or could not be asked for."""


def ensure(packages: Iterable[str], slicer: Any = None) -> None:
    """Install what is not there yet of `packages`, after asking once. Main thread only.

    Torch comes through the PyTorch extension, which finds the build for the graphics card. With a folder of wheels
    named in Slicer's settings (`WHEEL_FOLDER_SETTING`), everything comes from there and nothing from the internet.

    Args:
        packages: names that Python imports, as `EngineEntry.packages` has them.
        slicer: Slicer's package, by default the one that runs.

    Raises:
        PackageError: the user declined, there is no window to ask in, Slicer must be restarted first, or the
            installation failed. The text says which, and what can be done.
        RuntimeError: called from another thread than the main one.
    """
    missing = not_installed(packages)
    if not missing:
        return
    if slicer is None:
        import slicer
    PackageInstaller(slicer).install(missing)


class PackageInstaller:
    """Installs packages with what Slicer offers for it: `slicer.packaging`, or less before Slicer 5.12."""

    def __init__(
        self,
        slicer: Any,
        importModule: Callable[[str], Any] = importlib.import_module,
        notInstalled: Callable[[Iterable[str]], list[str]] = not_installed,
    ):
        self._slicer = slicer
        self._import = importModule
        self._notInstalled = notInstalled

    def install(self, packages: Sequence[str]) -> None:
        """Install packages that are missing. See `ensure`."""
        if threading.current_thread() is not threading.main_thread():
            raise RuntimeError("packages are installed on the main thread only")
        # Slicer handles the user's clicks while pip runs.
        if not _installing.acquire(blocking=False):
            raise PackageError("Python packages are being installed already")
        try:
            self._install(packages)
        finally:
            _installing.release()

    def _install(self, packages: Sequence[str]) -> None:
        self._checkWindow(packages)
        folder = self._wheelFolder()
        torch = self._torchLogic() if "torch" in packages and folder is None else None
        self._confirm(_question(packages, folder), _listed(packages))
        with pipEnvironment(folder), _failuresTold(packages):
            if torch is not None:
                self._installTorch(torch)
            self._installRequirements(self._requirements(packages, torch is None))
            self._installBare([_BARE[name] for name in packages if name in _BARE])
        importlib.invalidate_caches()
        still = self._notInstalled(packages)
        if still:
            raise PackageError(f"{_listed(still)} was installed but is not found: restart Slicer and try again")

    def _checkWindow(self, packages: Sequence[str]) -> None:
        """A script or a test is never asked, and nothing is installed unasked."""
        app = getattr(self._slicer, "app", None)
        if app is None or app.testingEnabled() or self._slicer.util.mainWindow() is None:
            raise PackageError(f"{_listed(packages)}: not installed, and there is no window to ask in whether to")

    def _confirm(self, question: str, what: str) -> None:
        if not self._slicer.util.confirmOkCancelDisplay(question, _REQUESTER):
            raise PackageError(f"{what}: you declined the installation; try again to be asked again")

    def _wheelFolder(self) -> Path | None:
        named = str(self._slicer.util.settingsValue(WHEEL_FOLDER_SETTING, "") or "").strip()
        if not named:
            return None
        if not Path(named).is_dir():
            raise PackageError(f"{named}: no such folder of wheels (Slicer's setting {WHEEL_FOLDER_SETTING})")
        return Path(named)

    def _torchLogic(self) -> Any:
        try:
            return self._import("PyTorchUtils").PyTorchUtilsLogic()
        except ImportError:
            self._offerExtension()
            raise PackageError("restart Slicer, which then loads the extension PyTorch, and try again") from None

    def _offerExtension(self) -> None:
        extensions = self._slicer.app.extensionsManagerModel()
        if extensions.isExtensionInstalled("PyTorch"):
            return
        self._confirm(
            "PyTorch is installed through Slicer's extension PyTorch, which is not here. Install the extension? "
            "Slicer must be restarted afterwards.",
            "the extension PyTorch",
        )
        # It would ask again; and then restart at once, with the user's scene unsaved.
        interactive, extensions.interactive = extensions.interactive, False
        try:
            installed = extensions.installExtensionFromServer("PyTorch", False)
        finally:
            extensions.interactive = interactive
        if not installed:
            raise PackageError("the extension PyTorch could not be installed: look for it in the Extensions Manager")

    def _installTorch(self, logic: Any) -> None:
        wanted = {"askConfirmation": False, "torchVersionRequirement": _TORCH}
        # The extension's arguments have changed before.
        known = inspect.signature(logic.installTorch).parameters
        with self._slicer.util.WaitCursor():
            if logic.installTorch(**{name: value for name, value in wanted.items() if name in known}) is None:
                raise RuntimeError("the extension PyTorch did not install torch")

    def _requirements(self, packages: Sequence[str], withTorch: bool) -> list[str]:
        """The lines of requirements.txt that the packages need, and torch's own where the extension has no part."""
        path = Path(self._slicer.util.modulePath("StrokeSAM")).parent / "Resources" / "requirements.txt"
        lines = {_distribution(line): line for line in path.read_text("utf-8").splitlines() if line[:1].isalpha()}
        names = [name for package in packages for name in _BESIDE.get(package, (package,))]
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

    def _installBare(self, requirements: list[str]) -> None:
        if requirements:
            # Without isolation, since the build imports torch.
            self._pipInstall(["--no-deps", "--no-build-isolation", *requirements])

    def _pipInstall(self, arguments: list[str]) -> None:
        packaging = self._packaging()
        if packaging is not None:
            packaging.pip_install(arguments, requester=_REQUESTER)
            return
        with self._slicer.util.WaitCursor():
            self._slicer.util.pip_install(arguments)

    def _packaging(self) -> Any | None:
        """`slicer.packaging`, which Slicer has from 5.12 on."""
        try:
            return self._import("slicer.packaging")
        except ImportError:
            return None


@contextmanager
def _failuresTold(packages: Sequence[str]) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # of pip, of torch's libraries, of another extension: the user gets one line of each
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise PackageError(f"{_listed(packages)} could not be installed ({reason}); see the Python console") from error


def _question(packages: Sequence[str], folder: Path | None) -> str:
    size = " PyTorch is large; this can take many minutes." if "torch" in packages else ""
    source = f"the folder {folder}" if folder else "the internet"
    return f"{_listed(packages)} must be installed into Slicer's own Python, from {source}.{size} Install now?"


def _listed(packages: Sequence[str]) -> str:
    return f"Python package{'s' * (len(packages) > 1)} {', '.join(packages)}"


def _distribution(line: str) -> str:
    return re.split(r"[^\w.-]", line, maxsplit=1)[0]
