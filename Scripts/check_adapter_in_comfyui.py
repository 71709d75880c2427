# /// script
# requires-python = ">=3.10"
# dependencies = ["torch", "safetensors"]
# ///
"""Applies an exported LoRA to a base by ComfyUI's rules and compares the transformer's output with Diptych's.

    diptych export Demo/lora --format comfyui -o Demo/lora-comfyui.safetensors
    python Scripts/check_adapter_in_comfyui.py --diptych .build/release/diptych --base Tests/Fixtures/tiny-random-fill \
        --adapter Demo/lora-comfyui.safetensors

ComfyUI (comfy/lora.py: model_lora_keys_unet; comfy/weight_adapter/lora.py) gives every weight X.weight of a model in Black
Forest Labs' names the keys diffusion_model.X and lora_unet_X, dots as underscores, and adds alpha / rank * up @ down to it;
keys that no weight has are left aside with a warning. Here such a key is a failure. Compared are the base with the weights so
changed, the base with the adapter in Diptych, and what `diptych merge` writes. Exits with 1 when they differ.
"""
import argparse
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

WAYS = [(".lora_up.weight", ".lora_down.weight"), (".lora_B.weight", ".lora_A.weight")]


# Black Forest Labs' layers, and the layers of diffusers' that each consists of.
TOP = {
    "img_in": ["x_embedder"], "txt_in": ["context_embedder"], "final_layer.linear": ["proj_out"],
    "final_layer.adaLN_modulation.1": ["norm_out.linear"],
} | {
    f"{ours}.{a}_layer": [f"time_text_embed.{theirs}.linear_{b}"]
    for ours, theirs in [("time_in", "timestep_embedder"), ("vector_in", "text_embedder"), ("guidance_in", "guidance_embedder")]
    for a, b in [("in", 1), ("out", 2)]
}
DOUBLE = {
    "img_mod.lin": ["norm1.linear"], "txt_mod.lin": ["norm1_context.linear"],
    "img_attn.qkv": ["attn.to_q", "attn.to_k", "attn.to_v"],
    "txt_attn.qkv": ["attn.add_q_proj", "attn.add_k_proj", "attn.add_v_proj"],
    "img_attn.proj": ["attn.to_out.0"], "txt_attn.proj": ["attn.to_add_out"],
    "img_mlp.0": ["ff.net.0.proj"], "img_mlp.2": ["ff.net.2"],
    "txt_mlp.0": ["ff_context.net.0.proj"], "txt_mlp.2": ["ff_context.net.2"],
}
SINGLE = {
    "modulation.lin": ["norm.linear"], "linear1": ["attn.to_q", "attn.to_k", "attn.to_v", "proj_mlp"], "linear2": ["proj_out"],
}
NORMS = {
    "double_blocks": {
        "img_attn.norm.query_norm": "attn.norm_q", "img_attn.norm.key_norm": "attn.norm_k",
        "txt_attn.norm.query_norm": "attn.norm_added_q", "txt_attn.norm.key_norm": "attn.norm_added_k"},
    "single_blocks": {"norm.query_norm": "attn.norm_q", "norm.key_norm": "attn.norm_k"},
}


def black_forest(weights):
    """A transformer of diffusers' in Black Forest Labs' layout, in float32."""
    result = {}

    def put(source, parts):
        for kind in ("weight", "bias"):
            whole = torch.cat([weights[f"{part}.{kind}"].float() for part in parts])
            if source == "final_layer.adaLN_modulation.1":
                whole = torch.cat(whole.chunk(2)[::-1])
            result[f"{source}.{kind}"] = whole.contiguous()

    for source, parts in TOP.items():
        if parts[0] + ".weight" in weights:
            put(source, parts)
    for ours, theirs, layers in [("double_blocks", "transformer_blocks", DOUBLE), ("single_blocks", "single_transformer_blocks", SINGLE)]:
        numbers = {int(m[1]) for m in (re.match(rf"{theirs}\.(\d+)\.", name) for name in weights) if m}
        for i in sorted(numbers):
            for source, parts in layers.items():
                put(f"{ours}.{i}.{source}", [f"{theirs}.{i}.{part}" for part in parts])
            for source, part in NORMS[ours].items():
                result[f"{ours}.{i}.{source}.scale"] = weights[f"{theirs}.{i}.{part}.weight"].float()
    return result


