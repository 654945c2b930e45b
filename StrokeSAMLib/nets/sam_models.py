"""SAM and its descendants: an image encoder, SAM's prompt encoder, SAM's mask decoder."""

from __future__ import annotations

import torch
from torch import nn

from StrokeSAMLib.nets.sam_med2d import AdaptedBlock
from StrokeSAMLib.nets.sam_parts import MaskDecoder, PromptEncoder, TwoWayTransformer
from StrokeSAMLib.nets.tiny_vit import TinyViT
from StrokeSAMLib.nets.vit import ImageEncoder

_WIDTH = 256


class PromptedSam(nn.Module):
    """An image is encoded once, then prompted. The parts' names and order are those of the checkpoints."""

    def __init__(self, **parts: nn.Module):
        super().__init__()
        for name, part in parts.items():
            self.add_module(name, part)

    @property
    def device(self) -> torch.device:
        """Where the network is."""
        return next(self.parameters()).device

    def masks(
        self,
        embedding: torch.Tensor,
        points: tuple[torch.Tensor, torch.Tensor] | None,
        box: torch.Tensor | None,
        mask: torch.Tensor | None,
        several: bool,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits (1, mask, row, column) and their predicted IoU (1, mask).

        Args:
            embedding: of the image encoder.
            points: places (1, n, 2), pixels of the input, and labels (1, n).
            box: (1, 4), pixels of the input.
            mask: logits, (1, 1, row, column), four times the embedding's size.
            several: three masks, from part to whole, rather than one.
        """
        sparse, dense = self.prompt_encoder(points=points, boxes=box, masks=mask)
        return self.mask_decoder(
            image_embeddings=embedding,
            image_pe=self.prompt_encoder.get_dense_pe(),
            sparse_prompt_embeddings=sparse,
            dense_prompt_embeddings=dense,
            multimask_output=several,
        )


def sam_vit_b() -> PromptedSam:
    """SAM ViT-B and MedSAM: input 1024."""
    encoder = ImageEncoder(768, 12, 12, 1024, whole=(2, 5, 8, 11))
    return _ready(image_encoder=encoder, prompt_encoder=_prompts(64, 1024), mask_decoder=_decoder())


def sam_med2d() -> PromptedSam:
    """SAM-Med2D: input 256, adapters in the encoder."""
    encoder = ImageEncoder(768, 12, 12, 256, whole=(2, 5, 8, 11), block=AdaptedBlock)
    return _ready(image_encoder=encoder, prompt_encoder=_prompts(16, 256), mask_decoder=_decoder())


def lite_medsam() -> PromptedSam:
    """LiteMedSAM: input 256."""
    return _ready(image_encoder=TinyViT((2, 2, 6, 2)), mask_decoder=_decoder(), prompt_encoder=_prompts(64, 256))


def swift_medsam() -> PromptedSam:
    """SwiftMedSAM: fewer blocks, a shallower decoder."""
    return _ready(
        image_encoder=TinyViT((1, 2, 2, 2)),
        mask_decoder=_decoder(depth=1, hidden=256, heads=4, iou_depth=2),
        prompt_encoder=_prompts(64, 256),
    )


def _ready(**parts: nn.Module) -> PromptedSam:
    return PromptedSam(**parts).eval().requires_grad_(False)


def _prompts(side: int, image_size: int) -> PromptEncoder:
    return PromptEncoder(
        embed_dim=_WIDTH,
        image_embedding_size=(side, side),
        input_image_size=(image_size, image_size),
        mask_in_chans=16,
    )


def _decoder(depth: int = 2, hidden: int = 2048, heads: int = 8, iou_depth: int = 3) -> MaskDecoder:
    return MaskDecoder(
        num_multimask_outputs=3,
        transformer=TwoWayTransformer(depth=depth, embedding_dim=_WIDTH, mlp_dim=hidden, num_heads=heads),
        transformer_dim=_WIDTH,
        iou_head_depth=iou_depth,
        iou_head_hidden_dim=_WIDTH,
    )
