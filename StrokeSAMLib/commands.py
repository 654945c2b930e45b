"""What the `strokesam` commands do, without their arguments and their printing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import SimpleITK as sitk

from StrokeSAMLib.errors import InputError, StrokeSAMError
from StrokeSAMLib.files import is_file
from StrokeSAMLib.imaging.reading import read_image
from StrokeSAMLib.imaging.writing import check_image_output, check_output, write_image
from StrokeSAMLib.monitor import Monitor

if TYPE_CHECKING:
    from StrokeSAMLib.evaluation import CaseMetrics
    from StrokeSAMLib.interactive import Session
    from StrokeSAMLib.interactive.prompts import Prompt
    from StrokeSAMLib.lesion import LesionResult


@dataclass(frozen=True)
class Outputs:
    """The files that a segmentation writes; None is not written."""

    mask: Path
    probability: Path | None = None
    report: Path | None = None
    overview: Path | None = None

    def check(self, inputs: Mapping[str, Path]) -> None:
        """Refuse what cannot be written, before the work is done."""
        given = list(inputs.values())
        paths = [path for path in (self.mask, self.probability, self.report, self.overview) if path is not None]
        if len({path.resolve() for path in paths}) < len(paths):
            raise InputError("two outputs have the same name")
        check_image_output(self.mask, given)
        if self.probability is not None:
            check_image_output(self.probability, given)
        for path in (self.report, self.overview):
            if path is not None:
                check_output(path, given)


def segment(
    method: str, files: Mapping[str, Path], outputs: Outputs, options: Mapping[str, str], monitor: Monitor
) -> LesionResult:
    """Read `files`, segment, and write `outputs`; nothing is written unless all of the work succeeds."""
    from StrokeSAMLib.lesion import choose_method

    chosen, why = choose_method(method, files)
    chosen.check_inputs(files)
    chosen.build_options(options)
    # An ADC map has NaN where nothing was measured; in any other image it is damage.
    images = {key: read_image(path, finite=key != "adc") for key, path in files.items()}
    outputs.check(files)
    try:
        result = chosen.run(images, options, monitor)
    except InputError as error:
        raise error.naming(files) from None
    result = result.noting(why) if why else result
    write(result, outputs, files)
    return result


def write(result: LesionResult, outputs: Outputs, files: Mapping[str, Path]) -> None:
    """Write the outputs that are asked for, the mask last: where it is, all the others are."""
    from StrokeSAMLib.report import report, write_overview, write_report

    if outputs.probability is not None:
        write_image(result.score, outputs.probability)
    if outputs.report is not None:
        write_report(report(result, files), outputs.report)
    if outputs.overview is not None:
        write_overview(result, outputs.overview)
    write_image(result.mask, outputs.mask)


@dataclass(frozen=True)
class Prompting:
    """How prompts become a segment.

    Attributes:
        engine: its id.
        propagation: "memory", "box", "none", or None for the engine's best.
        direction: "up", "down" or "both".
        slices: first and last; None for the span of the boxes, or all.
        axis: along which the slices are stacked; None for what the boxes say.
        weights, device, options: of the engine.
    """

    engine: str = "random-walker"
    propagation: str | None = None
    direction: str = "both"
    slices: tuple[int, int] | None = None
    axis: int | None = None
    weights: Path | None = None
    device: str = "auto"
    options: Mapping[str, str] = field(default_factory=dict)


def prompt(volume: Path, prompts_file: Path, output: Path, how: Prompting, monitor: Monitor) -> Session:
    """Segment by the prompts in a file; write the mask, and beside it what `replay` needs."""
    from StrokeSAMLib.interactive import Plan, Session, read_prompts
    from StrokeSAMLib.interactive.memory import in_words
    from StrokeSAMLib.interactive.slices import drawn_axis

    prompts = read_prompts(prompts_file)
    image = read_image(volume)
    record = record_beside(output)
    _check_outputs(output, record, [volume, prompts_file])
    axis = drawn_axis(prompts, image) if how.axis is None else how.axis
    try:
        session = Session(image, how.engine, axis=axis, weights=how.weights, device=how.device, options=how.options)
        monitor.step(0.05, f"slices with prompts; {in_words(session.encodings.memory_needed())} of memory needed")
        for number, entry in enumerate(prompts, 1):
            monitor.check()
            _add(session, entry, f"{prompts_file}: prompt {number}")
        if how.propagation != "none":
            first, last = how.slices or session.span() or (None, None)
            plan = Plan(how.direction, how.propagation, first, last)
            session.propagate(plan, monitor.part(0.1, 1.0))
    except InputError as error:
        raise error.naming({"volume": volume}) from None
    _write_session(session, output, record)
    return session


def _add(session: Session, prompt: Prompt, name: str) -> None:
    """Add a prompt; `name` is what an error calls it."""
    try:
        session.add(prompt)
    except StrokeSAMError as error:
        raise type(error)(f"{name}: {error}") from None


def replay(record: Path, volume: Path, output: Path, weights: Path | None, device: str, monitor: Monitor) -> Session:
    """Do again what `record` says, on the same volume, and write the mask."""
    from StrokeSAMLib.interactive.record import read_document
    from StrokeSAMLib.interactive.record import replay as replay_document

    made = read_document(record)
    image = read_image(volume)
    again = record_beside(output)
    _check_outputs(output, again, [volume, record])
    try:
        session = replay_document(made, image, weights, device, monitor)
    except InputError as error:
        raise error.naming({"volume": volume, "session": record}) from None
    _write_session(session, output, again)
    return session


def record_beside(output: Path) -> Path:
    """The session's file of a mask: the same name, ending in .json."""
    name = output.name.removesuffix(".gz")
    return output.with_name(f"{name.rpartition('.')[0] or name}.json")


