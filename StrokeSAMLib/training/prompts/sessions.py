"""The sessions that `prompt-unet` learns from: every answer trains it and makes the next click."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from StrokeSAMLib.interactive.prompt_maps import input_maps
from StrokeSAMLib.training.gradients import Gradients
from StrokeSAMLib.training.prompts.backgrounds import Heads
from StrokeSAMLib.training.prompts.cubes import Cube, make_cube
from StrokeSAMLib.training.prompts.loss import prompt_loss, voxel_weights
from StrokeSAMLib.training.prompts.shapes import Shapes
from StrokeSAMLib.training.prompts.user import Turn, first_turn, next_turn
from StrokeSAMLib.training.synthesis.fields import Shape

# Sessions go on for the box and up to so many corrections.
_MOST_TURNS = 6


@dataclass
class Session:
    """A cube and the turn that the network answers next."""

    cube: Cube
    turn: Turn
    rng: np.random.Generator
    left: int


def new_session(heads: Heads, shapes: Shapes, seed: int, shape: Shape) -> Session:
    """The session with this seed on a cube of `shape`, before the first answer."""
    cube = make_cube(heads, shapes, seed, shape)
    rng = np.random.default_rng([seed, 1])
    return Session(cube, first_turn(cube, rng), rng, int(rng.integers(1, _MOST_TURNS + 1)))


def maps_of(session: Session) -> np.ndarray:
    """The network's inputs for the session's turn, float32 (channel, k, j, i)."""
    cube, turn = session.cube, session.turn
    return input_maps(cube.image, cube.valid, cube.ratio, turn.prompts, turn.previous)


def advance(session: Session, answer: np.ndarray) -> bool:
    """Go on to the turn after an answer (probability, float32 (k, j, i)); false where the session has ended."""
    session.left -= 1
    turn = next_turn(session.cube, session.turn, answer, session.rng) if session.left > 0 else None
    if turn is not None:
        session.turn = turn
    return turn is not None


def batch_of(sessions: list[Session], device: torch.device) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """The inputs of the sessions' turns, and truth, weight, kept and valid voxels as `prompt_loss` takes them."""
    inputs = np.stack([maps_of(session) for session in sessions])
    targets = []
    for session in sessions:
        cube, turn = session.cube, session.turn
        weight, keep = voxel_weights(cube.truth, cube.valid, turn.previous, turn.newest, cube.ratio)
        targets.append(np.stack([cube.truth, weight, keep, cube.valid]).astype(np.float32))
    stacked = torch.from_numpy(np.stack(targets)).to(device)
    return torch.from_numpy(inputs).to(device), [stacked[:, n : n + 1] for n in range(4)]


def answer_turns(
    network: torch.nn.Module, sessions: list[Session], device: torch.device, precision: torch.dtype
) -> tuple[float, Gradients, np.ndarray]:
    """Answer the turns of some sessions in one pass.

    Returns:
        The loss, its gradients, and the answers: probabilities, float32 (session, k, j, i), 0 outside the scans.
    """
    inputs, targets = batch_of(sessions, device)
    with torch.autocast(device.type, dtype=precision, enabled=precision != torch.float32):
        logits = network(inputs.contiguous(memory_format=torch.channels_last_3d))
    loss = prompt_loss(logits, *targets)
    gradients = torch.autograd.grad(loss, list(network.parameters()))
    answers = logits.detach().float().sigmoid().cpu().numpy()[:, 0]
    return float(loss.detach()), gradients, answers * [session.cube.valid for session in sessions]
