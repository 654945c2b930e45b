"""Train the micro SAM 2 of the tests: the real network, very small, on synthetic slices, on a CPU.

    python Testing/train_micro_sam2.py --minutes 30

writes Testing/Data/micro_sam2.pt (half precision, below 4 MB). A clip of slices shows a blob among other blobs, on
smooth and white noise. The blob's size and place change from slice to slice. The first slice has a box or a click; the
network tracks the blob through the others by its own memory.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import torch
import torch.nn.functional as F

from StrokeSAMLib.nets.models.sam2_model import build

DATA = Path(__file__).parent / "Data"
MOST_LOGIT = 15.0
CLIPS = 8
# Slices of a clip in the first and in the last part of the training, and the length of the first part.
SHORT, LONG, SHORT_PART = 2, 4, 0.7
LEARNING_RATE = 1e-3
# Weights of the losses in the order of SAM 2's training: focal, Dice, predicted IoU, presence of the object.
FOCAL, DICE, IOU, PRESENCE = 10.0, 2.0, 0.5, 0.2


def smooth_noise(count: int, cells: int, size: int, generator: torch.Generator) -> torch.Tensor:
    """Noise of mean 0 and deviation 1, (count, size, size), `cells` bumps across."""
    coarse = torch.randn(count, 1, cells, cells, generator=generator)
    fine = F.interpolate(coarse, size=(size, size), mode="bicubic", align_corners=False)[:, 0]
    return fine / fine.std()


def blob(clip: int, size: int, generator: torch.Generator) -> torch.Tensor:
    """The masks of one object, an ellipsoid with a wavy outline: bool (slice, row, column)."""

    def uniform(low: float, high: float, *shape: int) -> torch.Tensor:
        return low + (high - low) * torch.rand(*shape, generator=generator)

    y, x = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    centre, drift = uniform(0.25, 0.75, 2) * size, uniform(-0.02, 0.02, 2) * size
    radius, aspect, tilt = uniform(0.08, 0.25, 1) * size, uniform(0.55, 1.0, 1), uniform(0, 3.14, 1)
    height, middle = uniform(2.0, 9.0, 1), uniform(-1.5, 1.5, 1)
    waves, phase, depth = torch.randint(2, 6, (1,), generator=generator), uniform(0, 6.28, 1), uniform(0, 0.15, 1)
    masks = []
    for k in range(clip):
        dx, dy = x - centre[0] - drift[0] * k, y - centre[1] - drift[1] * k
        u = torch.cos(tilt) * dx + torch.sin(tilt) * dy
        v = (torch.cos(tilt) * dy - torch.sin(tilt) * dx) / aspect
        outline = 1 + depth * torch.sin(waves * torch.atan2(v, u) + phase + 0.1 * k)
        reach = radius * torch.sqrt((1 - ((k - middle) / height) ** 2).clamp(min=0))
        masks.append(torch.hypot(u, v) < reach * outline)
    return torch.stack(masks)


def clip_of(slices: int, size: int, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Images 0…1 and masks of one clip, (slice, size, size)."""
    truth = blob(slices, size, generator)
    amount = torch.rand(4, generator=generator)
    anatomy = smooth_noise(1, 6, size, generator) * 0.06 + smooth_noise(1, 20, size, generator) * 0.04
    images = 0.45 + anatomy.expand(slices, size, size).clone()
    for _ in range(2):
        other = blob(slices, size, generator)
        images += other * (torch.rand(1, generator=generator) - 0.5) * 0.4
    contrast = (0.18 + 0.25 * amount[0]) * (1 if amount[1] > 0.5 else -1)
    inside = images.mean() + contrast + 0.5 * (images - images.mean())
    images = torch.where(truth, inside, images)
    images += smooth_noise(slices, size // 3, size, generator) * 0.06 * amount[2]
    return images.clamp(0, 1), truth


def batch_of(slices: int, size: int, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Images and masks of clips whose first slice shows the object, (clip, slice, size, size)."""
    clips = []
    while len(clips) < CLIPS:
        images, truth = clip_of(slices, size, generator)
        if 40 < truth[0].sum() < 0.3 * size * size:
            clips.append((images, truth))
    images, truths = zip(*clips, strict=True)
    return torch.stack(images), torch.stack(truths)


def prompts_of(truth: torch.Tensor, click: bool, generator: torch.Generator) -> dict[str, torch.Tensor]:
    """A jittered box around each object, or a click in it."""
    places = []
    for mask in truth:
        y, x = torch.nonzero(mask, as_tuple=True)
        if click:
            n = int(torch.randint(len(x), (1,), generator=generator))
            places.append([[x[n], y[n]]])
        else:
            jitter = torch.randint(-2, 3, (4,), generator=generator)
            places.append([[x.min() + jitter[0], y.min() + jitter[1]], [x.max() + jitter[2], y.max() + jitter[3]]])
    labels = [[1]] if click else [[2, 3]]
    return {
        "point_coords": torch.tensor(places, dtype=torch.float32),
        "point_labels": torch.tensor(labels, dtype=torch.int32).expand(len(truth), -1),
    }


def loss_of(multi: torch.Tensor, ious: torch.Tensor, score: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """The loss of the best of several masks (clip, mask, row, column), of their predicted IoU and of the presence."""
    full = F.interpolate(multi, size=truth.shape[-2:], mode="bilinear", align_corners=False)
    # Where the network predicts that the object is absent, its logits are −1024 everywhere.
    full = full.clamp(-MOST_LOGIT, MOST_LOGIT)
    wanted = truth[:, None].float().expand_as(full)
    probability = full.sigmoid()
    likelihood = F.binary_cross_entropy_with_logits(full, wanted, reduction="none")
    right = probability * wanted + (1 - probability) * (1 - wanted)
    focal = ((1 - right) ** 2 * likelihood).mean((2, 3))
    overlap = 2 * (probability * wanted).sum((2, 3)) + 1
    dice = 1 - overlap / (probability.sum((2, 3)) + wanted.sum((2, 3)) + 1)
    there = truth.flatten(1).any(1).float()
    best = (FOCAL * focal + DICE * dice * there[:, None]).min(1).values.mean()
    found = full > 0
    union = (found | (wanted > 0)).sum((2, 3)).clamp(min=1)
    actual = (found & (wanted > 0)).sum((2, 3)) / union
    present = F.binary_cross_entropy_with_logits(score[:, 0], there)
    return best + IOU * (ious - actual).abs().mean() + PRESENCE * present


def step(model: torch.nn.Module, slices: int, generator: torch.Generator) -> torch.Tensor:
    """The mean loss over the slices of a batch of clips."""
    size = model.image_size
    images, truth = batch_of(slices, size, generator)
    mean, sd = (torch.tensor(values).view(1, 3, 1, 1) for values in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    rgb = (images.view(-1, 1, size, size).expand(-1, 3, -1, -1) - mean) / sd
    encoded = model.forward_image(rgb)["backbone_fpn"]
    levels = [level.view(CLIPS, slices, *level.shape[1:]) for level in encoded]
    position = model.image_encoder.neck.position_encoding(encoded[-1])[:CLIPS].flatten(2).permute(2, 0, 1)
    click = bool(torch.rand(1, generator=generator) < 0.3)
    memory: dict[str, dict] = {"cond_frame_outputs": {}, "non_cond_frame_outputs": {}}
    total = torch.zeros(())
    for k in range(slices):
        current = [level[:, k].flatten(2).permute(2, 0, 1) for level in levels]
        sizes = [tuple(level.shape[-2:]) for level in levels]
        points = prompts_of(truth[:, 0], click, generator) if k == 0 else None
        out, heads, _, _ = model._track_step(
            k, k == 0, current, [position], sizes, points, None, memory, slices, False, None
        )
        multi, _, ious, _, high, pointer, score = heads
        total = total + loss_of(multi, ious, score, truth[:, k])
        model._encode_memory_in_output(current, sizes, points, True, high, score, out)
        out["obj_ptr"] = pointer
        memory["cond_frame_outputs" if k == 0 else "non_cond_frame_outputs"][k] = out
    return total / slices


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("-o", "--output", type=Path, default=DATA / "micro_sam2.pt")
    parser.add_argument("--resume", type=Path)
    arguments = parser.parse_args()
    torch.manual_seed(1)
    generator = torch.Generator().manual_seed(1)
    model = build(json.loads((DATA / "micro_sam2.json").read_text("utf-8"))).requires_grad_(True).train()
    if arguments.resume:
        model.load_state_dict(torch.load(arguments.resume, weights_only=True)["model"])
        generator.manual_seed(int(time.time()))
    optimiser = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, weight_decay=0.01)
    start, n, running = time.monotonic(), 0, None
    while (elapsed := (time.monotonic() - start) / 60) < arguments.minutes:
        rate = LEARNING_RATE * min(1.0, (n + 1) / 50) * max(0.02, 1 - elapsed / arguments.minutes)
        for group in optimiser.param_groups:
            group["lr"] = rate
        slices = SHORT if elapsed < SHORT_PART * arguments.minutes else LONG
        loss = step(model, slices, generator)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        loss = loss.detach()
        running = float(loss) if running is None else 0.98 * running + 0.02 * float(loss)
        n += 1
        if n % 50 == 0:
            print(f"step {n}, {elapsed:.1f} min, loss {running:.3f}", flush=True)
            save(model, arguments.output)
    save(model, arguments.output)
    print(f"{arguments.output}: {arguments.output.stat().st_size / 1e6:.2f} MB, {n} steps, loss {running:.3f}")


def save(model: torch.nn.Module, path: Path) -> None:
    """Write the weights in half precision, which halves the file."""
    state = {key: value.half() if value.is_floating_point() else value for key, value in model.state_dict().items()}
    torch.save({"model": state}, path)


if __name__ == "__main__":
    main()
