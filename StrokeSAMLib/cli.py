"""The `strokesam` command.

Exit status 0 on success; 2 for bad usage or unusable input, with one line on stderr; 130 when interrupted.
Results go to stdout, everything else to stderr. Heavy libraries are imported by the command that needs them.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from StrokeSAMLib import cli_train, cli_weights
from StrokeSAMLib.errors import Cancelled, OptionError, StrokeSAMError
from StrokeSAMLib.lesion.registry import AUTO, METHODS
from StrokeSAMLib.options import describe_options
from StrokeSAMLib.terminal import allow_any_signs, monitoring, print_table
from StrokeSAMLib.version import __version__

if TYPE_CHECKING:
    from StrokeSAMLib.evaluation import CaseMetrics
    from StrokeSAMLib.interactive import Session

USAGE, INTERRUPTED = 2, 130
# click's ClickException: typer has click inside or beside it, by its version, and exports only its grandchild.
_CommandLineError = typer.BadParameter.__mro__[2]

app = typer.Typer(
    help="Segment the ischaemic stroke lesion in CT and MR. For research; not a medical device.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(cli_weights.app, name="weights")
app.command()(cli_train.train)


def main(arguments: list[str] | None = None) -> None:
    """Run the command and exit the process with its status."""
    allow_any_signs()
    sys.exit(run(sys.argv[1:] if arguments is None else arguments))


def run(arguments: list[str]) -> int:
    """Run the command with `arguments`; its exit status."""
    try:
        # Without click's own handling, which prints several lines and a traceback for what is not its own.
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


def _version(wanted: bool) -> None:
    if wanted:
        print(f"strokesam {__version__}")
        raise typer.Exit()


@app.callback()
def common(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Options of every command."""


@app.command()
def segment(
    output: Annotated[Path, typer.Option("-o", "--output", help="The lesion's mask, on the scan's grid.")],
    method: Annotated[
        str, typer.Option(help="Method id; see `strokesam methods`. By default the best for the scan.")
    ] = AUTO,
    ncct: Annotated[Path | None, typer.Option(help="Non-contrast CT: file, or folder of a DICOM series.")] = None,
    dwi: Annotated[Path | None, typer.Option(help="Diffusion-weighted image (trace; brain: b near 1000).")] = None,
    adc: Annotated[Path | None, typer.Option(help="ADC map, in any of its units.")] = None,
    b0: Annotated[Path | None, typer.Option(help="Image without diffusion weighting, to compute ADC.")] = None,
    t2w: Annotated[Path | None, typer.Option(help="T2-weighted MR of the prostate.")] = None,
    zones: Annotated[Path | None, typer.Option(help="The prostate's zones: 1 central, 2 peripheral.")] = None,
    probability: Annotated[Path | None, typer.Option(help="Write the score map, 0 to 1.")] = None,
    report: Annotated[Path | None, typer.Option(help="Write the report, JSON.")] = None,
    overview: Annotated[Path | None, typer.Option(help="Write the contact sheet, PNG.")] = None,
    weights: Annotated[Path | None, typer.Option(help="The method's checkpoint.")] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu, cuda or mps.")] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="NAME=VALUE", help="Set an option of the method; see `strokesam methods METHOD`."
        ),
    ] = None,
) -> None:
    """Segment the lesion in a scan."""
    from StrokeSAMLib import commands
    from StrokeSAMLib.report import measure, summary

    files = {"ncct": ncct, "dwi": dwi, "adc": adc, "b0": b0, "t2w": t2w, "zones": zones}
    given = {key: path for key, path in files.items() if path is not None}
    outputs = commands.Outputs(mask=output, probability=probability, report=report, overview=overview)
    own = {"weights": weights, "device": device}
    options = {name: str(value) for name, value in own.items() if value is not None} | _settings(settings or [])
    with monitoring() as monitor:
        result = commands.segment(method, given, outputs, options, monitor)
    print(f"{summary(measure(result))} → {output}")
    for warning in result.warnings:
        print(f"note: {warning}", file=sys.stderr)


