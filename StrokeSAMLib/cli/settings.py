"""The option `--set NAME=VALUE`, which several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

from StrokeSAMLib.core.errors import OptionError

Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="NAME=VALUE", help="Set an option; `strokesam methods NAME` lists those of a method or engine."
    ),
]


def parse_settings(words: list[str] | None) -> dict[str, str]:
    """Parse words of the form NAME=VALUE into option values by name.

    Raises:
        OptionError: a word has another form.
    """
    pairs = [word.partition("=") for word in words or []]
    for name, equals, value in pairs:
        if not (name and equals):
            raise OptionError(f"--set takes NAME=VALUE, not '{name}{equals}{value}'")
    return {name: value for name, _, value in pairs}
