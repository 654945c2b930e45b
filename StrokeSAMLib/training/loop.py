"""The loop: synthetic patients in, a network and its curve out."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.torch import save_file

from StrokeSAMLib.errors import Cancelled, InputError
from StrokeSAMLib.files import exists, replacing
from StrokeSAMLib.imaging.writing import check_output
from StrokeSAMLib.monitor import Monitor
from StrokeSAMLib.training.curve import write_curve
from StrokeSAMLib.training.gradients import training_precision
from StrokeSAMLib.training.sheet import COUNT, write_sheet
from StrokeSAMLib.training.state import Origin, State, begin, resume, save
from StrokeSAMLib.training.step import nth_patient, take_step, workers
from StrokeSAMLib.training.synthesis import Anatomy
from StrokeSAMLib.training.team import Team

_CHECKPOINT, _CURVE, _SHEET = "checkpoint.pt", "curve.png", "patients.png"
_SAVE_EVERY = 50
_HOUR = 60.0


@dataclass(frozen=True)
class Plan:
    """What to train and for how long.

    Attributes:
        id: "ncct-unet" or "dwi-unet".
        minutes: of this run, and a resumed training goes on for as long again; None for an hour, or for no limit where
            there is one of steps.
        steps: stop after so many in all, however long they take; None for no limit.
        resume: go on from the checkpoint in the folder.
        precision: "auto", "float32" or "bfloat16", of the convolutions.
        cooldown: over how many of the last steps the learning rate falls to nothing.
    """

    id: str
    minutes: float | None = None
    seed: int = 1
    steps: int | None = None
    resume: bool = False
    precision: str = "auto"
    cooldown: int = 0

    def done(self, state: State, minutes: float) -> float:
        """How much of it is done, 0…1, after so many minutes of this run."""
        most = self.minutes or (_HOUR if self.steps is None else float("inf"))
        return min(1.0, max(minutes / most, state.step / self.steps if self.steps else 0.0))

    def rate(self, step: int) -> float:
        """The part of the learning rate at a step, 0…1."""
        return min(1.0, (self.steps - step) / self.cooldown) if self.steps and self.cooldown else 1.0


def train(plan: Plan, anatomies: Sequence[Anatomy], folder: Path, monitor: Monitor, team: Team | None = None) -> State:
    """Train, and write to `folder`: ``patients.png`` (the first of them), ``checkpoint.pt``, ``curve.png`` and
    ``ID.safetensors`` (half precision).

    The same plan gives the same steps on the same machine, interrupted or not, if its precision is the same; on more
    devices each step sees more patients. A cancelled training is saved where it stands.

    Args:
        team: see `team.gather`; None for one device.

    Raises:
        InputError: the folder cannot be written to, or there is no such training to resume, or one not to be resumed.
        Cancelled: the monitor's event was set.
    """
    team = team or Team()
    checkpoint, device = folder / _CHECKPOINT, str(team.device)
    weights = folder / f"{plan.id}.safetensors"
    _make(folder)
    for path in (checkpoint, folder / _CURVE, folder / _SHEET, weights):
        check_output(path, ())
    if exists(checkpoint) and not plan.resume:
        raise InputError(f"{checkpoint}: a training lies there; go on with it (--resume), or name another folder")
    origin = Origin(plan.id, plan.seed, ", ".join(each.fingerprint for each in anatomies), team.size)
    if not plan.resume and team.rank == 0:
        write_sheet(plan.id, [nth_patient(origin, n, anatomies) for n in range(COUNT)], folder / _SHEET)
    state = resume(checkpoint, origin, device) if plan.resume else begin(origin, device)
    start = time.monotonic()
    try:
        with workers(team.device) as among:
            precision = training_precision(plan.precision, state.network, plan.id, team.device)
            state.precisions = list(dict.fromkeys([*state.precisions, str(precision).removeprefix("torch.")]))
            while _goes_on(state, plan.done(state, (time.monotonic() - start) / 60), monitor, team):
                state.set_rate(plan.rate(state.step))
                take_step(state, anatomies, team, among, precision)
                if state.step % _SAVE_EVERY == 0 and team.rank == 0:
                    _save(state, folder)
    except Cancelled:
        if state.step and team.rank == 0:
            _save(state, folder)
        raise
    if team.rank == 0:
        _save(state, folder)
        _write_weights(state, plan.cooldown, weights)
    team.part()
    return state


def _goes_on(state: State, done: float, monitor: Monitor, team: Team) -> bool:
    """Report; whether there is more to do. All stop where the first has to, since none can go on without it."""
    cancelled = False
    try:
        monitor.step(done, f"step {state.step}, loss {np.mean(state.losses[-50:] or [np.nan]):.3f}")
    except Cancelled:
        cancelled = True
    done, cancelled = team.agreed((done, cancelled))
    if cancelled:
        team.part()
        raise Cancelled
    return done < 1


def _save(state: State, folder: Path) -> None:
    save(state, folder / _CHECKPOINT)
    write_curve(state.losses, folder / _CURVE)


def _write_weights(state: State, cooldown: int, path: Path) -> None:
    held = {key: value.half().cpu().contiguous() for key, value in state.average.state_dict().items()}
    with replacing(path, SafetensorError) as temporary:
        ran = {"steps": state.step, "cooldown": cooldown, "precision": ", ".join(state.precisions)}
        made = {**asdict(state.origin), **ran}
        save_file(held, temporary, {name: str(value) for name, value in made.items()})


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder}: cannot write there: {error.strerror}") from None
