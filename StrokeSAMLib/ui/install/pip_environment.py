"""Environment variables that configure every run of pip.

Arguments would not reach every run: the PyTorch extension, `slicer.packaging`, and pip itself, when it builds a
package, call pip without passing them on.
"""

from __future__ import annotations

import importlib.util
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path

# Slicer's compiled modules are linked with these packages, so another version of one of them breaks Slicer.
PROTECTED = ("numpy", "scipy", "SimpleITK", "vtk")


@contextmanager
def pipEnvironment(wheelFolder: Path | None = None) -> Iterator[None]:
    """Configure pip within a `with` block: it does not replace the packages in `PROTECTED`.

    Args:
        wheelFolder: pip looks for packages only in this folder; None for the internet.
    """
    with tempfile.TemporaryDirectory() as folder:
        constraints = Path(folder) / "constraints.txt"
        constraints.write_text("\n".join(constraintLines()) + "\n", "utf-8")
        # pip splits these variables at spaces; a URI contains none.
        variables = {"PIP_CONSTRAINT": constraints.as_uri(), "SAM2_BUILD_CUDA": "0"}
        if wheelFolder is not None:
            variables |= {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": wheelFolder.resolve().as_uri()}
        with _variables(variables):
            yield


def constraintLines(names: Iterable[str] = PROTECTED) -> list[str]:
    """Return one line of a constraints file for each installed package, which allows only the installed version.

    pip does not recognise a package without metadata (VTK in some builds of Slicer) as installed and would install it
    again. The line of such a package allows no version at all.
    """
    return [line for name in names if (line := _constraint(name))]


def _constraint(name: str) -> str:
    try:
        return f"{name}=={metadata.version(name)}"
    except metadata.PackageNotFoundError:
        return f"{name}<0" if importlib.util.find_spec(name) else ""


@contextmanager
def _variables(values: Mapping[str, str]) -> Iterator[None]:
    previous = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in previous.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
