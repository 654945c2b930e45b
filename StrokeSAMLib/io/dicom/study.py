"""A folder, file or archive of DICOM: its stacks, and the volume that an input asks for."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pydicom.config

from StrokeSAMLib.core.errors import InputError
from StrokeSAMLib.core.files import exists, is_folder
from StrokeSAMLib.io.dicom.address import ARCHIVE_SUFFIXES, split_number
from StrokeSAMLib.io.dicom.archives import unpacked
from StrokeSAMLib.io.dicom.bytestream import DamagedError, NotDicomError
from StrokeSAMLib.io.dicom.choosing import candidates, is_shell
from StrokeSAMLib.io.dicom.files import files_below
from StrokeSAMLib.io.dicom.frames import Frame, frames_of
from StrokeSAMLib.io.dicom.header import read_header
from StrokeSAMLib.io.dicom.stacks import Stack, stacks_of
from StrokeSAMLib.io.dicom.volume import mean_of, read_stack
from StrokeSAMLib.io.scan import Scan

_MOST_LISTED = 12
_SLICE_SUFFIXES = (".dcm", ".dicom", ".ima")


@dataclass(frozen=True)
class Study:
    """What a folder, file or archive has.

    Attributes:
        name: as the user gave it.
        folder: the folder that was searched.
        stacks: in order; number N of the user is stacks[N − 1].
        damaged: files that look like slices and cannot be read, with the reason.
    """

    name: str
    folder: Path
    stacks: tuple[Stack, ...]
    damaged: dict[Path, str]


def read_dicom(path: Path, wanted: str = "") -> Scan:
    """Read the volume in `path` that the input `wanted` asks for.

    Args:
        path: a folder (with subfolders), a DICOM file, DICOMDIR, or a zip or tar of them; with "#N" for its volume
            number N (see `strokesam dicom list`).
        wanted: key of the input, such as "dwi"; "" for any image.

    Raises:
        InputError: nothing to read, several volumes that fit, a damaged file, missing slices.
    """
    source, number = split_number(path)
    with _quiet(), open_study(source) as study:
        chosen = _numbered(study, number) if number is not None else _chosen(study, wanted)
        _check_damaged(study, chosen)
        _check_without_place(study, chosen)
        scans = [read_stack(stack, study.name) for stack in chosen]
        scan = scans[0] if len(scans) == 1 else mean_of(scans)
        return replace(scan, notes=(*_choice_notes(study, chosen, wanted), *scan.notes))


@contextmanager
def open_study(path: Path) -> Iterator[Study]:
    """Find the stacks of a folder, file, DICOMDIR or archive; an archive is unpacked for the time of the context."""
    if not exists(path):
        raise InputError(f"{path}: no such file or folder")
    with _quiet():
        if is_folder(path):
            yield _study(path, path, files_below(path))
        elif path.name.lower() == "dicomdir":
            # Its entries are untrusted; the files that it lists lie below its folder anyway.
            yield _study(path, path.parent, files_below(path.parent))
        elif path.name.lower().endswith(ARCHIVE_SUFFIXES):
            with unpacked(path) as folder:
                yield _study(path, folder, files_below(folder))
        else:
            yield _study(path, path.parent, [path])


def describe(stack: Stack) -> str:
    """A stack in one line, which names no patient: "MR 'ep2d_diff' b = 1000, trace, axial, 128 × 128 × 20, …"."""
    title = f"{stack.modality} '{stack.description}'" if stack.description else stack.modality
    title += f" b = {stack.b:g}" if stack.b is not None else ""
    spacing = f"{stack.spacing_text} mm" if stack.spacing_text else ""
    return ", ".join(word for word in (title, stack.kind, stack.plane_name, stack.size_text, spacing) if word)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep pydicom from checking values and from writing warnings to stderr."""
    with warnings.catch_warnings(), pydicom.config.disable_value_validation():
        warnings.simplefilter("ignore")
        yield


def _study(path: Path, folder: Path, files: list[Path]) -> Study:
    """Read the headers of all files."""
    frames: list[Frame] = []
    damaged: dict[Path, str] = {}
    others: list[Path] = []
    for file in files:
        try:
            header = read_header(file)
            frames += frames_of(header) if header is not None else []
        except NotDicomError:
            others.append(file)
        except DamagedError as error:
            damaged[file] = str(error)
        except OSError as error:
            damaged[file] = f"cannot be read: {error.strerror or error}"
    damaged |= {file: "is truncated or damaged" for file in others if file.suffix.lower() in _SLICE_SUFFIXES}
    # An empty file counts if it is named like the slices; notes.txt does not.
    suffixes = {frame.header.path.suffix for frame in frames} | set(_SLICE_SUFFIXES)
    damaged = {file: why for file, why in damaged.items() if why != "is empty" or file.suffix in suffixes}
    return Study(str(path), folder, tuple(stacks_of(frames)), damaged)


def _readable(stack: Stack) -> bool:
    return stack.first.plane is not None and not stack.is_colour


