"""The ICASSP sibling of AISCT-SAM: SAM on slices of a CT and of its registered mirror image.

Written from a description. Names and shapes are those of the published checkpoint.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from StrokeSAMLib.nets.models.adapters import plain_block
from StrokeSAMLib.nets.models.aisct_sam import DEPTH, EMBEDDING, GLOBAL_BLOCKS, HEADS, SIZE, WIDTH
from StrokeSAMLib.nets.models.layers import to_slices, to_volumes
from StrokeSAMLib.nets.models.sam_parts import MaskDecoder, PromptEncoder, TwoWayTransformer
from StrokeSAMLib.nets.models.self_prompt import MaskPrompt
from StrokeSAMLib.nets.models.vit import ImageEncoder


class IcasspSam(nn.Module):
    """(batch, 2, z, 256, 256), the normalised CT and its mirror image → logits of background and lesion, same shape.

    SAM's own prompt encoder and mask decoder segment each slice. Their prompts are the difference of the two images'
    tokens, and a mask from the self-prompt.
    """

    def __init__(self):
        super().__init__()
        side = SIZE // 16
        self.spg = MaskPrompt((32, 64))
        self.token_mlp = TokenMlp()
        self.prompt_encoder = PromptEncoder(
            embed_dim=EMBEDDING, image_embedding_size=(side, side), input_image_size=(SIZE, SIZE), mask_in_chans=16
        )
        self.mask_decoder = MaskDecoder(
            # Two masks, one for each class.
            num_multimask_outputs=1,
            transformer=TwoWayTransformer(depth=2, embedding_dim=EMBEDDING, mlp_dim=2048, num_heads=8),
            transformer_dim=EMBEDDING,
            iou_head_depth=1,
            iou_head_hidden_dim=EMBEDDING,
        )
        self.image_encoder = ImageEncoder(WIDTH, DEPTH, HEADS, SIZE, global_blocks=GLOBAL_BLOCKS, block=plain_block)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """See the class's summary."""
        return self.with_prompt(x)[0]

    def with_prompt(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """The logits, with the mask prompt (batch · z, 1, 64, 64) and the predicted IoU (batch · z, 2)."""
        depth = x.shape[2]
        scan, mirrored = to_slices(x[:, :1]), to_slices(x[:, 1:])
        for last in self.image_encoder.hidden(scan, depth):
            hidden = last
        embedding = self.image_encoder.embedding(hidden)
        tokens = self.token_mlp(self._difference(scan, mirrored).flatten(1, 2))
        prompt = self.spg(x[:, :1], x[:, 1:]).transpose(1, 2).flatten(0, 1)
        # The tokens take the place of the prompt encoder's sparse embedding.
        _, dense = self.prompt_encoder(points=None, boxes=None, masks=prompt)
        logits, quality = self._decoded(embedding, tokens, dense)
        whole = F.interpolate(logits, scale_factor=4, mode="bilinear", align_corners=False)
        return to_volumes(whole, depth), prompt, quality

    def _difference(self, scan: torch.Tensor, mirrored: torch.Tensor) -> torch.Tensor:
        """The difference of the two images' tokens, (slice, row, column, channel)."""
        patches = self.image_encoder.patch_embed
        return patches(scan) - patches(mirrored) + self.image_encoder.pos_embed

    def _decoded(
        self, embedding: torch.Tensor, tokens: torch.Tensor, dense: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Decode slice by slice: SAM's decoder takes several prompts on one image, not one prompt on several."""
        positions = self.prompt_encoder.get_dense_pe()
        parts = zip(embedding.split(1), tokens.split(1), dense.split(1), strict=True)
        found = [self.mask_decoder.predict_masks(image, positions, sparse, mask) for image, sparse, mask in parts]
        logits, quality = zip(*found, strict=True)
        return torch.cat(logits), torch.cat(quality)


class TokenMlp(nn.Module):
    """Turn differences of patches into prompt tokens: (slice, token, 768) → (slice, token, 256)."""

    def __init__(self):
        super().__init__()
        self.lin1 = nn.Linear(WIDTH, WIDTH // 2)
        self.lin2 = nn.Linear(WIDTH // 2, EMBEDDING)
        self.norm1 = nn.LayerNorm(WIDTH)
        self.norm2 = nn.LayerNorm(EMBEDDING)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """See the class's summary."""
        return self.norm2(self.lin2(F.gelu(self.lin1(self.norm1(x)))))