def patched(weights, lora):
    """The weights by ComfyUI's rules, and the keys that none of them took."""
    result, left = {}, set(lora)
    for name, weight in weights.items():
        result[name] = weight.float()
        if not name.endswith(".weight"):
            continue
        layer = name[: -len(".weight")]
        for stem in ("diffusion_model." + layer, "lora_unet_" + layer.replace(".", "_")):
            for up, down in WAYS:
                if stem + up in lora:
                    a, b = lora[stem + down].float(), lora[stem + up].float()
                    alpha = lora.get(stem + ".alpha")
                    scale = 1.0 if alpha is None else alpha.item() / a.shape[0]
                    result[name] = result[name] + scale * (b @ a)
                    left -= {stem + up, stem + down, stem + ".alpha"}
    return result, left


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--diptych", required=True)
    parser.add_argument("--base", required=True)
    parser.add_argument("--adapter", nargs="+", required=True)
    parser.add_argument("--tolerance", type=float, default=1e-3)
    a = parser.parse_args()
    folder = Path(a.base) / "transformer"
    metadata = {"format": "pt", "diptych.config": (folder / "config.json").read_text()}
    weights = black_forest(load_file(folder / "diffusion_pytorch_model.safetensors"))
    config = json.loads(metadata["diptych.config"])
    g = torch.Generator().manual_seed(7)
    ids = torch.zeros(4, 8, 3)
    ids[..., 1] += torch.arange(4)[:, None]
    ids[..., 2] += torch.arange(8)[None]
    tensors = {
        "hidden_states": torch.randn(1, 32, config["in_channels"], generator=g),
        "encoder_hidden_states": torch.randn(1, 16, config["joint_attention_dim"], generator=g),
        "pooled_projections": torch.randn(1, config["pooled_projection_dim"], generator=g), "timestep": torch.tensor([0.6]),
        "guidance": torch.tensor([30.0]), "img_ids": ids.reshape(-1, 3),
    }
    sound = True
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        save_file(tensors, folder / "in.safetensors")

        def velocity(transformer, *flags):
            subprocess.run(
                [a.diptych, "velocity", "--base", a.base, "--transformer", transformer, *flags, "--inputs",
                 folder / "in.safetensors", "-o", folder / "out.safetensors"], check=True)
            return load_file(folder / "out.safetensors")["velocity"]

        save_file(weights, folder / "base.safetensors", metadata)
        base = velocity(folder / "base.safetensors")
        for adapter in a.adapter:
            changed, left = patched(weights, load_file(adapter))
            save_file({k: v.contiguous() for k, v in changed.items()}, folder / "patched.safetensors", metadata)
            expected = velocity(folder / "patched.safetensors")
            adapted = velocity(folder / "base.safetensors", "--adapter", adapter)
            merged = folder / "merged.safetensors"
            subprocess.run(
                [a.diptych, "merge", "--base", folder / "base.safetensors", "--adapter", adapter, "-o", merged],
                check=True, stdout=subprocess.DEVNULL)
            weight_error = max((load_file(merged)[k] - v).abs().max().item() for k, v in changed.items())
            change, error = (expected - base).abs().max().item(), (adapted - expected).abs().max().item()
            print(f"{Path(adapter).name}: {len(left)} keys that ComfyUI does not know; changes the output by up to {change:.4g}; "
                  f"ComfyUI's rules and Diptych differ by up to {error:.3g}, merged weights by {weight_error:.3g}")
            for key in sorted(left)[:3]:
                print("  not known:", key)
            sound = sound and not left and error <= a.tolerance and change > 10 * error and weight_error <= 1e-5
    sys.exit(0 if sound else 1)


if __name__ == "__main__":
    main()
