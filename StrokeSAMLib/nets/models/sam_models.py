"""SAM and its descendants: an image encoder, SAM's prompt encoder, SAM's mask decoder."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from StrokeSAMLib.nets.models.sam_med2d import AdaptedBlock
from StrokeSAMLib.nets.models.sam_parts import MaskDecoder, PromptEncoder, TwoWayTransformer
from StrokeSAMLib.nets.models.tiny_vit import TinyViT
from StrokeSAMLib.nets.models.vit import ImageEncoder

_WIDTH = 256


class PromptedSam(nn.Module):
    """A network that encodes an image once and then predicts masks from prompts.

    The parts' names and their order are those of the checkpoints.
    """

    image_encoder: nn.Module
    # Classes of segment_anything, which `sam_parts` imports at run time.
    prompt_encoder: Any
    mask_decoder: Any

    def __init__(self, **parts: nn.Module):
        super().__init__()
        for name, part in parts.items():
            self.add_module(name, part)

    @property
    def device(self) -> torch.device:
        """The device of the network's weights."""
        return next(self.parameters()).device

    def masks(
        self,
        embedding: torch.Tensor,
        points: tuple[torch.Tensor, torch.Tensor] | None,
        box: torch.Tensor | None,
        mask: torch.Tensor | None,
        multimask: bool,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Predict masks from prompts.

        Args:
            embedding: output of the image encoder.
            points: coordinates (1, n, 2) in pixels of the input, and labels (1, n).
            box: (1, 4), pixels of the input.
            mask: logits, (1, 1, row, column), four times the embedding's size.
            multimask: predict three masks, from a part of the object to all of it, rather than one.

        Returns:
            Logits (1, mask, row, column), and their predicted IoU (1, mask).
        """
        sparse, dense = self.prompt_encoder(points=points, boxes=box, masks=mask)
        return self.mask_decoder(
            image_embeddings=embedding,
            image_pe=self.prompt_encoder.get_dense_pe(),
            sparse_prompt_embeddings=sparse,
            dense_prompt_embeddings=dense,
            multimask_output=multimask,
        )


def sam_vit_b() -> PromptedSam:
    """SAM ViT-B and MedSAM, with an input of 1024 × 1024 pixels."""
    encoder = ImageEncoder(768, 12, 12, 1024, global_blocks=(2, 5, 8, 11))
    return _build(image_encoder=encoder, prompt_encoder=_prompt_encoder(64, 1024), mask_decoder=_mask_decoder())


def sam_med2d() -> PromptedSam:
    """SAM-Med2D, with an input of 256 × 256 pixels and adapters in the encoder."""
    encoder = ImageEncoder(768, 12, 12, 256, global_blocks=(2, 5, 8, 11), block=AdaptedBlock)
    return _build(image_encoder=encoder, prompt_encoder=_prompt_encoder(16, 256), mask_decoder=_mask_decoder())


def lite_medsam() -> PromptedSam:
    """LiteMedSAM, with an input of 256 × 256 pixels."""
    return _build(
        image_encoder=TinyViT((2, 2, 6, 2)), mask_decoder=_mask_decoder(), prompt_encoder=_prompt_encoder(64, 256)
    )


def swift_medsam() -> PromptedSam:
    """SwiftMedSAM: LiteMedSAM with fewer encoder blocks and a shallower decoder."""
    return _build(
        image_encoder=TinyViT((1, 2, 2, 2)),
        mask_decoder=_mask_decoder(depth=1, hidden=256, heads=4, iou_depth=2),
        prompt_encoder=_prompt_encoder(64, 256),
    )


def _build(**parts: nn.Module) -> PromptedSam:
    return PromptedSam(**parts).eval().requires_grad_(False)


def _prompt_encoder(side: int, image_size: int) -> PromptEncoder:
    return PromptEncoder(
        embed_dim=_WIDTH,
        image_embedding_size=(side, side),
        input_image_size=(image_size, image_size),
        mask_in_chans=16,
    )


def _mask_decoder(depth: int = 2, hidden: int = 2048, heads: int = 8, iou_depth: int = 3) -> MaskDecoder:
    return MaskDecoder(
        num_multimask_outputs=3,
        transformer=TwoWayTransformer(depth=depth, embedding_dim=_WIDTH, mlp_dim=hidden, num_heads=heads),
        transformer_dim=_WIDTH,
        iou_head_depth=iou_depth,
        iou_head_hidden_dim=_WIDTH,
    )
