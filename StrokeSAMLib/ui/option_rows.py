"""A method's options as the rows of a table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from StrokeSAMLib.lesion.registry import Method


@dataclass(frozen=True)
class OptionRow:
    """An option: what it is called, what it is now and by default, and a text on what it does."""

    name: str
    value: str
    default: str
    unit: str
    help: str


def describeOptions(method: Method) -> list[OptionRow]:
    """Every option of a method, as by default. Imports the method, which takes a while the first time."""
    from StrokeSAMLib.options import describe_options

    return [
        OptionRow(name, default, default, unit, _help(help, default, limits, source))
        for name, default, unit, limits, help, source in describe_options(method.options_class())
    ]


def withValues(rows: list[OptionRow], values: Mapping[str, str]) -> list[OptionRow]:
    """The rows with the values that are not as by default."""
    return [OptionRow(r.name, values.get(r.name, r.default), r.default, r.unit, r.help) for r in rows]


def _help(help: str, default: str, limits: str, source: str) -> str:
    parts = (help, f"default {default}", limits, source)
    return "; ".join(part for part in parts if part)
