"""The training loop: from synthetic patients to the weights of a network and a picture of its loss."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.torch import save_file

from StrokeSAMLib.core.errors import Cancelled, InputError
from StrokeSAMLib.core.files import atomic_write, exists
from StrokeSAMLib.core.monitor import Monitor
from StrokeSAMLib.io.writing import check_output
from StrokeSAMLib.training.checkpoint import (
    Checkpoint,
    TrainingSetup,
    load_checkpoint,
    new_checkpoint,
    save_checkpoint,
)
from StrokeSAMLib.training.curve import write_curve
from StrokeSAMLib.training.distributed import ProcessGroup
from StrokeSAMLib.training.gradients import training_precision
from StrokeSAMLib.training.prompts.lessons import PromptLessons
from StrokeSAMLib.training.prompts.shapes import Shapes
from StrokeSAMLib.training.step import Lessons, PatientLessons, patient_executor, take_step
from StrokeSAMLib.training.synthesis import Anatomy

_CHECKPOINT, _CURVE, _PREVIEW = "checkpoint.pt", "curve.png", "patients.png"
_SAVE_EVERY = 50
_HOUR = 60.0


@dataclass(frozen=True)
class TrainingPlan:
    """The network to train, and the end of the training.

    Attributes:
        id: "ncct-unet", "dwi-unet" or "prompt-unet".
        minutes: length of this run; a resumed training runs for this time again. None is an hour, or no limit if
            `steps` is given.
        seed: seed of the patients and of the first weights.
        steps: number of steps in all, however long they take; None for no limit.
        resume: continue from the checkpoint in the folder.
        precision: "auto", "float32" or "bfloat16", the precision of the convolutions.
        cooldown: number of the last steps over which the learning rate falls to zero.
    """

    id: str
    minutes: float | None = None
    seed: int = 1
    steps: int | None = None
    resume: bool = False
    precision: str = "auto"
    cooldown: int = 0

    def progress(self, step: int, minutes: float) -> float:
        """The part of the training that is done, 0…1, after `step` steps in all and `minutes` of this run."""
        most = self.minutes or (_HOUR if self.steps is None else float("inf"))
        return min(1.0, max(minutes / most, step / self.steps if self.steps else 0.0))

    def rate_factor(self, step: int) -> float:
        """The factor of the learning rate at a step, 0…1."""
        return min(1.0, (self.steps - step) / self.cooldown) if self.steps and self.cooldown else 1.0


def train(
    plan: TrainingPlan,
    anatomies: Sequence[Anatomy],
    folder: Path,
    monitor: Monitor,
    processes: ProcessGroup | None = None,
    shapes: Shapes | None = None,
) -> Checkpoint:
    """Train a network and write the results to `folder`.

    The files are ``patients.png`` (the first patients), ``checkpoint.pt``, ``curve.png`` and ``ID.safetensors`` (half
    precision). On one machine the same plan gives the same steps, interrupted or not, if the precision is the same.
    With more devices each step has more patients. A cancelled training is saved.

    Args:
        plan: the network to train, and the end of the training.
        anatomies: the brains to make patients from.
        folder: made if it does not exist.
        monitor: receives the progress, and may cancel.
        processes: see `start_processes`; None for one device.
        shapes: shapes of lesions for "prompt-unet".

    Raises:
        InputError: the folder cannot be written to; there is no such training to resume; or the folder has a training
            and the plan does not resume it.
        Cancelled: the user cancelled.
    """
    processes = processes or ProcessGroup()
    checkpoint_path, device = folder / _CHECKPOINT, str(processes.device)
    weights_path = folder / f"{plan.id}.safetensors"
    _make_folder(folder)
    for path in (checkpoint_path, folder / _CURVE, folder / _PREVIEW, weights_path):
        check_output(path, ())
    if exists(checkpoint_path) and not plan.resume:
        raise InputError(f"{checkpoint_path}: a training lies there; go on with it (--resume), or name another folder")
    sources = [each.fingerprint for each in (*anatomies, *([shapes] if shapes else []))]
    setup = TrainingSetup(plan.id, plan.seed, ", ".join(sources), processes.size)
    lessons = _lessons(setup, anatomies, shapes or Shapes())
    if not plan.resume and processes.rank == 0:
        lessons.preview(folder / _PREVIEW)
    checkpoint = load_checkpoint(checkpoint_path, setup, device) if plan.resume else new_checkpoint(setup, device)
    try:
        _run_steps(checkpoint, plan, lessons, folder, monitor, processes)
    except Cancelled:
        if checkpoint.step and processes.rank == 0:
            _save(checkpoint, folder)
        raise
    if processes.rank == 0:
        _save(checkpoint, folder)
        _write_weights(checkpoint, plan.cooldown, weights_path)
    processes.leave()
    return checkpoint


def _lessons(setup: TrainingSetup, anatomies: Sequence[Anatomy], shapes: Shapes) -> Lessons:
    if setup.network == "prompt-unet":
        return PromptLessons(setup, anatomies, shapes)
    return PatientLessons(setup, anatomies)


def _run_steps(
    checkpoint: Checkpoint,
    plan: TrainingPlan,
    lessons: Lessons,
    folder: Path,
    monitor: Monitor,
    processes: ProcessGroup,
) -> None:
    start = time.monotonic()
    with patient_executor(processes.device) as executor:
        precision = training_precision(plan.precision, checkpoint.network, plan.id, processes.device)
        name = str(precision).removeprefix("torch.")
        checkpoint.precisions = list(dict.fromkeys([*checkpoint.precisions, name]))
        while _continues(checkpoint, plan.progress(checkpoint.step, _minutes_since(start)), monitor, processes):
            checkpoint.set_learning_rate(plan.rate_factor(checkpoint.step))
            take_step(checkpoint, lessons, processes, executor, precision)
            if checkpoint.step % _SAVE_EVERY == 0 and processes.rank == 0:
                _save(checkpoint, folder)


def _minutes_since(start: float) -> float:
    return (time.monotonic() - start) / 60


def _continues(checkpoint: Checkpoint, progress: float, monitor: Monitor, processes: ProcessGroup) -> bool:
    """Report the progress, and return whether another step follows.

    The first process decides for all of them, since none can continue without it.
    """
    cancelled = False
    try:
        monitor.step(progress, f"step {checkpoint.step}, loss {np.mean(checkpoint.losses[-50:] or [np.nan]):.3f}")
    except Cancelled:
        cancelled = True
    progress, cancelled = processes.broadcast((progress, cancelled))
    if cancelled:
        processes.leave()
        raise Cancelled
    return progress < 1


def _save(checkpoint: Checkpoint, folder: Path) -> None:
    save_checkpoint(checkpoint, folder / _CHECKPOINT)
    write_curve(checkpoint.losses, folder / _CURVE)


def _write_weights(checkpoint: Checkpoint, cooldown: int, path: Path) -> None:
    weights = {key: value.half().cpu().contiguous() for key, value in checkpoint.average.state_dict().items()}
    run = {"steps": checkpoint.step, "cooldown": cooldown, "precision": ", ".join(checkpoint.precisions)}
    header = {**asdict(checkpoint.setup), **run}
    with atomic_write(path, SafetensorError) as temporary:
        save_file(weights, temporary, {name: str(value) for name, value in header.items()})


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder}: cannot write there: {error.strerror}") from None
