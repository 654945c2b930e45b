"""The `strokesam` command: `app` joins the subcommands, one file each; `actions` does their work."""

from StrokeSAMLib.cli.app import main, run

__all__ = ["main", "run"]
