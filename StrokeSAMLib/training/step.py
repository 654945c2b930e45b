"""One step of a training: patients in, the mean of their gradients out, and the network a little better."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
import torch

from StrokeSAMLib.imaging.channels import brain_box
from StrokeSAMLib.nets.devices import memory_errors
from StrokeSAMLib.training.gradients import Gradients, loss_and_gradients
from StrokeSAMLib.training.state import Origin, State
from StrokeSAMLib.training.synthesis import Anatomy, Patient, patient
from StrokeSAMLib.training.team import Team

_BATCH = 2
_MOST_GRADIENT = 1.0
# Seeds of patients, so far apart that two trainings share none.
_SEEDS_APART = 10_000_000


def nth_patient(origin: Origin, number: int, anatomies: Sequence[Anatomy]) -> Patient:
    """The patient that a training learns from, counted from 0."""
    return patient(origin.network, anatomies, _SEEDS_APART * origin.seed + number)


@contextmanager
def workers(device: torch.device) -> Iterator[Executor]:
    """On a CPU a thread for each patient of a step, elsewhere one thread.

    On two cores two threads with one each took 1.15 s a step where one with both took 1.5 s. MPS bears only one.
    """
    cores = torch.get_num_threads()
    count = min(_BATCH, cores) if device.type == "cpu" else 1
    try:
        with ThreadPoolExecutor(count, initializer=torch.set_num_threads, initargs=(cores // count,)) as made:
            yield made
    finally:
        torch.set_num_threads(cores)


def take_step(state: State, anatomies: Sequence[Anatomy], team: Team, among: Executor, precision: torch.dtype) -> None:
    """Learn from the next patients, each process of the team from its own.

    Args:
        precision: see `gradients.training_precision`.

    Raises:
        MemoryError: the device's does not do.
    """
    first = _BATCH * (team.size * state.step + team.rank)

    # Each by itself, since the boxes of their brains differ.
    def learn(number: int) -> tuple[float, Gradients]:
        return _learn(state, nth_patient(state.origin, number, anatomies), team.device, precision)

    with memory_errors():
        losses, gradients = zip(*among.map(learn, range(first, first + _BATCH)), strict=True)
    for parameter, several in zip(state.network.parameters(), zip(*gradients, strict=True), strict=True):
        parameter.grad = torch.stack(several).mean(0)
    team.average(state.network.parameters())
    # One gradient that overflowed would leave no number in the network.
    if torch.nn.utils.clip_grad_norm_(state.network.parameters(), _MOST_GRADIENT).isfinite():
        state.optimiser.step()
    state.losses.append(float(np.mean(losses)))
    state.follow()


def _learn(state: State, case: Patient, device: torch.device, precision: torch.dtype) -> tuple[float, Gradients]:
    """The loss of one patient, and its gradients."""
    box = brain_box(case.brain)
    channels = torch.from_numpy(case.channels[(slice(None), *box)])[None].to(device)
    truth = torch.from_numpy(case.lesion[box])[None, None].to(device, torch.float32)
    return loss_and_gradients(state.network, state.origin.network, channels, truth, precision)