def _check_outputs(mask: Path, record: Path, inputs: list[Path]) -> None:
    check_image_output(mask, inputs)
    check_output(record, inputs)


def _write_session(session: Session, mask: Path, record: Path) -> None:
    from StrokeSAMLib.interactive.record import document, write_document

    write_document(document(session), record)
    write_image(session.mask(), mask)


def demo(folder: Path, monitor: Monitor) -> tuple[LesionResult, float]:
    """Write a synthetic head CT with a known infarct into `folder`, segment it, and return the Dice against it."""
    from StrokeSAMLib.evaluation import dice
    from StrokeSAMLib.imaging.phantom import head_ct

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder}: cannot make the folder: {error.strerror}") from None
    scan, truth = folder / "ncct.nii.gz", folder / "truth.nii.gz"
    for path in (scan, truth):
        check_output(path, ())
    monitor.step(0.0, "making a head")
    phantom = head_ct()
    write_image(phantom.ncct, scan)
    write_image(phantom.lesion, truth)
    outputs = Outputs(
        mask=folder / "lesion.nii.gz",
        probability=folder / "probability.nii.gz",
        report=folder / "report.json",
        overview=folder / "overview.png",
    )
    result = segment("asymmetry", {"ncct": scan}, outputs, {}, monitor)
    arrays = (sitk.GetArrayViewFromImage(image) > 0 for image in (phantom.lesion, result.mask))
    return result, dice(*arrays)


def evaluate(
    reference: Path,
    prediction: Path,
    tolerance: float,
    output: Path | None,
    plot_file: Path | None,
    monitor: Monitor,
) -> list[CaseMetrics]:
    """Measure `prediction` against `reference`, and write the CSV and the plot."""
    from StrokeSAMLib import evaluation

    for path in (output, plot_file):
        if path is not None:
            check_output(path, [path for path in (reference, prediction) if is_file(path)])
    cases = evaluation.evaluate(reference, prediction, tolerance, monitor)
    if output is not None:
        evaluation.write_csv(cases, output)
    if plot_file is not None:
        evaluation.plot(cases, plot_file)
    return cases