def _numbered(study: Study, number: int) -> list[Stack]:
    if not 1 <= number <= len(study.stacks):
        raise InputError(f"{study.name}: there is no volume {number}: {_listing(study, study.stacks)}")
    stack = study.stacks[number - 1]
    if not _readable(stack):
        why = "is in colour" if stack.is_colour else "has no Image Position, Orientation and Pixel Spacing"
        raise InputError(f"{study.name}: volume {number} {why}")
    return [stack]


def _chosen(study: Study, wanted: str) -> list[Stack]:
    readable = [stack for stack in study.stacks if _readable(stack)]
    if not readable:
        raise _nothing(study)
    fitting = candidates(readable, wanted)
    if not fitting:
        raise InputError(f"{study.name}: no volume there is for {wanted}: {_listing(study, study.stacks)}")
    if len(fitting) > 1 and not is_shell(fitting, wanted):
        raise InputError(
            f"{study.name}: {len(fitting)} volumes fit equally; choose one by its number, as in"
            f" {Path(study.name).name}#1: {_listing(study, fitting)}"
        )
    return fitting


def _nothing(study: Study) -> InputError:
    """The refusal of a study without a readable stack."""
    for file, why in study.damaged.items():
        return InputError(f"{study.name}: {file.name} {why}")
    if any(stack.is_colour for stack in study.stacks):
        return InputError(f"{study.name}: a scalar volume is needed; these images are in colour")
    if study.stacks:
        return InputError(f"{study.name}: the images have no Image Position, Orientation and Pixel Spacing")
    return InputError(f"{study.name}: no DICOM images there")


def _listing(study: Study, stacks: Sequence[Stack]) -> str:
    """The stacks with their numbers, in one line."""
    numbers = {id(stack): number for number, stack in enumerate(study.stacks, 1)}
    texts = [f"#{numbers[id(stack)]} {describe(stack)}{_place(study, stack)}" for stack in stacks]
    more = f"; and {len(texts) - _MOST_LISTED} more" if len(texts) > _MOST_LISTED else ""
    return "; ".join(texts[:_MOST_LISTED]) + more


def _place(study: Study, stack: Stack) -> str:
    """The subfolder of a stack, if it lies in one."""
    folder = stack.first.header.path.parent
    return f", in {folder.relative_to(study.folder)}" if folder != study.folder and is_folder(Path(study.name)) else ""


def _check_damaged(study: Study, chosen: Sequence[Stack]) -> None:
    """Refuse if a damaged file may be a slice of the chosen stacks: it lies in the folder of one."""
    folders = {frame.header.path.parent for stack in chosen for frame in stack.frames}
    series = {stack.series[1] for stack in chosen}
    for file, why in study.damaged.items():
        if file.parent in folders and not _is_of_another_series(file, series):
            raise InputError(f"{study.name}: {file.name} {why}")


def _check_without_place(study: Study, chosen: Sequence[Stack]) -> None:
    """Refuse if an image of the chosen stacks' series and matrix has no place: it may be one of their slices."""
    kinds = {(stack.series, _matrix(stack)) for stack in chosen}
    for stack in study.stacks:
        if stack.first.plane is None and not stack.is_colour and (stack.series, _matrix(stack)) in kinds:
            name = stack.first.name
            raise InputError(f"{study.name}: {name} has no readable Image Position, Orientation and Pixel Spacing")


def _matrix(stack: Stack) -> tuple[int, int]:
    return stack.first.attributes.whole("Rows"), stack.first.attributes.whole("Columns")


def _is_of_another_series(file: Path, series: set[str]) -> bool:
    """Whether the damaged file has the whole UID of another series."""
    try:
        uid = str(pydicom.dcmread(file, specific_tags=["SeriesInstanceUID"], stop_before_pixels=True).SeriesInstanceUID)
    except Exception:  # damaged bytes raise any exception in pydicom
        return False
    # A truncated file may end within its UID.
    return bool(uid) and not any(known.startswith(uid) for known in series)


def _choice_notes(study: Study, chosen: Sequence[Stack], wanted: str) -> list[str]:
    """Lines that tell what was chosen, where there was a choice, and the b-value of a DWI."""
    first, count = chosen[0], len(chosen)
    at_b = "" if first.b is None else f"b = {first.b:g} s/mm²"
    notes = []
    if count > 1 and wanted == "dwi":
        notes.append(f"mean of the {count} directions at {at_b}: there is no trace image")
    elif count > 1:
        notes.append(f"mean of {count} repetitions at {at_b}")
    elif wanted == "dwi" and at_b:
        notes.append(f"{at_b} (trace)" if first.first.diffusion.is_trace else at_b)
    if len(study.stacks) > count:
        numbers = [number for number, stack in enumerate(study.stacks, 1) if stack in chosen]
        which = f"volume {numbers[0]}" if count == 1 else f"{count} volumes from {numbers[0]} to {numbers[-1]}"
        notes.append(f"{which} of {len(study.stacks)} in the folder: {describe(first)}")
    return notes
