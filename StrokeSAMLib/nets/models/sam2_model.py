"""SAM 2 and SAM 2.1 (Ravi et al. 2024, arXiv 2408.00714), built from the modules of the `sam2` package.

The settings that differ between the sizes are in sam2.json; the settings that all sizes share are in this module. The
package has the same settings in a hydra configuration of some 120 lines for each size.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib import resources
from typing import Any, cast

from sam2.modeling.backbones.hieradet import Hiera
from sam2.modeling.backbones.image_encoder import FpnNeck, ImageEncoder
from sam2.modeling.memory_attention import MemoryAttention, MemoryAttentionLayer
from sam2.modeling.memory_encoder import CXBlock, Fuser, MaskDownSampler, MemoryEncoder
from sam2.modeling.position_encoding import PositionEmbeddingSine
from sam2.modeling.sam.transformer import RoPEAttention
from sam2.modeling.sam2_base import SAM2Base

_STRIDE = 16
# The sizes of every published model. A configuration may have other ones.
_SIZES = {"width": 256, "memory_width": 64, "memory_layers": 4, "memory_hidden": 2048}
# The settings of every model of the family, from their configurations, and the package's settings for inference:
# another mask where the single one is unstable, and the memory of a prompted slice from the mask shown to the user.
_SHARED = {
    "num_maskmem": 7,
    "sigmoid_scale_for_mem_enc": 20.0,
    "sigmoid_bias_for_mem_enc": -10.0,
    "use_mask_input_as_output_without_sam": True,
    "directly_add_no_mem_embed": True,
    "use_high_res_features_in_sam": True,
    "multimask_output_in_sam": True,
    "iou_prediction_use_sigmoid": True,
    "use_obj_ptrs_in_encoder": True,
    "only_obj_ptrs_in_the_past_for_eval": True,
    "pred_obj_scores": True,
    "pred_obj_scores_mlp": True,
    "fixed_no_obj_ptr": True,
    "multimask_output_for_tracking": True,
    "use_multimask_token_for_obj_ptr": True,
    "multimask_min_pt_num": 0,
    "multimask_max_pt_num": 1,
    "use_mlp_for_obj_ptr_proj": True,
    "binarize_mask_from_pts_for_mem_enc": True,
    "sam_mask_decoder_extra_args": {
        "dynamic_multimask_via_stability": True,
        "dynamic_multimask_stability_delta": 0.05,
        "dynamic_multimask_stability_thresh": 0.98,
    },
}
# Version 2.1 gives object pointers a position in time, and an absent object its own embedding.
_VERSIONS = {
    "2.1": {
        "no_obj_embed_spatial": True,
        "add_tpos_enc_to_obj_ptrs": True,
        "proj_tpos_enc_in_obj_ptrs": True,
        "use_signed_tpos_enc_to_obj_ptrs": True,
    },
    "2.0": {"add_tpos_enc_to_obj_ptrs": False},
}


def configurations() -> dict[str, dict[str, Any]]:
    """The configurations in sam2.json by the model's name."""
    return json.loads(resources.files("StrokeSAMLib.nets.models").joinpath("sam2.json").read_text("utf-8"))


def build(configuration: Mapping[str, Any], most_prompted: int = -1) -> SAM2Base:
    """The model in evaluation mode, with random weights.

    Args:
        configuration: an entry of `configurations`, or one of the same form.
        most_prompted: the model attends to this many of the prompted slices, the nearest; −1 attends to all.
    """
    sizes = {**_SIZES, **configuration}
    trunk = Hiera(**{key: _tuple(value) for key, value in configuration["trunk"].items()})
    neck = FpnNeck(
        position_encoding=_sine(sizes["width"]),
        d_model=sizes["width"],
        backbone_channel_list=cast(list[int], trunk.channel_list),
        fpn_top_down_levels=[2, 3],
        fpn_interp_model="nearest",
    )
    model = SAM2Base(
        image_encoder=ImageEncoder(trunk=trunk, neck=neck, scalp=1),
        memory_attention=_memory_attention(sizes),
        memory_encoder=_memory_encoder(sizes),
        image_size=configuration["image_size"],
        max_cond_frames_in_attn=most_prompted,
        **_SHARED,
        **_VERSIONS[configuration.get("version", "2.1")],
    )
    return model.eval().requires_grad_(False)


def _memory_attention(sizes: Mapping[str, Any]) -> MemoryAttention:
    width, grid = sizes["width"], [sizes["image_size"] // _STRIDE] * 2
    heads = {"embedding_dim": width, "num_heads": 1, "downsample_rate": 1, "dropout": 0.1, "feat_sizes": grid}
    layer = MemoryAttentionLayer(
        activation="relu",
        d_model=width,
        dim_feedforward=sizes["memory_hidden"],
        dropout=0.1,
        pos_enc_at_attn=False,
        pos_enc_at_cross_attn_keys=True,
        pos_enc_at_cross_attn_queries=False,
        self_attention=RoPEAttention(rope_theta=10000.0, **heads),
        cross_attention=RoPEAttention(rope_theta=10000.0, rope_k_repeat=True, kv_in_dim=sizes["memory_width"], **heads),
    )
    return MemoryAttention(d_model=width, pos_enc_at_input=True, layer=layer, num_layers=sizes["memory_layers"])


def _memory_encoder(sizes: Mapping[str, Any]) -> MemoryEncoder:
    width = sizes["width"]
    block = CXBlock(dim=width, kernel_size=7, padding=3, layer_scale_init_value=1e-6, use_dwconv=True)
    return MemoryEncoder(
        in_dim=width,
        out_dim=sizes["memory_width"],
        position_encoding=_sine(sizes["memory_width"]),
        mask_downsampler=MaskDownSampler(embed_dim=width, kernel_size=3, stride=2, padding=1),
        fuser=Fuser(layer=block, num_layers=2),
    )


def _sine(width: int) -> PositionEmbeddingSine:
    return PositionEmbeddingSine(num_pos_feats=width, normalize=True, scale=None, temperature=10000)


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