@app.command()
def prompt(
    volume: Annotated[Path, typer.Argument(help="The scan: file, or folder of a DICOM series.")],
    prompts: Annotated[Path, typer.Option(help="Boxes, points and masks, JSON.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="The segment's mask; a .json beside it repeats it.")],
    engine: Annotated[str, typer.Option(help="Engine id; see `strokesam methods`.")] = "random-walker",
    propagation: Annotated[str | None, typer.Option(help="memory, box or none; by default the engine's best.")] = None,
    slices: Annotated[
        tuple[int, int] | None, typer.Option("--range", metavar="FIRST LAST", help="Leave other slices alone.")
    ] = None,
    direction: Annotated[str, typer.Option(help="up, down or both.")] = "both",
    axis: Annotated[int | None, typer.Option(help="Stack the slices along this index axis: 0, 1 or 2.")] = None,
    weights: Annotated[Path | None, typer.Option(help="The engine's checkpoint, or its id in the store.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="NAME=VALUE", help="Set an option of the engine; see `strokesam methods ENGINE`."
        ),
    ] = None,
) -> None:
    """Segment by boxes and points on slices, propagated through the volume."""
    from StrokeSAMLib import commands

    how = commands.Prompting(engine, propagation, direction, slices, axis, weights, device, _settings(settings or []))
    with monitoring() as monitor:
        session = commands.prompt(volume, prompts, output, how, monitor)
    _tell(session, output)


@app.command()
def replay(
    record: Annotated[Path, typer.Argument(help="The .json beside a mask that `strokesam prompt` wrote.")],
    volume: Annotated[Path, typer.Argument(help="The same scan.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="The segment's mask.")],
    weights: Annotated[Path | None, typer.Option(help="The engine's checkpoint, or its id in the store.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
) -> None:
    """Rebuild a segment from what made it."""
    from StrokeSAMLib import commands

    with monitoring() as monitor:
        session = commands.replay(record, volume, output, weights, device, monitor)
    _tell(session, output)


def _tell(session: Session, output: Path) -> None:
    print(f"{_segment_line(session)} → {output}")
    for note in session.encodings.notes:
        print(f"note: {note}", file=sys.stderr)


def _segment_line(session: Session) -> str:
    import SimpleITK as sitk

    from StrokeSAMLib.imaging.geometry import voxel_volume_ml
    from StrokeSAMLib.report import volume_text

    mask = session.mask()
    voxels = int(sitk.GetArrayViewFromImage(mask).sum())
    slices = sum(1 for k in session.slices() if session.slice_mask(k).any())
    return f"segment {volume_text(voxels * voxel_volume_ml(mask))}, {slices} slice{'s' if slices != 1 else ''}"


@app.command()
def demo(
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder to write to.")] = Path("strokesam-demo"),
) -> None:
    """Segment a known infarct in a synthetic head CT."""
    from StrokeSAMLib import commands
    from StrokeSAMLib.report import measure, summary

    with monitoring() as monitor:
        result, dice = commands.demo(output, monitor)
    print(f"{summary(measure(result))}; Dice {dice:.2f} against the known infarct → {output}")


@app.command()
def methods(
    method: Annotated[str | None, typer.Argument(help="Show the options of this method or engine.")] = None,
) -> None:
    """List methods and engines, what each needs and whether it is ready; or the options of one."""
    print_table(_methods_table() if method is None else _options_table(method))


@app.command()
def evaluate(
    reference: Annotated[Path, typer.Option(help="Reference mask, or a folder of them.")],
    prediction: Annotated[Path, typer.Option(help="Predicted mask, or a folder of them with the same names.")],
    tolerance: Annotated[float, typer.Option(help="Tolerance of the surface Dice, mm.", min=0.0)] = 2.0,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Write the table, CSV.")] = None,
    plot: Annotated[Path | None, typer.Option(help="Write the plot, PNG.")] = None,
) -> None:
    """Compare predicted masks with reference masks."""
    from StrokeSAMLib import commands

    with monitoring() as monitor:
        cases = commands.evaluate(reference, prediction, tolerance, output, plot, monitor)
    print_table(_metrics_table(cases))


def _settings(words: list[str]) -> dict[str, str]:
    pairs = [word.partition("=") for word in words]
    for (name, equals, _), word in zip(pairs, words, strict=True):
        if not (name and equals):
            raise OptionError(f"--set takes NAME=VALUE, not '{word}'")
    return {name: value for name, _, value in pairs}


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


def _metrics_table(cases: list[CaseMetrics]) -> Table:
    from StrokeSAMLib.evaluation import summarise

    columns = {"dsc": "DSC", "nsd": "NSD", "hd95": "HD95 mm", "reference_ml": "reference ml"}
    columns |= {"prediction_ml": "prediction ml", "volume_difference_ml": "|difference| ml", "lesion_f1": "lesion F1"}
    table = Table("case", *columns.values(), box=None)
    for case in cases:
        table.add_row(case.case, *(f"{getattr(case, name):.3f}" for name in columns))
    if len(cases) > 1:
        summary = summarise(cases)
        for statistic in ("mean", "median"):
            table.add_row(statistic, *(f"{summary[name][statistic]:.3f}" for name in columns))
    return table
