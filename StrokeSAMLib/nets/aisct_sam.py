"""AISCT-SAM and its sibling of ICASSP: SAM on slices of a CT and of its registered mirror image.

Written from a description; names and shapes are those of the published checkpoints.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from StrokeSAMLib.nets.adapters import adapted_block, plain_block
from StrokeSAMLib.nets.layers import taken
from StrokeSAMLib.nets.sam_parts import MaskDecoder, PromptEncoder, TwoWayTransformer
from StrokeSAMLib.nets.self_prompt import MaskPrompt, SelfPrompt
from StrokeSAMLib.nets.unetr import UnetrDecoder
from StrokeSAMLib.nets.vit import ImageEncoder

SIZE = 256
_WIDTH, _DEPTH, _HEADS = 768, 12, 12
_WHOLE = (2, 5, 8, 11)
_EMBEDDING = 256


class AisctSam(nn.Module):
    """(batch, 2, z, 256, 256), the normalised CT and its mirror image → logits of background and lesion, the same
    shape."""

    def __init__(self):
        super().__init__()
        self.image_encoder = ImageEncoder(_WIDTH, _DEPTH, _HEADS, SIZE, whole=_WHOLE, block=adapted_block)
        self.mask_decoder = UnetrDecoder(1, _WIDTH, _EMBEDDING, feature=16, up=(1, 2, 2), convolved=False)
        self.spg = SelfPrompt((32, 64, 128, 256))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """See the class."""
        depth = x.shape[2]
        difference, *prompts = self.spg(x[:, :1], x[:, 1:])
        blocks = enumerate(self.image_encoder.hidden(_slices(x[:, :1]), depth))
        *hidden, last = (tokens for n, tokens in blocks if n in _WHOLE)
        bottom = _volumes(self.image_encoder.embedding(last), depth) + prompts.pop()
        skips = (_reviewed(_volumes(tokens.permute(0, 3, 1, 2), depth)) for tokens in taken(hidden))
        return self.mask_decoder.decode(difference, skips, bottom, taken(prompts))


class IcasspSam(nn.Module):
    """The sibling: SAM's own prompt encoder and mask decoder, prompted by differences of tokens and by a mask."""

    def __init__(self):
        super().__init__()
        side = SIZE // 16
        self.spg = MaskPrompt((32, 64))
        self.token_mlp = TokenMlp()
        self.prompt_encoder = PromptEncoder(
            embed_dim=_EMBEDDING, image_embedding_size=(side, side), input_image_size=(SIZE, SIZE), mask_in_chans=16
        )
        self.mask_decoder = MaskDecoder(
            # Two masks in all, which are the two classes: none is left out.
            num_multimask_outputs=1,
            transformer=TwoWayTransformer(depth=2, embedding_dim=_EMBEDDING, mlp_dim=2048, num_heads=8),
            transformer_dim=_EMBEDDING,
            iou_head_depth=1,
            iou_head_hidden_dim=_EMBEDDING,
        )
        self.image_encoder = ImageEncoder(_WIDTH, _DEPTH, _HEADS, SIZE, whole=_WHOLE, block=plain_block)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Logits as `AisctSam`'s; the mask prompt, (batch · z, 1, 64, 64); predicted IoU, (batch · z, 2)."""
        depth = x.shape[2]
        scan, mirrored = _slices(x[:, :1]), _slices(x[:, 1:])
        for last in self.image_encoder.hidden(scan, depth):
            hidden = last
        embedding = self.image_encoder.embedding(hidden)
        tokens = self.token_mlp(self._difference(scan, mirrored).flatten(1, 2))
        prompt = self.spg(x[:, :1], x[:, 1:]).transpose(1, 2).flatten(0, 1)
        # The encoder's own sparse embedding is empty: the tokens are in its place.
        _, dense = self.prompt_encoder(points=None, boxes=None, masks=prompt)
        logits, quality = self._decoded(embedding, tokens, dense)
        whole = F.interpolate(logits, scale_factor=4, mode="bilinear", align_corners=False)
        return _volumes(whole, depth), prompt, quality

    def _difference(self, scan: torch.Tensor, mirrored: torch.Tensor) -> torch.Tensor:
        """(slice, row, column, channel)."""
        patches = self.image_encoder.patch_embed
        return patches(scan) - patches(mirrored) + self.image_encoder.pos_embed

    def _decoded(
        self, embedding: torch.Tensor, tokens: torch.Tensor, dense: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Slice by slice: SAM's decoder answers several prompts of one image, not one prompt of several."""
        positions = self.prompt_encoder.get_dense_pe()
        parts = zip(embedding.split(1), tokens.split(1), dense.split(1), strict=True)
        found = [self.mask_decoder.predict_masks(image, positions, sparse, mask) for image, sparse, mask in parts]
        logits, quality = zip(*found, strict=True)
        return torch.cat(logits), torch.cat(quality)


class TokenMlp(nn.Module):
    """Differences of patches as tokens of a prompt: (slice, token, 768) → (slice, token, 256)."""

    def __init__(self):
        super().__init__()
        self.lin1 = nn.Linear(_WIDTH, _WIDTH // 2)
        self.lin2 = nn.Linear(_WIDTH // 2, _EMBEDDING)
        self.norm1 = nn.LayerNorm(_WIDTH)
        self.norm2 = nn.LayerNorm(_EMBEDDING)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """See the class."""
        return self.norm2(self.lin2(F.gelu(self.lin1(self.norm1(x)))))


def _slices(x: torch.Tensor) -> torch.Tensor:
    """(batch, 1, z, y, x) as images of three channels, (batch · z, 3, y, x)."""
    return x.transpose(1, 2).flatten(0, 1).expand(-1, 3, -1, -1)


def _volumes(x: torch.Tensor, depth: int) -> torch.Tensor:
    """(batch · z, channel, y, x) → (batch, channel, z, y, x)."""
    return x.unflatten(0, (-1, depth)).transpose(1, 2)


def _reviewed(x: torch.Tensor) -> torch.Tensor:
    """(batch, channel, z, y, x), its numbers in another order, in the same shape.

    UNETR's `proj_feat` takes tokens, channels last. Here it was given channels first, and took that memory for tokens.
    Places and channels are shuffled so, always alike: no checkpoint can do without.
    """
    batch, channels, *grid = x.shape
    return x.contiguous().view(batch, *grid, channels).permute(0, 4, 1, 2, 3)
