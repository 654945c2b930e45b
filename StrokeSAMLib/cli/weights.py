"""The commands `strokesam weights …`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from StrokeSAMLib.cli.terminal import monitoring, print_table
from StrokeSAMLib.core.errors import InputError
from StrokeSAMLib.weights.catalogue import Entry, catalogue, find_weights

if TYPE_CHECKING:
    from StrokeSAMLib.weights.store import Store

app = typer.Typer(help="Checkpoints of networks: fetch, import, check, delete.", rich_markup_mode=None)
_Id = Annotated[str, typer.Argument(help="See `strokesam weights list`.")]


@app.command("list")
def list_() -> None:
    """List the checkpoints, their licences, and which are in the store."""
    store = _store()
    table = Table("weights", "what they are", "MB", "licence", "for", "here", "get them by", box=None)
    for entry in catalogue().values():
        here = "yes" if store.find(entry.id) else "no"
        users = ", ".join(entry.used_by) or "–"
        source = "included" if entry.shipped else entry.install_command.split()[2]
        table.add_row(entry.id, entry.title, _size(entry), entry.licence, users, here, source)
    print_table(table)
    print(f"They are kept in {store.folder}.")


@app.command()
def fetch(
    id: _Id,
    yes: Annotated[bool, typer.Option("--yes", help="Accept the licence without being asked.")] = False,
) -> None:
    """Download a checkpoint after its licence is accepted."""
    from StrokeSAMLib.weights.download import fetch

    entry, store = find_weights(id), _store()
    url = entry.download_url()
    if store.is_intact(id):
        print(f"{id} is here already: {store.path(id)}")
        return
    if not (yes or _is_interactive()):
        raise InputError(f"{id}: its licence ({entry.licence}) must be accepted; without a terminal, use --yes")
    print(_terms(entry, url), flush=True)
    if not (yes or _ask_for_consent()):
        raise InputError(f"{id}: not fetched, its licence was not accepted")
    with monitoring() as monitor:
        path = fetch(entry, store, monitor)
    print(f"{id} → {path}")


@app.command("import")
def import_(
    id: _Id,
    file: Annotated[Path, typer.Argument(help="The checkpoint, as it was downloaded.")],
) -> None:
    """Copy a downloaded checkpoint into the store, after it was read safely and its network was checked."""
    from StrokeSAMLib.weights.importing import import_weights

    entry, store = find_weights(id), _store()
    with monitoring() as monitor:
        compared = import_weights(entry, file, store, monitor)
    print(f"{id} → {store.path(id)}")
    if not compared:
        reason = f"the network {entry.architecture} is not available here"
        print(f"note: its keys were not compared, because {reason}", file=sys.stderr)


@app.command()
def verify(
    id: Annotated[str | None, typer.Argument(help="By default all checkpoints in the store.")] = None,
) -> None:
    """Compare checkpoints with their SHA-256."""
    store = _store()
    ids = [entry.id for entry in store.entries()] if id is None else [id]
    faults = []
    for each in ids:
        try:
            print(f"{each}: intact, SHA-256 {store.verify(each)}")
        except InputError as error:
            faults.append(str(error))
    if faults:
        raise InputError("; ".join(faults))


@app.command()
def remove(id: _Id) -> None:
    """Delete a checkpoint."""
    print(f"{id} deleted: {_store().remove(id)}")


def _store() -> Store:
    from StrokeSAMLib.weights.store import Store

    return Store()


def _size(entry: Entry) -> str:
    return "?" if entry.megabytes is None else str(entry.megabytes)


def _terms(entry: Entry, url: str) -> str:
    size = "of unknown size" if entry.megabytes is None else f"about {entry.megabytes} MB"
    lines = (
        f"{entry.title} ({size}, {url})",
        f"Memory: {entry.memory_bytes / 1e6:.0f} MB for the weights alone",
        f"Licence: {entry.licence} {entry.page}",
        f"Please cite: {entry.citation}",
    )
    return "\n".join(lines)


def _is_interactive() -> bool:
    return sys.stdin is not None and sys.stdin.isatty()


def _ask_for_consent() -> bool:
    print("Accept its licence and download it? [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")
