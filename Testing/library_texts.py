"""List the library's texts that Slicer shows: writes StrokeSAMLib/ui/library_texts.py, for Qt's lupdate.

    python Testing/library_texts.py

The library does not know Slicer, so its texts are English. The panels translate them where they show them
(`ui/translation.py`). A test compares the list with the library.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

LIBRARY = Path(__file__).resolve().parents[1] / "StrokeSAMLib"
LIST = LIBRARY / "ui" / "library_texts.py"
# The other rooms belong to the command line, or translate their texts themselves.
ROOMS = ("anatomy", "core", "imaging", "interactive", "io", "lesion", "mrml", "nets", "report", "weights")
# The place of the text among the arguments, by function: errors, progress, and the help of options.
PLACES = {"StrokeSAMError": 0, "InputError": 0, "OptionError": 0, "step": 1, "option": 1}
ENTRIES = ("Method", "EngineEntry", "Input")
HEAD = '''"""The library's texts that Slicer shows, made by Testing/library_texts.py. Fields are numbers in braces."""

# ruff: noqa: E501
# fmt: off
from collections.abc import Callable


def libraryTexts(translate: Callable[[str, str], str]) -> dict[str, str]:
    """Translate every text of the library; returns the translations by the text."""
    return {
'''


def template(node: ast.expr) -> str:
    """The text of a string or an f-string, with {0}, {1}, … for its fields; "" for any other expression."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if not isinstance(node, ast.JoinedStr):
        return ""
    texts, fields = [], 0
    for part in node.values:
        if isinstance(part, ast.Constant):
            texts.append(str(part.value))
        else:
            texts.append(f"{{{fields}}}")
            fields += 1
    return "".join(texts)


def texts_of(call: ast.Call) -> Iterator[str]:
    """The texts among the arguments of a call."""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    place = PLACES.get(name)
    if place is not None and place < len(call.args):
        yield template(call.args[place])
    if name in ENTRIES:
        yield from (template(keyword.value) for keyword in call.keywords if keyword.arg in ("title", "summary"))
        yield from (template(argument) for argument in call.args[1:2])


def texts() -> list[str]:
    """All texts, sorted. Texts without a word are left out."""
    calls = (
        node
        for room in ROOMS
        for path in (LIBRARY / room).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call)
    )
    found = {text for call in calls for text in texts_of(call)}
    return sorted(text for text in found if sum(map(str.isalpha, text)) > 3)


def source() -> str:
    """The content of the file."""
    lines = (f'        {_quoted(text)}: translate("StrokeSAMLib", {_quoted(text)}),\n' for text in texts())
    return HEAD + "".join(lines) + "    }\n"


def _quoted(text: str) -> str:
    quoted = repr(text)
    return quoted if '"' in text else '"' + quoted[1:-1].replace("\\'", "'") + '"'


if __name__ == "__main__":
    LIST.write_text(source(), "utf-8")
    sys.stdout.write(f"{len(texts())} texts\n")
