"""What every pip that runs for us must heed, as the environment variables that pip reads.

Variables rather than arguments, since other code calls pip for us and passes none of ours on: the PyTorch extension,
`slicer.packaging`, and pip itself when it builds a package.
"""

from __future__ import annotations

import importlib.util
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path

# Slicer's compiled modules are linked with these: another version of one breaks it.
PROTECTED = ("numpy", "scipy", "SimpleITK", "vtk")


@contextmanager
def pipEnvironment(wheelFolder: Path | None = None) -> Iterator[None]:
    """While it lasts, pip replaces none of `PROTECTED`, and with a folder looks for packages only there."""
    with tempfile.TemporaryDirectory() as folder:
        constraints = Path(folder) / "constraints.txt"
        constraints.write_text("\n".join(constraintLines()) + "\n", "utf-8")
        # pip splits these variables at spaces, which an address has none of.
        variables = {"PIP_CONSTRAINT": constraints.as_uri(), "SAM2_BUILD_CUDA": "0"}
        if wheelFolder is not None:
            variables |= {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": wheelFolder.resolve().as_uri()}
        with _variables(variables):
            yield


def constraintLines(names: Iterable[str] = PROTECTED) -> list[str]:
    """A line of a constraints file for each package that is here: the version it has, and no other.

    A package without metadata (VTK in some builds of Slicer) is not there for pip, which would install a second one:
    its line admits no version at all.
    """
    return [line for name in names if (line := _constraint(name))]


def _constraint(name: str) -> str:
    try:
        return f"{name}=={metadata.version(name)}"
    except metadata.PackageNotFoundError:
        return f"{name}<0" if importlib.util.find_spec(name) else ""


@contextmanager
def _variables(values: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
