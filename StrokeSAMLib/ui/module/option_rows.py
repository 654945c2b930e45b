"""The options of a method as rows of a table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from StrokeSAMLib.lesion.registry import Method


@dataclass(frozen=True)
class OptionRow:
    """One option: name, current value, default, unit, and a text that explains it."""

    name: str
    value: str
    default: str
    unit: str
    help: str


def describeOptions(method: Method) -> list[OptionRow]:
    """The options of a method with their defaults. Imports the method, which may take seconds the first time."""
    from StrokeSAMLib.core.options import describe_options

    return [
        OptionRow(name, default, default, unit, _help(help, default, limits, source))
        for name, default, unit, limits, help, source in describe_options(method.options_class())
    ]


def withValues(rows: list[OptionRow], values: Mapping[str, str]) -> list[OptionRow]:
    """Copies of the rows with the values in `values`, and defaults for the others."""
    return [OptionRow(r.name, values.get(r.name, r.default), r.default, r.unit, r.help) for r in rows]


def _help(help: str, default: str, limits: str, source: str) -> str:
    parts = (help, f"default {default}", limits, source)
    return "; ".join(part for part in parts if part)
