"""The processes that train together, each on a device of its own: Lightning Fabric starts and connects them."""

from __future__ import annotations

import importlib.util
import logging
import os
import signal
from collections.abc import Iterable
from typing import Any

import torch
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from StrokeSAMLib.errors import OptionError, missing_packages
from StrokeSAMLib.nets.devices import choose_device


class Team:
    """A process alone on its device; see `gather`.

    Attributes:
        device: this process's.
        rank: its number; the first, 0, is the one that reports and writes.
        size: how many there are.
    """

    rank, size = 0, 1

    def __init__(self) -> None:
        self.device = torch.device(choose_device("auto"))

    def agreed(self, value: Any) -> Any:
        """The first process's value, in all of them."""
        return value

    def average(self, parameters: Iterable[torch.nn.Parameter]) -> None:
        """Give every process the mean of their gradients."""

    def part(self) -> None:
        """Go on alone."""


class Together(Team):
    """One of several processes, which run the same command line."""

    def __init__(self, devices: int):
        from lightning_fabric import Fabric

        super().__init__()
        logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
        self._fabric = Fabric(accelerator=self.device.type, devices=devices, strategy="ddp")
        self._fabric.launch()
        self.device, self.rank, self.size = self._fabric.device, self._fabric.global_rank, self._fabric.world_size
        if self.rank:
            # Ctrl-C reaches all of them; the first tells the others.
            signal.signal(signal.SIGINT, signal.SIG_IGN)

    def agreed(self, value: Any) -> Any:
        """See `Team.agreed`."""
        return self._fabric.broadcast(value)

    def average(self, parameters: Iterable[torch.nn.Parameter]) -> None:
        """See `Team.average`."""
        gradients = [each.grad for each in parameters]
        vector_to_parameters(self._fabric.all_reduce(parameters_to_vector(gradients)), gradients)

    def part(self) -> None:
        """See `Team.part`."""
        torch.distributed.destroy_process_group()


def gather(devices: int | None) -> Team:
    """The team on so many devices; None: on all GPUs where there are several and Lightning Fabric is installed.

    To be called early: the other processes begin with the command line again, and come here.

    Raises:
        OptionError: there are not so many.
        StrokeSAMError: Lightning Fabric is missing.
    """
    kind = choose_device("auto")
    most = {"cpu": os.cpu_count() or 1, "cuda": torch.cuda.device_count(), "mps": 1}[kind]
    able = importlib.util.find_spec("lightning_fabric") is not None
    if devices is None:
        devices = most if able and kind == "cuda" else 1
    if devices > most:
        raise OptionError(f"devices is {devices}; {kind} has {most} here")
    if devices == 1:
        return Team()
    if not able:
        raise missing_packages("training on several devices", "training")
    return Together(devices)
