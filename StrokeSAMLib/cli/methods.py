"""The command `strokesam methods`: a table of methods and engines, or of the options of one."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from StrokeSAMLib.cli.terminal import print_table
from StrokeSAMLib.core.errors import OptionError
from StrokeSAMLib.core.options import describe_options
from StrokeSAMLib.lesion.registry import METHODS


def methods(
    method: Annotated[str | None, typer.Argument(help="Show the options of this method or engine.")] = None,
) -> None:
    """List methods and engines, their inputs and whether they are ready; or the options of one."""
    print_table(_methods_table() if method is None else _options_table(method))


def _methods_table() -> Table:
    from StrokeSAMLib.interactive.engines.registry import ENGINES

    table = Table("method", "what it does", "inputs", "ready", box=None)
    for method in METHODS:
        table.add_row(method.id, method.title, method.needs_text(), method.readiness())
    table.add_section()
    table.add_row()
    for engine in ENGINES:
        table.add_row(engine.id, engine.title, "prompts", engine.readiness())
    return table


def _options_table(id: str) -> Table:
    from StrokeSAMLib.interactive.engines.registry import ENGINES

    known = {entry.id: entry for entry in (*METHODS, *ENGINES)}
    if id not in known:
        raise OptionError(f"there is no method or engine '{id}'; there are: {', '.join(known)}")
    rows = describe_options(known[id].options_class())
    if not rows:
        return Table(f"{id} has no options", box=None)
    table = Table("option", "default", "unit", "range", "what it does", "source", box=None)
    for row in rows:
        table.add_row(*row)
    return table
