"""One step of a training: the gradients of a few lessons, and an update of the network by their mean."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import nn

from StrokeSAMLib.lesion.network_inputs import brain_box
from StrokeSAMLib.nets.devices import memory_errors
from StrokeSAMLib.training.checkpoint import Checkpoint, TrainingSetup
from StrokeSAMLib.training.distributed import ProcessGroup
from StrokeSAMLib.training.gradients import Gradients, loss_and_gradients
from StrokeSAMLib.training.preview import PATIENT_COUNT, write_preview
from StrokeSAMLib.training.synthesis import Anatomy, Patient, make_patient

_BATCH = 2
_MOST_GRADIENT = 1.0
# The distance between the patients' seeds of two trainings. No training has so many patients.
SEED_STRIDE = 10_000_000


class Lessons(Protocol):
    """What a network learns from: patients, or sessions with prompts."""

    def gradients(
        self, network: nn.Module, number: int, device: torch.device, precision: torch.dtype
    ) -> tuple[float, Gradients]:
        """The loss of the lesson with this number, counted from 0, and its gradients."""
        ...

    def preview(self, path: Path) -> None:
        """Write a picture of the first lessons; see `write_preview`."""
        ...


class PatientLessons:
    """The lessons of the lesion networks: each is one patient.

    Args:
        setup: of the training.
        anatomies: the brains to make patients from.
    """

    def __init__(self, setup: TrainingSetup, anatomies: Sequence[Anatomy]):
        self._setup, self._anatomies = setup, anatomies

    def gradients(
        self, network: nn.Module, number: int, device: torch.device, precision: torch.dtype
    ) -> tuple[float, Gradients]:
        """See `Lessons.gradients`."""
        patient = nth_patient(self._setup, number, self._anatomies)
        return _patient_gradients(network, self._setup.network, patient, device, precision)

    def preview(self, path: Path) -> None:
        """See `Lessons.preview`."""
        patients = [nth_patient(self._setup, number, self._anatomies) for number in range(PATIENT_COUNT)]
        write_preview(self._setup.network, patients, path)


def nth_patient(setup: TrainingSetup, number: int, anatomies: Sequence[Anatomy]) -> Patient:
    """The patient of a training with this number, counted from 0."""
    return make_patient(setup.network, anatomies, SEED_STRIDE * setup.seed + number)


@contextmanager
def patient_executor(device: torch.device) -> Iterator[Executor]:
    """Yield an executor that runs the patients of a step: on a CPU one thread each, elsewhere one thread.

    The threads share the CPU's cores. On two cores, two threads with one core each took 1.15 s a step, one thread with
    both cores took 1.5 s. MPS works with one thread only.
    """
    cores = torch.get_num_threads()
    count = min(_BATCH, cores) if device.type == "cpu" else 1
    try:
        with ThreadPoolExecutor(count, initializer=torch.set_num_threads, initargs=(cores // count,)) as executor:
            yield executor
    finally:
        torch.set_num_threads(cores)


def take_step(
    checkpoint: Checkpoint,
    lessons: Lessons,
    processes: ProcessGroup,
    executor: Executor,
    precision: torch.dtype,
) -> None:
    """Learn from the next lessons. Each process has its own lessons.

    Args:
        checkpoint: the training, changed in place.
        lessons: what the network learns from.
        processes: the processes that train together.
        executor: see `patient_executor`.
        precision: see `training_precision`.

    Raises:
        MemoryError: the device has too little memory.
    """
    first = _BATCH * (processes.size * checkpoint.step + processes.rank)

    # One by one, since the boxes of the patients' brains differ.
    def learn(number: int) -> tuple[float, Gradients]:
        return lessons.gradients(checkpoint.network, number, processes.device, precision)

    with memory_errors():
        losses, gradients = zip(*executor.map(learn, range(first, first + _BATCH)), strict=True)
    for parameter, several in zip(checkpoint.network.parameters(), zip(*gradients, strict=True), strict=True):
        parameter.grad = torch.stack(several).mean(0)
    processes.average_gradients(checkpoint.network.parameters())
    # A single gradient that overflowed would turn every weight into NaN, so such a step is skipped.
    if torch.nn.utils.clip_grad_norm_(checkpoint.network.parameters(), _MOST_GRADIENT).isfinite():
        checkpoint.optimiser.step()
    checkpoint.losses.append(float(np.mean(losses)))
    checkpoint.update_average()


def _patient_gradients(
    network: nn.Module, id: str, patient: Patient, device: torch.device, precision: torch.dtype
) -> tuple[float, Gradients]:
    """The loss of one patient and its gradients, on the brain's box."""
    box = brain_box(patient.brain)
    inputs = torch.from_numpy(patient.network_inputs[(slice(None), *box)])[None].to(device)
    truth = torch.from_numpy(patient.lesion[box])[None, None].to(device, torch.float32)
    return loss_and_gradients(network, id, inputs, truth, precision)
