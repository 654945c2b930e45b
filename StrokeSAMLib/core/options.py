"""Options of a method or an engine: a frozen dataclass whose fields carry help, unit, range and source."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, TypeVar

from StrokeSAMLib.core.errors import OptionError

T = TypeVar("T")
# The devices on which a network may run.
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
    """Declare a documented field of an option class.

    Args:
        default: the default value; its type is the option's type (float, int, bool or str).
        help: one line on the effect of the option.
        unit: "mm", "HU", "ml", …
        least, most: the permitted range, ends included.
        source: the paper or the measurement that the default comes from.
        choices: the permitted values; empty permits all.
    """
    metadata = {"help": help, "unit": unit, "least": least, "most": most, "source": source, "choices": choices}
    return dataclasses.field(default=default, metadata=metadata)


def build_options(options_class: type[T], values: Mapping[str, Any], owner: str) -> T:
    """Build an instance of `options_class` from `values`, which are converted from text where needed and checked.

    Args:
        options_class: a dataclass of `option` fields.
        values: values by option name; the other options keep their defaults.
        owner: the owner of the options, as an error names it: "method asymmetry".

    Raises:
        OptionError: an unknown name, a value of the wrong type or outside its range.
    """
    fields = {field.name: field for field in dataclasses.fields(options_class)}  # type: ignore[arg-type]
    for name in values:
        if name not in fields:
            raise OptionError(f"{owner} has no option '{name}'; it has: {', '.join(fields) or 'none'}")
    return options_class(**{name: _checked(fields[name], value) for name, value in values.items()})


def check_device(name: str) -> None:
    """Raise `OptionError` for an unknown device name. The device need not be present on this machine."""
    if name not in DEVICES:
        raise OptionError(f"device is '{name}'; it must be one of {', '.join(DEVICES)}")


@dataclasses.dataclass(frozen=True)
class NoOptions:
    """The option class of a method or engine without options."""


def describe_options(options_class: type) -> list[tuple[str, str, str, str, str, str]]:
    """A row for each option: name, default, unit, range, help, source."""
    rows = []
    for field in dataclasses.fields(options_class):
        metadata = field.metadata
        row = field.name, str(field.default), metadata["unit"], _range(metadata), metadata["help"], metadata["source"]
        rows.append(row)
    return rows


def _checked(field: dataclasses.Field, value: Any) -> Any:
    converted = _convert(field, value)
    least, most, choices = (field.metadata[name] for name in ("least", "most", "choices"))
    # Written so that NaN is out of range.
    too_little, too_much = least is not None and not converted >= least, most is not None and not converted <= most
    if too_little or too_much or (choices and converted not in choices):
        raise OptionError(f"option '{field.name}' is {value}; it must be {_range(field.metadata)}")
    return converted


def _range(metadata: Mapping[str, Any]) -> str:
    """The permitted values in words; empty if all are permitted."""
    least, most = metadata["least"], metadata["most"]
    if metadata["choices"]:
        return " or ".join(str(choice) for choice in metadata["choices"])
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
