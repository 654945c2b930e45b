"""The loop: synthetic patients in, a network and its curve out."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import save_file

from StrokeSAMLib.errors import Cancelled, InputError
from StrokeSAMLib.files import replacing
from StrokeSAMLib.imaging.channels import brain_box
from StrokeSAMLib.imaging.writing import check_output
from StrokeSAMLib.monitor import Monitor
from StrokeSAMLib.nets.devices import memory_errors
from StrokeSAMLib.nets.precision import PRECISIONS, choose_precision
from StrokeSAMLib.training.curve import write_curve
from StrokeSAMLib.training.loss import dice_and_bce
from StrokeSAMLib.training.state import State, begin, resume, save
from StrokeSAMLib.training.synthesis import Anatomy, Patient, patient
from StrokeSAMLib.training.team import Team

_CHECKPOINT, _CURVE = "checkpoint.pt", "curve.png"
_BATCH = 2
_MOST_GRADIENT = 1.0
_SAVE_EVERY = 50
_HOUR = 60.0
# Seeds of patients, so far apart that two trainings share none.
_SEEDS_APART = 10_000_000


@dataclass(frozen=True)
class Plan:
    """What to train and for how long.

    Attributes:
        id: "ncct-unet" or "dwi-unet".
        minutes: of this run, and a resumed training goes on for as long again; None for an hour, or for no limit where
            there is one of steps.
        steps: stop after so many in all, however long they take; None for no limit.
        resume: go on from the checkpoint in the folder.
    """

    id: str
    minutes: float | None = None
    seed: int = 1
    steps: int | None = None
    resume: bool = False

    def done(self, state: State, minutes: float) -> float:
        """How much of it is done, 0…1, after so many minutes of this run."""
        most = self.minutes or (_HOUR if self.steps is None else float("inf"))
        return min(1.0, max(minutes / most, state.step / self.steps if self.steps else 0.0))


def train(plan: Plan, anatomies: Sequence[Anatomy], folder: Path, monitor: Monitor, team: Team | None = None) -> State:
    """Train, and write to `folder`: ``checkpoint.pt``, ``curve.png`` and ``ID.safetensors`` (half precision).

    The same plan gives the same steps on the same machine, interrupted or not; on more devices each step sees more
    patients. A cancelled training keeps its last checkpoint.

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
    for path in (checkpoint, folder / _CURVE, weights):
        check_output(path, ())
    if checkpoint.exists() and not plan.resume:
        raise InputError(f"{checkpoint}: a training lies there; go on with it (--resume), or name another folder")
    state = resume(checkpoint, plan.id, plan.seed, device) if plan.resume else begin(plan.id, plan.seed, device)
    start = time.monotonic()
    while _goes_on(state, plan.done(state, (time.monotonic() - start) / 60), monitor, team):
        _step(state, anatomies, team)
        if state.step % _SAVE_EVERY == 0 and team.rank == 0:
            _save(state, folder)
    if team.rank == 0:
        _save(state, folder)
        _write_weights(state, weights)
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


def _step(state: State, anatomies: Sequence[Anatomy], team: Team) -> None:
    first = _SEEDS_APART * state.seed + _BATCH * (team.size * state.step + team.rank)
    state.set_rate()
    state.optimiser.zero_grad()
    # One after the other, since the boxes of their brains differ.
    with memory_errors():
        losses = [_learn(state, patient(state.id, anatomies, first + n), team.device) for n in range(_BATCH)]
    team.average(state.network.parameters())
    # One gradient that overflowed would leave no number in the network.
    if torch.nn.utils.clip_grad_norm_(state.network.parameters(), _MOST_GRADIENT).isfinite():
        state.optimiser.step()
    state.losses.append(float(np.mean(losses)))
    state.follow()


def _learn(state: State, case: Patient, device: torch.device) -> float:
    """Add the gradient of one patient; the loss."""
    box = brain_box(case.brain)
    channels = torch.from_numpy(case.channels[(slice(None), *box)])[None].to(device)
    truth = torch.from_numpy(case.lesion[box])[None, None].to(device, torch.float32)
    precision = _precision(device.type)
    with torch.autocast(device.type, dtype=precision, enabled=precision != torch.float32):
        logits = state.network(channels.contiguous(memory_format=torch.channels_last_3d))
    loss = dice_and_bce(logits, truth, state.id)
    (loss / _BATCH).backward()
    return float(loss.detach())


def _precision(device: str) -> torch.dtype:
    """bfloat16 where a GPU has it."""
    # On CPUs the gradients of 3-D convolutions in bfloat16 came out as NaN (PyTorch 2.13), and no two runs agreed.
    return PRECISIONS[choose_precision("auto", device)] if device == "cuda" else torch.float32


def _write_weights(state: State, path: Path) -> None:
    held = {key: value.half().cpu().contiguous() for key, value in state.average.state_dict().items()}
    with replacing(path, SafetensorError) as temporary:
        save_file(held, temporary, {"network": state.id, "seed": str(state.seed), "steps": str(state.step)})


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder}: cannot write there: {error.strerror}") from None
