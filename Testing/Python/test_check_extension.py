"""packaging/check_extension.py: this checkout is ready for Slicer's ExtensionsIndex, and mistakes are found."""

import json
import shutil
import subprocess

import pytest
from helpers import ROOT, load_script

check = load_script(ROOT / "packaging" / "check_extension.py")
FILES = ("CMakeLists.txt", "README.md", "LICENSE", "CITATION.cff", "StrokeSAM/CMakeLists.txt")
PICTURES = ("docs/module.png", "docs/effect.png", "docs/demo.png", "StrokeSAM/Resources/Icons/StrokeSAM.png")


def git(root, *words):
    identity = ("-c", "user.name=Tester", "-c", "user.email=tester@example.com")
    subprocess.run(["git", "-C", str(root), *identity, *words], check=True, capture_output=True)


@pytest.fixture
def checkout(tmp_path):
    """A small repository with the files that the index reads."""
    for name in (*FILES, *PICTURES, "packaging/StrokeSAM.json"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, tmp_path / name)
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "-m", "all")
    return tmp_path


def problems(root, name="StrokeSAM.json"):
    return check.problems(root / "packaging" / name, root)


def change(path, old, new):
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), "utf-8")


def change_entry(root, **values):
    path = root / "packaging" / "StrokeSAM.json"
    entry = {**json.loads(path.read_text("utf-8")), **values}
    path.write_text(json.dumps({key: value for key, value in entry.items() if value is not None}))


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="no clone: git tells the size of the checkout")
def test_nothing_is_wrong_with_this_checkout():
    assert problems(ROOT) == []


def test_nothing_is_wrong_with_a_copy_of_the_files_that_the_index_reads(checkout):
    assert problems(checkout) == []


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"scm_url": None}, "scm_url is missing"),
        ({"tier": "1"}, "tier is '1', no int"),
        ({"tier": True}, "tier is True, no int"),
        ({"tier": 6}, "tier is not 1 to 5"),
        ({"colour": "red"}, "colour is no key of the schema"),
        ({"$schema": "https://example.com/schema.json"}, "$schema is not the address of a known schema"),
        ({"category": "Stroke"}, "the category is Stroke, not that of the module"),
        ({"scm_url": "/home/me/SlicerStrokeSAM"}, "scm_url is no address of https or git: /home/me/SlicerStrokeSAM"),
        ({"scm_url": "https://github.com/StrokeSAM/StrokeSAM"}, "name does not begin with Slicer: StrokeSAM"),
        ({"build_dependencies": []}, "EXTENSION_DEPENDS is PyTorch, but build_dependencies are []"),
        ({"scm_revision": "5.12"}, "does not begin with https://raw.githubusercontent.com/"),
    ],
)
def test_a_mistake_in_the_entry_is_found(checkout, values, problem):
    change_entry(checkout, **values)
    found = problems(checkout)
    assert found and any(problem in line for line in found)


def test_an_entry_that_is_no_json_is_one_line(checkout):
    (checkout / "packaging" / "StrokeSAM.json").write_text("{")
    (line,) = problems(checkout)
    assert line.startswith("StrokeSAM.json: no JSON")


def test_the_entrys_name_is_the_extensions(checkout):
    (checkout / "packaging" / "StrokeSAM.json").rename(checkout / "packaging" / "SlicerStrokes.json")
    found = problems(checkout, "SlicerStrokes.json")
    assert "SlicerStrokes.json: an extension's name does not begin with Slicer" in found
    assert "CMakeLists.txt: the project is StrokeSAM, not SlicerStrokes" in found


@pytest.mark.parametrize(
    ("file", "old", "new", "problem"),
    [
        ("CMakeLists.txt", "EXTENSION_ICONURL", "EXTENSION_ICON", "EXTENSION_ICONURL is missing"),
        ("CMakeLists.txt", "docs/demo.png", "docs/none.png", "docs/none.png is not in this checkout"),
        ("CMakeLists.txt", "docs/demo.png", "README.md", "README.md is no picture"),
        (
            "CMakeLists.txt",
            'set(EXTENSION_DESCRIPTION "',
            'set(EXTENSION_DESCRIPTION "A. B. ',
            "more than two sentences",
        ),
        ("README.md", "# StrokeSAM", "# Strokes", "the title does not name StrokeSAM"),
        ("README.md", "](docs/module.png)", "](docs/none.png)", "the picture docs/none.png is missing"),
        ("README.md", "- **StrokeSAM", "- **Stroke", "the section Modules has no sentence about StrokeSAM"),
        ("README.md", "Sample Data", "a file", "the section Tutorial has no numbered steps with Sample Data"),
        ("README.md", "## How to cite", "## Thanks", "no section on how to cite"),
        ("README.md", "Apache License", "licence", "the licence is not named"),
    ],
)
def test_a_mistake_in_cmake_or_readme_is_found(checkout, file, old, new, problem):
    change(checkout / file, old, new)
    found = problems(checkout)
    assert found and any(problem in line for line in found)


@pytest.mark.parametrize(
    ("file", "problem"), [("LICENSE", "no licence file in the root"), ("CITATION.cff", "no CITATION.cff in the root")]
)
def test_a_missing_file_is_found(checkout, file, problem):
    (checkout / file).unlink()
    assert problems(checkout) == [problem]


def test_a_clone_that_is_too_large_is_found(checkout, monkeypatch):
    monkeypatch.setattr(check, "LIMIT_MB", 0)
    assert any("0 MB are allowed" in line for line in problems(checkout))
    before = check.checkout_bytes(checkout)
    (checkout / "large.bin").write_bytes(bytes(1000))
    assert check.checkout_bytes(checkout) == before  # not committed
    git(checkout, "add", ".")
    git(checkout, "commit", "--quiet", "-m", "large")
    assert check.checkout_bytes(checkout) > before + 1000


class TestOnline:
    ENTRY = json.loads((ROOT / "packaging" / "StrokeSAM.json").read_text("utf-8"))
    FIELDS = check.cmake_fields(ROOT / "CMakeLists.txt")

    def test_addresses_that_answer_and_the_topic_are_fine(self):
        asked = []

        def get(address):
            asked.append(address)
            return json.dumps({"names": ["stroke", check.TOPIC]}).encode()

        assert list(check.online_problems(self.ENTRY, self.FIELDS, get)) == []
        assert self.FIELDS["EXTENSION_ICONURL"] in asked and self.FIELDS["EXTENSION_HOMEPAGE"] in asked
        assert asked[-1] == "https://api.github.com/repos/StrokeSAM/SlicerStrokeSAM/topics"

    def test_an_address_without_answer_and_a_missing_topic_are_found(self):
        def get(address):
            if address.endswith("StrokeSAM.png"):
                raise OSError("404")
            return b'{"names": []}'

        icon, topic = check.online_problems(self.ENTRY, self.FIELDS, get)
        assert icon.endswith("StrokeSAM.png: 404") and topic.endswith("does not have the topic 3d-slicer-extension")
