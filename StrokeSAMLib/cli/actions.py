"""The work of the `strokesam` commands, without their arguments and their printing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import SimpleITK as sitk

from StrokeSAMLib.core.errors import InputError, StrokeSAMError
from StrokeSAMLib.core.files import is_file, is_folder
from StrokeSAMLib.core.monitor import Monitor
from StrokeSAMLib.io.dicom.address import split_number
from StrokeSAMLib.io.reading import read_scan
from StrokeSAMLib.io.writing import check_grid, check_image_output, check_output, write_image

if TYPE_CHECKING:
    from StrokeSAMLib.evaluation import CaseMetrics
    from StrokeSAMLib.interactive import Session
    from StrokeSAMLib.interactive.prompts import Prompt
    from StrokeSAMLib.lesion import LesionResult


@dataclass(frozen=True)
class Outputs:
    """The files that a segmentation writes; None for a file that is not written."""

    mask: Path
    probability: Path | None = None
    report: Path | None = None
    overview: Path | None = None
    possible: Path | None = None

    @property
    def images(self) -> list[Path]:
        """The files that are images on the scan's grid."""
        return [path for path in (self.mask, self.probability, self.possible) if path is not None]

    def check(self, inputs: Mapping[str, Path]) -> None:
        """Refuse output paths that cannot be written to, before the work begins.

        Raises:
            InputError: two equal paths, or an unusable path (see `check_output`).
        """
        input_files = _sources(inputs.values())
        documents = [path for path in (self.report, self.overview) if path is not None]
        paths = [*self.images, *documents]
        if len({path.resolve() for path in paths}) < len(paths):
            raise InputError("two outputs have the same name")
        for path in self.images:
            check_image_output(path, input_files)
        for path in documents:
            check_output(path, input_files)

    def check_grid(self, image: sitk.Image, file: Path) -> None:
        """Refuse images in a format that cannot hold the grid of `image`, which was read from `file`."""
        for path in self.images:
            check_grid(image, path, file)


def segment(
    method: str, files: Mapping[str, Path], outputs: Outputs, options: Mapping[str, str], monitor: Monitor
) -> LesionResult:
    """Read `files`, segment, and write `outputs`. Nothing is written unless the segmentation succeeds.

    Args:
        method: id of the method, or "auto".
        files: input files by key, such as "ncct".
        outputs: the files to write.
        options: values of the method's options, as text.
        monitor: for progress and cancellation.
    """
    from StrokeSAMLib.lesion import choose_method

    chosen, note = choose_method(method, files)
    chosen.check_inputs(files)
    chosen.build_options(options)
    scans = {key: read_scan(path, key) for key, path in files.items()}
    images = {key: scan.image for key, scan in scans.items()}
    outputs.check(files)
    outputs.check_grid(images[chosen.reference], files[chosen.reference])
    try:
        result = chosen.run(images, options, monitor)
    except InputError as error:
        raise error.with_names(files) from None
    notes = [f"{key}: {line}" for key, scan in scans.items() for line in scan.notes]
    result = result.with_warnings(*([note] if note else []), *notes)
    write_outputs(result, outputs, files, files[chosen.reference])
    return result


def write_outputs(result: LesionResult, outputs: Outputs, files: Mapping[str, Path], reference: Path) -> None:
    """Write the requested outputs. The mask comes last: if it exists, all outputs do.

    Args:
        result: the result of an automatic method.
        outputs: the files to write.
        files: the input files by key, for the report.
        reference: the input file whose grid the result has.
    """
    from StrokeSAMLib.report import report, write_overview, write_report

    if outputs.probability is not None:
        write_image(result.score, outputs.probability, reference)
    if outputs.possible is not None:
        write_image(result.mask * 0 if result.possible is None else result.possible, outputs.possible, reference)
    if outputs.report is not None:
        write_report(report(result, files), outputs.report)
    if outputs.overview is not None:
        write_overview(result, outputs.overview)
    write_image(result.mask, outputs.mask, reference)


@dataclass(frozen=True)
class PromptPlan:
    """The engine that segments from prompts, and the propagation of its segment through the volume.

    Attributes:
        engine: id of the engine.
        propagation: "memory", "box" or "none"; None for the engine's best.
        direction: "up", "down" or "both".
        slices: first and last slice; None for the span of the boxes, or for all slices without one.
        axis: index axis along which the slices are stacked; None for the axis of the boxes.
        weights: the engine's checkpoint, or its id in the store.
        device: "auto", "cpu", "cuda" or "mps".
        options: values of the engine's options, as text.
    """

    engine: str = "random-walker"
    propagation: str | None = None
    direction: str = "both"
    slices: tuple[int, int] | None = None
    axis: int | None = None
    weights: Path | None = None
    device: str = "auto"
    options: Mapping[str, str] = field(default_factory=dict)


