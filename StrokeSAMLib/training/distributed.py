"""The processes that train together, each on its own device. Lightning Fabric starts and connects them."""

from __future__ import annotations

import importlib.util
import logging
import os
import signal
from collections.abc import Iterable
from typing import Any, cast

import torch
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from StrokeSAMLib.core.errors import OptionError, missing_extra
from StrokeSAMLib.nets.devices import choose_device


class ProcessGroup:
    """A group of one process, and the interface of larger groups; see `start_processes`.

    Attributes:
        device: the device of this process.
        rank: the number of this process. The first, 0, reports progress and writes files.
        size: the number of processes.
    """

    rank, size = 0, 1

    def __init__(self) -> None:
        self.device = torch.device(choose_device("auto"))

    def broadcast(self, value: Any) -> Any:
        """Return the first process's value in every process."""
        return value

    def average_gradients(self, parameters: Iterable[torch.nn.Parameter]) -> None:
        """Replace the gradients in every process by their mean over the processes."""

    def leave(self) -> None:
        """Disconnect this process from the others."""


class FabricProcessGroup(ProcessGroup):
    """A group of processes that run the same command line, connected by Lightning Fabric."""

    def __init__(self, devices: int):
        from lightning_fabric import Fabric

        super().__init__()
        logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
        self._fabric = Fabric(accelerator=self.device.type, devices=devices, strategy="ddp")
        self._fabric.launch()
        self.device, self.rank, self.size = self._fabric.device, self._fabric.global_rank, self._fabric.world_size
        if self.rank:
            # Ctrl-C reaches every process. The first process stops the others.
            signal.signal(signal.SIGINT, signal.SIG_IGN)

    def broadcast(self, value: Any) -> Any:
        """See `ProcessGroup.broadcast`."""
        return self._fabric.broadcast(value)

    def average_gradients(self, parameters: Iterable[torch.nn.Parameter]) -> None:
        """See `ProcessGroup.average_gradients`."""
        gradients = [cast(torch.Tensor, each.grad) for each in parameters]
        mean = cast(torch.Tensor, self._fabric.all_reduce(parameters_to_vector(gradients)))
        vector_to_parameters(mean, gradients)

    def leave(self) -> None:
        """See `ProcessGroup.leave`."""
        torch.distributed.destroy_process_group()


def start_processes(devices: int | None) -> ProcessGroup:
    """Start one process for each device and return the group.

    The new processes run the command line from its start and arrive here too, so call this early.

    Args:
        devices: number of devices; None uses all GPUs if there are several and Lightning Fabric is installed.

    Raises:
        OptionError: this computer has fewer devices.
        StrokeSAMError: Lightning Fabric is not installed.
    """
    kind = choose_device("auto")
    most = {"cpu": os.cpu_count() or 1, "cuda": torch.cuda.device_count(), "mps": 1}[kind]
    has_fabric = importlib.util.find_spec("lightning_fabric") is not None
    if devices is None:
        devices = most if has_fabric and kind == "cuda" else 1
    if devices > most:
        raise OptionError(f"devices is {devices}; this computer has {most} ({kind})")
    if devices == 1:
        return ProcessGroup()
    if not has_fabric:
        raise missing_extra("training on several devices", "training")
    return FabricProcessGroup(devices)
