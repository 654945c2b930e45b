"""Safe access to the elements of a header: a value of the wrong kind counts as missing."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable
from typing import Any

from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.tag import BaseTag, Tag

# A row of a header has far fewer values; more are damage or a private block.
_MOST_VALUES = 100_000


class Attributes:
    """The elements that hold for one frame, looked up in several data sets; the first one that has a value counts."""

    def __init__(self, *datasets: Dataset):
        self._datasets = datasets
        self._values: dict[str | int, Any] = {}

    def value(self, key: str | int) -> Any:
        """The value of an element by keyword or tag; None if it is missing, empty or unreadable."""
        if key not in self._values:  # pydicom takes long for each look
            self._values[key] = self._look_up(_tag(key))
        return self._values[key]

    def _look_up(self, tag: BaseTag) -> Any:
        for dataset in self._datasets:
            try:
                value = dataset[tag].value if tag in dataset else None
            except Exception:  # a damaged value raises any exception in pydicom
                continue
            if value is not None and value != "" and value != b"":
                return value
        return None

    def numbers(self, key: str | int) -> tuple[float, ...]:
        """The finite numbers of an element; empty if one of its values is not a number."""
        value = self.value(key)
        values = value if isinstance(value, MultiValue | list | tuple) else [value]
        if isinstance(value, bytes):  # a private element of unknown kind
            values = value.decode("latin-1").strip("\0 ").split("\\")
        if len(values) > _MOST_VALUES:
            return ()
        try:
            numbers = tuple(float(entry) for entry in values)
        except (TypeError, ValueError, OverflowError):
            return ()
        return numbers if all(map(math.isfinite, numbers)) else ()

    def number(self, key: str | int) -> float | None:
        """The first number of an element; None without one."""
        return next(iter(self.numbers(key)), None)

    def vector(self, key: str | int, length: int) -> tuple[float, ...] | None:
        """The numbers of an element if there are `length` of them, otherwise None."""
        numbers = self.numbers(key)
        return numbers if len(numbers) == length else None

    def whole(self, key: str | int, default: int = 0) -> int:
        """The first number of an element as an integer."""
        number = self.number(key)
        return default if number is None else int(number)

    def text(self, key: str | int) -> str:
        """An element as one line of printable text."""
        value = self.value(key)
        return "" if value is None else printable(str(value))

    def texts(self, key: str | int) -> tuple[str, ...]:
        """The texts of an element with several values."""
        value = self.value(key)
        if value is None:
            return ()
        values: Iterable[Any] = value if isinstance(value, MultiValue | list | tuple) else [value]
        return tuple(printable(str(entry)) for entry in values)

    def items(self, key: str | int) -> list[Dataset]:
        """The items of a sequence; empty without one."""
        value = self.value(key)
        try:
            return [item for item in value if isinstance(item, Dataset)] if value is not None else []
        except TypeError:
            return []


@functools.cache
def _tag(key: str | int) -> BaseTag:
    return Tag(key)


def printable(text: str, length: int = 64) -> str:
    """`text` without control signs, which could command a terminal, and of limited length."""
    return "".join(sign if sign.isprintable() else " " for sign in text[: 4 * length]).strip()[:length]
