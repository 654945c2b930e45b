"""Check what Slicer's ExtensionsIndex checks of an extension, before it is submitted there.

    python packaging/check_extension.py             # this checkout and its entry packaging/StrokeSAM.json
    python packaging/check_extension.py --online    # the addresses and the topic of the repository, too

`StrokeSAM.json` is the entry to submit: a copy of it goes into the root of https://github.com/Slicer/ExtensionsIndex.
The checks are those of the index's script `check_description_files.py`, of its template for pull requests, and of the
questions that its review asks. Exit status 0: nothing was found.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

HERE = Path(__file__).resolve().parent
LIMIT_MB = 100
TOPIC = "3d-slicer-extension"
SCHEMA = re.compile(r"https://raw\.githubusercontent\.com/Slicer/Slicer/main/Schemas/[\w.-]+-v1\.0\.[12]\.json#?")
# The entry's keys in version 1.0.2 of the index's schema.
KEYS = {
    "$schema": str,
    "build_dependencies": list,
    "build_subdirectory": str,
    "category": str,
    "dicom_support_rule": str,
    "enabled": bool,
    "scm_revision": str,
    "scm_type": str,
    "scm_url": str,
    "tier": int,
}
REQUIRED = ("$schema", "category", "scm_url")
LICENCE_FILES = ("LICENSE", "LICENSE.txt", "License.txt", "LICENCE", "COPYING", "COPYING.txt")
IMAGES = (".png", ".jpg", ".jpeg", ".gif")


def problems(entry_file: Path, root: Path) -> list[str]:
    """Everything in an entry and its checkout that the index would refuse, one line each.

    Args:
        entry_file: the entry; its name without ".json" is the extension's.
        root: the root of the checkout.
    """
    try:
        entry = json.loads(entry_file.read_text("utf-8"))
    except ValueError as error:
        return [f"{entry_file.name}: no JSON: {error}"]
    wrong = list(_schema_problems(entry))
    if wrong:  # the other checks read these values
        return [f"{entry_file.name}: {problem}" for problem in wrong]
    fields = cmake_fields(root / "CMakeLists.txt")
    readme = (root / "README.md").read_text("utf-8")
    name = entry_file.stem
    return [
        *(f"{entry_file.name}: {problem}" for problem in _entry_problems(entry_file, entry)),
        *(f"CMakeLists.txt: {problem}" for problem in _cmake_problems(name, entry, fields, root)),
        *(f"README.md: {problem}" for problem in _readme_problems(name, readme, root)),
        *_checkout_problems(root),
    ]


def cmake_fields(path: Path) -> dict[str, str]:
    """The values of `project` and of each `set(EXTENSION_… "…")` in a CMakeLists.txt."""
    text = re.sub(r"#.*", "", path.read_text("utf-8"))
    fields = dict(re.findall(r'set\(\s*(EXTENSION_\w+)\s+"([^"]*)"\s*\)', text))
    project = re.search(r"project\(\s*(\w+)", text)
    return {**fields, "project": project.group(1) if project else ""}


def _schema_problems(entry: Any) -> Iterator[str]:
    if not isinstance(entry, dict):
        yield "no JSON object"
        return
    for key in REQUIRED:
        if key not in entry:
            yield f"{key} is missing"
    for key, value in entry.items():
        if key not in KEYS:
            yield f"{key} is no key of the schema"
        elif type(value) is not KEYS[key]:
            yield f"{key} is {value!r}, no {KEYS[key].__name__}"
    if not all(isinstance(name, str) for name in entry.get("build_dependencies", [])):
        yield "build_dependencies are names"


def _entry_problems(entry_file: Path, entry: dict[str, Any]) -> Iterator[str]:
    if b"\r" in entry_file.read_bytes():
        yield "lines end with CR"
    if entry_file.stem.lower().startswith("slicer"):
        yield "an extension's name does not begin with Slicer"
    if not SCHEMA.fullmatch(entry["$schema"]):
        yield "$schema is not the address of a known schema"
    if entry["category"] != "Segmentation":
        yield f"the category is {entry['category']}, not that of the module"
    if not 1 <= entry.get("tier", 1) <= 5:
        yield "tier is not 1 to 5"
    address = urlsplit(entry["scm_url"])
    if address.scheme not in ("https", "git") or not address.netloc:
        yield f"scm_url is no address of https or git: {entry['scm_url']}"
    repository = Path(address.path).name.removesuffix(".git")
    if not repository.startswith("Slicer"):
        yield f"the repository's name does not begin with Slicer: {repository}"


def _cmake_problems(name: str, entry: dict[str, Any], fields: dict[str, str], root: Path) -> Iterator[str]:
    if fields["project"] != name:
        yield f"the project is {fields['project'] or 'missing'}, not {name}"
    missing = [field for field in ("HOMEPAGE", "CONTRIBUTORS", "DESCRIPTION") if not fields.get(f"EXTENSION_{field}")]
    yield from (f"EXTENSION_{field} is missing" for field in missing)
    if len(re.findall(r"\.(?:\s|$)", fields.get("EXTENSION_DESCRIPTION", ""))) > 2:
        yield "EXTENSION_DESCRIPTION has more than two sentences"
    if not fields.get("EXTENSION_HOMEPAGE", "https://").startswith("https://"):
        yield "EXTENSION_HOMEPAGE is no address of https"
    depends = fields.get("EXTENSION_DEPENDS", "NA").split()
    if [each for each in depends if each != "NA"] != entry.get("build_dependencies", []):
        yield f"EXTENSION_DEPENDS is {' '.join(depends)}, but build_dependencies are {entry.get('build_dependencies')}"
    for field in ("EXTENSION_ICONURL", "EXTENSION_SCREENSHOTURLS"):
        addresses = fields.get(field, "").split()
        if not addresses:
            yield f"{field} is missing"
        for address in addresses:
            yield from (f"{field}: {problem}" for problem in _image_problems(address, entry, root))


def _image_problems(address: str, entry: dict[str, Any], root: Path) -> Iterator[str]:
    """What is wrong with the address of a picture, which is a file of the checkout."""
    repository = urlsplit(entry["scm_url"]).path.removesuffix(".git")
    start = f"https://raw.githubusercontent.com{repository}/{entry.get('scm_revision', 'main')}/"
    if not address.startswith(start):
        yield f"{address} does not begin with {start}"
    elif not address.lower().endswith(IMAGES):
        yield f"{address} is no picture"
    elif not (root / address.removeprefix(start)).is_file():
        yield f"{address.removeprefix(start)} is not in this checkout"


def _readme_problems(name: str, readme: str, root: Path) -> Iterator[str]:
    if name not in readme.partition("\n")[0]:
        yield f"the title does not name {name}"
    pictures = re.findall(r"!\[[^\]]*\]\(([^)#]+)\)", readme)
    if not pictures:
        yield "no picture"
    yield from (f"the picture {picture} is missing" for picture in pictures if not (root / picture).is_file())
    modules = _section(readme, "Modules")
    for module in _module_names(root):
        if not re.search(rf"^- \*\*[^*]*{module}[^*]*\*\*.*\.$", modules, re.MULTILINE):
            yield f"the section Modules has no sentence about {module}"
    tutorial = _section(readme, "Tutorial")
    if len(re.findall(r"^\d+\. ", tutorial, re.MULTILINE)) < 3 or "Sample Data" not in tutorial:
        yield "the section Tutorial has no numbered steps with Sample Data"
    if not re.search(r"^#+ .*\bcite\b", readme, re.MULTILINE | re.IGNORECASE):
        yield "no section on how to cite"
    if not re.search(rf"{name} is under the \[?(Apache|MIT|BSD)", readme):
        yield "the licence is not named"


def _section(readme: str, title: str) -> str:
    """The text below the heading that begins with `title`; "" if there is none."""
    match = re.search(rf"^## {title}.*?$(.*?)(?=^## |\Z)", readme, re.MULTILINE | re.DOTALL)
    return match.group(1) if match else ""


def _module_names(root: Path) -> list[str]:
    """The scripted modules of the extension: the folders whose CMakeLists.txt builds one."""
    builds = "slicerMacroBuildScriptedModule"
    return sorted(path.parent.name for path in root.glob("*/CMakeLists.txt") if builds in path.read_text("utf-8"))


def _checkout_problems(root: Path) -> Iterator[str]:
    if not any((root / file).is_file() for file in LICENCE_FILES):
        yield "no licence file in the root"
    if not (root / "CITATION.cff").is_file():
        yield "no CITATION.cff in the root"
    megabytes = checkout_bytes(root) / 2**20
    if megabytes > LIMIT_MB:
        yield f"the checkout has {megabytes:.0f} MB; {LIMIT_MB} MB are allowed"


def checkout_bytes(root: Path) -> int:
    """The size of a clone, bytes: the files of the last commit, and all history that leads to it."""

    def git(*words: str) -> str:
        return subprocess.run(["git", "-C", str(root), *words], capture_output=True, text=True, check=True).stdout

    files = sum(int(line.split()[3]) for line in git("ls-tree", "-r", "-l", "HEAD").splitlines())
    return files + int(git("rev-list", "--objects", "--disk-usage", "HEAD"))


def online_problems(entry: dict[str, Any], fields: dict[str, str], get: Callable[[str], bytes]) -> Iterator[str]:
    """The addresses that cannot be read, and the topic if the repository does not have it.

    Args:
        entry: the entry.
        fields: the fields of CMakeLists.txt.
        get: reads an address; raises `OSError` if it cannot.
    """
    pictures = f"{fields['EXTENSION_ICONURL']} {fields['EXTENSION_SCREENSHOTURLS']}".split()
    for address in (entry["$schema"].partition("#")[0], fields["EXTENSION_HOMEPAGE"], *pictures):
        try:
            get(address)
        except OSError as error:
            yield f"{address}: {error}"
    path = urlsplit(entry["scm_url"]).path.removesuffix(".git")
    try:
        topics = json.loads(get(f"https://api.github.com/repos{path}/topics"))["names"]
    except OSError as error:
        yield f"the topics of {entry['scm_url']}: {error}"
    else:
        if TOPIC not in topics:
            yield f"{entry['scm_url']} does not have the topic {TOPIC}"


def _get(address: str) -> bytes:
    with urllib.request.urlopen(address, timeout=30) as answer:
        return answer.read()


def main() -> int:
    """Print the problems; returns the exit status."""
    entry_file, root = HERE / "StrokeSAM.json", HERE.parent
    found = problems(entry_file, root)
    if "--online" in sys.argv[1:] and not found:
        entry = json.loads(entry_file.read_text("utf-8"))
        found = list(online_problems(entry, cmake_fields(root / "CMakeLists.txt"), _get))
    print("\n".join(found) or f"{entry_file.stem}: nothing was found")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
