"""Write Testing/Data/qt_names.json: the names of every Qt class that the extension uses, read from PySide6.

    QT_QPA_PLATFORM=offscreen python Testing/qt_names.py

Needs PySide6-Essentials, which nothing else needs except render_icons.py. The tests' stand-in for Qt refuses any name
that is not in the file. Run the script again when the extension uses another class of Qt.

The file has an entry for each class and for each of its base classes. `bases` are the base classes. `names` are the
names that the class itself adds, sorted: methods, properties, and signals with the types of their arguments, such as
"clicked(bool)". The entry `Qt` has the members of the enumerations that the extension uses.
"""

import enum
import json
import re
from pathlib import Path

from PySide6 import QtCore, QtGui, QtWidgets

ROOT = Path(__file__).resolve().parents[1]
OUTPUT = ROOT / "Testing" / "Data" / "qt_names.json"
FOLDERS = ("StrokeSAM", "StrokeSAMLib/ui")
PANEL = ROOT / "StrokeSAM" / "Resources" / "UI" / "StrokeSAM.ui"
# Classes that the code does not name: QTableWidgetItem.font returns QFont, and the tests find the main window.
OTHERS = ("QFont", "QMainWindow")


def find_class(name: str) -> type:
    """Return the PySide6 class `name`."""
    return next(getattr(module, name) for module in (QtWidgets, QtGui, QtCore) if hasattr(module, name))


def bases_of(cls: type) -> list[type]:
    """Return the direct base classes of `cls` that belong to Qt."""
    return [base for base in cls.__bases__ if base.__module__.startswith("PySide6.")]


def names_of(cls: type) -> list[str]:
    """Return the names that `cls` adds to those of its base classes, sorted."""
    names = {name for name, value in vars(cls).items() if is_public(name) and not is_enumeration(value)}
    meta = vars(cls).get("staticMetaObject")
    if meta is not None:
        names |= {meta.property(n).name() for n in range(meta.propertyOffset(), meta.propertyCount())}
        for n in range(meta.methodOffset(), meta.methodCount()):
            method = meta.method(n)
            if method.methodType() == QtCore.QMetaMethod.MethodType.Signal:
                names.add(bytes(method.methodSignature()).decode())
    return sorted(names)


def is_public(name: str) -> bool:
    """Whether a name of a PySide6 class is a name of the Qt class."""
    return not name.startswith("_") and name != "staticMetaObject"


def is_enumeration(value: object) -> bool:
    """Whether `value` is an enumeration type."""
    return isinstance(value, type) and issubclass(value, enum.Enum)


def enumerators(used: set[str]) -> list[str]:
    """Return the members of all enumerations of the namespace Qt that have a member in `used`, sorted."""
    enumerations = [set(value.__members__) for value in vars(QtCore.Qt).values() if is_enumeration(value)]
    members = set().union(*(each for each in enumerations if each & used))
    if used - members:
        raise SystemExit(f"no members of Qt: {', '.join(sorted(used - members))}")
    return sorted(members)


def main() -> None:
    """Read the names from PySide6 and write the file."""
    paths = (path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))
    code = "".join(path.read_text("utf-8") for path in paths)
    classes = set(re.findall(r"\bqt\.(Q\w+)", code)) - {"Qt"}
    classes |= set(re.findall(r'class="(Q\w+)"', PANEL.read_text("utf-8"))) | set(OTHERS)
    pending, entries = [find_class(name) for name in sorted(classes)], {}
    while pending:
        cls = pending.pop()
        if cls.__name__ not in entries:
            bases = bases_of(cls)
            entries[cls.__name__] = {"bases": [base.__name__ for base in bases], "names": names_of(cls)}
            pending += bases
    entries["Qt"] = {"bases": [], "names": enumerators(set(re.findall(r"\bqt\.Qt\.(\w+)", code)))}
    lines = (f"{json.dumps(name)}: {json.dumps(entries[name])}" for name in sorted(entries))
    OUTPUT.write_text("{\n" + ",\n".join(lines) + "\n}\n", "utf-8")


if __name__ == "__main__":
    main()
