"""The `strokesam` command: its subcommands, its exit status, its errors.

Exit status: 0 on success; 2 for wrong usage or unusable input, with one line on stderr; 130 when interrupted.
Results go to stdout, everything else to stderr. Each command imports its heavy libraries itself.
"""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from StrokeSAMLib.cli import demo, dicom, evaluate, methods, prompt, prompt_npz, segment, train, weights
from StrokeSAMLib.cli.terminal import print_any_sign
from StrokeSAMLib.core.errors import Cancelled, StrokeSAMError
from StrokeSAMLib.core.version import __version__

USAGE, INTERRUPTED = 2, 130
# click's ClickException. Depending on its version, typer contains click or depends on it; it exports only a grandchild.
_CommandLineError: Any = typer.BadParameter.__mro__[2]

app = typer.Typer(
    help="Segment the ischaemic stroke lesion in CT and MR. For research; not a medical device.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(weights.app, name="weights")
app.add_typer(dicom.app, name="dicom")
for command in (
    train.train,
    segment.segment,
    prompt.prompt,
    prompt.replay,
    prompt_npz.prompt_npz,
    demo.demo,
    methods.methods,
    evaluate.evaluate,
):
    app.command()(command)


def main(arguments: list[str] | None = None) -> None:
    """Run the command with `arguments` (by default the process's own) and exit the process with its status."""
    print_any_sign()
    sys.exit(run(sys.argv[1:] if arguments is None else arguments))


def run(arguments: list[str]) -> int:
    """Run the command with `arguments` and return its exit status."""
    try:
        # Not in standalone mode, in which click prints several lines for its own errors and a traceback for others.
        return app(arguments or ["--help"], standalone_mode=False) or 0
    except _CommandLineError as error:
        return _fail(error.format_message())
    except StrokeSAMError as error:
        return _fail(str(error))
    except MemoryError as error:
        return _fail(f"not enough memory: {error}" if str(error) else "not enough memory")
    except (KeyboardInterrupt, typer.Abort, Cancelled):
        print("strokesam: interrupted", file=sys.stderr)
        return INTERRUPTED


def _fail(text: str) -> int:
    print(f"strokesam: {' '.join(text.split())}", file=sys.stderr)
    return USAGE


def _print_version(requested: bool) -> None:
    if requested:
        print(f"strokesam {__version__}")
        raise typer.Exit()


@app.callback()
def common(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Options of every command."""