def prompt(volume: Path, prompts_file: Path, output: Path, plan: PromptPlan, monitor: Monitor) -> Session:
    """Segment from the prompts in a file, and write the mask and the session file for `replay`."""
    from StrokeSAMLib.core.memory import memory_text
    from StrokeSAMLib.interactive import PropagationPlan, Session, read_prompts
    from StrokeSAMLib.interactive.slice_prompts import drawn_axis

    prompts = read_prompts(prompts_file)
    image = _read_volume(volume, monitor)
    record = record_path(output)
    _check_outputs(output, record, [volume, prompts_file])
    check_grid(image, output, volume)
    axis = drawn_axis(prompts, image) if plan.axis is None else plan.axis
    try:
        session = Session(image, plan.engine, axis=axis, weights=plan.weights, device=plan.device, options=plan.options)
        monitor.step(0.05, f"slices with prompts; {memory_text(session.encodings.memory_needed())} of memory needed")
        for number, entry in enumerate(prompts, 1):
            monitor.check()
            _add(session, entry, f"{prompts_file}: prompt {number}")
        if plan.propagation != "none":
            first, last = plan.slices or session.span() or (None, None)
            session.propagate(PropagationPlan(plan.direction, plan.propagation, first, last), monitor.part(0.1, 1.0))
    except InputError as error:
        raise error.with_names({"volume": volume}) from None
    _write_session(session, output, record, volume)
    return session


def _read_volume(path: Path, monitor: Monitor) -> sitk.Image:
    """Read the volume of an interactive session; the notes of the reading go to the monitor."""
    scan = read_scan(path)
    for note in scan.notes:
        monitor.step(0.0, f"note: {note}", is_note=True)
    return scan.image


def _add(session: Session, prompt: Prompt, name: str) -> None:
    """Add a prompt; an error names it `name`."""
    try:
        session.add(prompt)
    except StrokeSAMError as error:
        raise type(error)(f"{name}: {error}") from None


def replay(record: Path, volume: Path, output: Path, weights: Path | None, device: str, monitor: Monitor) -> Session:
    """Repeat the session in the file `record` on the same volume, and write its mask and its session file."""
    from StrokeSAMLib.interactive.record import read_document
    from StrokeSAMLib.interactive.record import replay as replay_document

    session_document = read_document(record)
    image = _read_volume(volume, monitor)
    new_record = record_path(output)
    _check_outputs(output, new_record, [volume, record])
    check_grid(image, output, volume)
    try:
        session = replay_document(session_document, image, weights, device, monitor)
    except InputError as error:
        raise error.with_names({"volume": volume, "session": record}) from None
    _write_session(session, output, new_record, volume)
    return session


def prompt_npz(
    source: Path,
    target: Path,
    engine: str,
    weights: Path | None,
    device: str,
    options: Mapping[str, str],
    monitor: Monitor,
) -> Iterator[tuple[Path, int]]:
    """Answer the challenge's cases in a file or folder; yield each written answer and the number of its boxes."""
    from StrokeSAMLib.interactive.challenge import read_case, segment_case, write_labels
    from StrokeSAMLib.interactive.engines.registry import load_engine

    pairs = _challenge_files(source, target)
    loaded = load_engine(engine, weights, device, options)
    for number, (file, answer) in enumerate(pairs):
        case = read_case(file)
        part = monitor.part(number / len(pairs), (number + 1) / len(pairs))
        write_labels(segment_case(case, loaded, part), answer)
        yield answer, len(case.boxes)


def _challenge_files(source: Path, target: Path) -> list[tuple[Path, Path]]:
    """Each case with its answer. A folder of cases gives answers of the same names in the folder `target`."""
    if not is_folder(source):
        check_output(target, [source])
        return [(source, target)]
    if not is_folder(target):
        raise InputError(f"{target}: no such folder; the answers to a folder of cases need one")
    if source.samefile(target):
        raise InputError(f"{target}: the answers would overwrite the cases")
    files = sorted(path for path in source.iterdir() if path.suffix == ".npz" and not path.name.startswith("."))
    if not files:
        raise InputError(f"{source}: no .npz files in that folder")
    return [(path, target / path.name) for path in files]


def record_path(mask: Path) -> Path:
    """The session file of a mask: the same name, ending in .json."""
    name = mask.name.removesuffix(".gz")
    return mask.with_name(f"{name.rpartition('.')[0] or name}.json")


def _check_outputs(mask: Path, record: Path, inputs: list[Path]) -> None:
    check_image_output(mask, _sources(inputs))
    check_output(record, _sources(inputs))


def _sources(inputs: Iterable[Path]) -> list[Path]:
    """The files and folders of the inputs: FOLDER for FOLDER#N."""
    return [split_number(path)[0] for path in inputs]


def _write_session(session: Session, mask: Path, record: Path, volume: Path) -> None:
    from StrokeSAMLib.interactive.record import to_document, write_document

    write_document(to_document(session), record)
    write_image(session.mask(), mask, volume)


def demo(folder: Path, monitor: Monitor) -> tuple[LesionResult, float]:
    """Write a synthetic head CT with a known infarct into `folder` and segment it.

    Returns:
        The result, and its Dice coefficient with the known infarct.
    """
    from StrokeSAMLib.evaluation import dice
    from StrokeSAMLib.phantom import head_ct

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
    tolerance_mm: float,
    table: Path | None,
    plot: Path | None,
    monitor: Monitor,
) -> list[CaseMetrics]:
    """Compare `prediction` with `reference` (files or folders); write the CSV table and the plot unless None."""
    from StrokeSAMLib import evaluation

    for path in (table, plot):
        if path is not None:
            check_output(path, [source for source in (reference, prediction) if is_file(source)])
    cases = evaluation.evaluate(reference, prediction, tolerance_mm, monitor)
    if table is not None:
        evaluation.write_csv(cases, table)
    if plot is not None:
        evaluation.plot(cases, plot)
    return cases
