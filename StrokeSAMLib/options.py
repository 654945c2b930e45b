"""The options of a method or an engine: a frozen dataclass whose fields carry help, unit, range and source."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, TypeVar

from StrokeSAMLib.errors import OptionError

T = TypeVar("T")
# Where a network may run.
DEVICES = ("auto", "cpu", "cuda", "mps")


def option(
    default: Any,
    help: str,
    unit: str = "",
    least: float | None = None,
    most: float | None = None,
    source: str = "",
    choices: tuple[Any, ...] = (),
) -> Any:
    """A documented field of an option class.

    Args:
        default: its value when the user says nothing; its type is the option's type (float, int, bool or str).
        help: one line on what it does.
        unit: "mm", "HU", "ml", …
        least, most: the permitted range, ends included.
        source: the paper or the measurement that the default comes from.
        choices: the only values it may have.
    """
    about = {"help": help, "unit": unit, "least": least, "most": most, "source": source, "choices": choices}
    return dataclasses.field(default=default, metadata=about)


def build_options(options_class: type[T], given: Mapping[str, Any], owner: str) -> T:
    """`options_class` with the values `given`, converted from text where they are text, and checked.

    Args:
        owner: whose they are, as an error says it: "method asymmetry".

    Raises:
        OptionError: an unknown name, a value of the wrong type or outside its range.
    """
    fields = {field.name: field for field in dataclasses.fields(options_class)}  # type: ignore[arg-type]
    for name in given:
        if name not in fields:
            raise OptionError(f"{owner} has no option '{name}'; it has: {', '.join(fields) or 'none'}")
    return options_class(**{name: _checked(fields[name], value) for name, value in given.items()})


def check_device(name: str) -> None:
    """Raise `OptionError` where no device is called that; whether it is here is another question."""
    if name not in DEVICES:
        raise OptionError(f"device is '{name}'; it must be one of {', '.join(DEVICES)}")


@dataclasses.dataclass(frozen=True)
class NoOptions:
    """Of what has no options."""


def describe_options(options_class: type) -> list[tuple[str, str, str, str, str, str]]:
    """A row for each option: name, default, unit, range, help, source."""
    rows = []
    for field in dataclasses.fields(options_class):
        about = field.metadata
        rows.append((field.name, str(field.default), about["unit"], _range(about), about["help"], about["source"]))
    return rows


def _checked(field: dataclasses.Field, value: Any) -> Any:
    converted = _convert(field, value)
    least, most, choices = (field.metadata[name] for name in ("least", "most", "choices"))
    too_little, too_much = least is not None and not converted >= least, most is not None and not converted <= most
    if too_little or too_much or (choices and converted not in choices):
        raise OptionError(f"option '{field.name}' is {value}; it must be {_range(field.metadata)}")
    return converted


def _range(about: Mapping[str, Any]) -> str:
    """What is permitted, in words; empty where everything is."""
    least, most = about["least"], about["most"]
    if about["choices"]:
        return " or ".join(str(choice) for choice in about["choices"])
    if least is None and most is None:
        return ""
    if most is None:
        return f"{least:g} or more"
    return f"{most:g} or less" if least is None else f"{least:g} to {most:g}"


def _convert(field: dataclasses.Field, value: Any) -> Any:
    kind = type(field.default)
    try:
        if kind is bool:
            return _BOOLEANS[str(value).lower()]
        if kind is int and float(value) != int(float(value)):
            raise ValueError
        return kind(value)
    except (KeyError, ValueError, TypeError, OverflowError):
        raise OptionError(f"option '{field.name}' must be {_KINDS[kind]}, not '{value}'") from None


_BOOLEANS = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}
_KINDS = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}
