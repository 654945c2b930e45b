"""The options of a method as rows of a table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from StrokeSAMLib.lesion.registry import Method
from StrokeSAMLib.ui.translation import tr as _
from StrokeSAMLib.ui.translation import trLibrary


@dataclass(frozen=True)
class OptionRow:
    """One option: name, current value, default, unit, help, permitted values, and the source of its default."""

    name: str
    value: str
    default: str
    unit: str
    help: str
    limits: str
    source: str

    @property
    def toolTip(self) -> str:
        """A text that explains the option, in Slicer's language. Call it on the main thread."""
        parts = (trLibrary(self.help), _("default {value}").format(value=self.default), self.limits, self.source)
        return "; ".join(part for part in parts if part)


def describeOptions(method: Method) -> list[OptionRow]:
    """The options of a method with their defaults. Imports the method, which may take seconds the first time."""
    from StrokeSAMLib.core.options import describe_options

    return [
        OptionRow(name, default, default, unit, help, limits, source)
        for name, default, unit, limits, help, source in describe_options(method.options_class())
    ]


def withValues(rows: list[OptionRow], values: Mapping[str, str]) -> list[OptionRow]:
    """Copies of the rows with the values in `values`, and defaults for the others."""
    return [replace(row, value=values.get(row.name, row.default)) for row in rows]
