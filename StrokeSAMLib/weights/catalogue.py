"""The catalogue of checkpoints: purpose, source and terms of each."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from StrokeSAMLib.core.errors import InputError, OptionError


@dataclass(frozen=True)
class Entry:
    """A checkpoint of the catalogue. catalogue.schema.json explains each field."""

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
    def install_command(self) -> str:
        """The command that puts the checkpoint into the store, or the advice for one that ships with StrokeSAM."""
        if self.shipped:
            return "install StrokeSAM again"
        return f"strokesam weights {f'import {self.id} FILE' if self.url is None else f'fetch {self.id}'}"

    def download_url(self) -> str:
        """The address to download the checkpoint from.

        Raises:
            InputError: the checkpoint cannot be downloaded; the message says where a person finds it.
        """
        if self.shipped:
            raise InputError(f"{self.id} ships with StrokeSAM: there is nothing to fetch")
        if self.url is None:
            advice = f"download it from {self.page}, then run: {self.install_command}"
            raise InputError(f"{self.id} cannot be fetched, it is {self.obstacle}: {advice}")
        return self.url


@functools.cache
def catalogue() -> dict[str, Entry]:
    """Every checkpoint of the catalogue by its id."""
    rows = json.loads(_resource("catalogue.json"))["weights"]
    lists = ("used_by", "modality")
    return {row["id"]: Entry(**{**row, **{name: tuple(row[name]) for name in lists}}) for row in rows}


def shipped_file(entry: Entry) -> Path:
    """The path of weights that ship with StrokeSAM."""
    return Path(__file__).parent / "shipped" / f"{entry.id}.safetensors"


def find_weights(id: str) -> Entry:
    """The catalogue's entry called `id`.

    Raises:
        OptionError: there is none; the message lists all ids.
    """
    if id not in catalogue():
        raise OptionError(f"there are no weights '{id}'; there are: {', '.join(catalogue())}")
    return catalogue()[id]


def _resource(name: str) -> str:
    return resources.files("StrokeSAMLib.weights").joinpath(name).read_text("utf-8")
