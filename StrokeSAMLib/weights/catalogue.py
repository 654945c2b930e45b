"""The checkpoints there are: what each is for, where it comes from, on what terms."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from StrokeSAMLib.errors import InputError, OptionError


@dataclass(frozen=True)
class Entry:
    """A checkpoint; catalogue.schema.json says what each field is."""

    id: str
    title: str
    architecture: str
    used_by: tuple[str, ...]
    url: str | None
    obstacle: str | None
    page: str
    file: str | None
    bytes: int | None
    megabytes: int | None
    sha256: str | None
    licence: str
    citation: str
    modality: tuple[str, ...]
    memory_bytes: int
    shipped: bool = False

    @property
    def command(self) -> str:
        """What puts it into the store: a command, for all but what ships with StrokeSAM."""
        if self.shipped:
            return "install StrokeSAM again"
        return f"strokesam weights {f'import {self.id} FILE' if self.url is None else f'fetch {self.id}'}"

    def source(self) -> str:
        """The address that it is fetched from.

        Raises:
            InputError: it cannot be fetched; the text says where a person finds it.
        """
        if self.shipped:
            raise InputError(f"{self.id} ships with StrokeSAM: there is nothing to fetch")
        if self.url is None:
            how = f"download it from {self.page}, then run: {self.command}"
            raise InputError(f"{self.id} cannot be fetched, it is {self.obstacle}: {how}")
        return self.url


@functools.cache
def catalogue() -> dict[str, Entry]:
    """Every checkpoint by its id."""
    rows = json.loads(_resource("catalogue.json"))["weights"]
    lists = ("used_by", "modality")
    return {row["id"]: Entry(**{**row, **{name: tuple(row[name]) for name in lists}}) for row in rows}


def shipped_file(entry: Entry) -> Path:
    """Where weights that ship with StrokeSAM lie."""
    return Path(__file__).parent / "shipped" / f"{entry.id}.safetensors"


def schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of catalogue.json."""
    return json.loads(_resource("catalogue.schema.json"))


def find_weights(id: str) -> Entry:
    """The checkpoint called `id`.

    Raises:
        OptionError: there is none; the message lists those there are.
    """
    if id not in catalogue():
        raise OptionError(f"there are no weights '{id}'; there are: {', '.join(catalogue())}")
    return catalogue()[id]


def _resource(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text("utf-8")
