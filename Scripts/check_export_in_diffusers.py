# /// script
# requires-python = ">=3.10"
# dependencies = ["torch", "diffusers>=0.35", "transformers", "peft", "accelerate", "safetensors", "sentencepiece"]
# ///
"""Loads an exported LoRA with diffusers and compares the transformer's output with Diptych's.

    diptych train Configs/demo-lora.yaml
    diptych export Demo/lora --format peft -o Demo/lora.safetensors
    python Scripts/check_export_in_diffusers.py --diptych .build/release/diptych \
        --base Tests/Fixtures/tiny-random-fill --adapter Demo/lora.safetensors

Prints the largest differences; exits with 1 when the outputs differ by more than the tolerance, or when the adapter
changes nothing.
"""
import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"
import torch
from diffusers import FluxFillPipeline
from safetensors.torch import load_file, save_file


def inputs(transformer, rows=4, columns=8, text=16, batch=2):
    config, g = transformer.config, torch.Generator().manual_seed(7)
    ids = torch.zeros(rows, columns, 3)
    ids[..., 1] += torch.arange(rows)[:, None]
    ids[..., 2] += torch.arange(columns)[None]
    return {
        "hidden_states": torch.randn(batch, rows * columns, config.in_channels, generator=g),
        "encoder_hidden_states": torch.randn(batch, text, config.joint_attention_dim, generator=g),
        "pooled_projections": torch.randn(batch, config.pooled_projection_dim, generator=g),
        "timestep": torch.tensor([0.3, 0.85])[:batch],
        "guidance": torch.full((batch,), 1.0),
        "img_ids": ids.reshape(-1, 3),
    }


@torch.no_grad()
def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--diptych", required=True)
    parser.add_argument("--base", required=True)
    parser.add_argument("--adapter", required=True)
    parser.add_argument("--tolerance", type=float, default=1e-3)
    a = parser.parse_args()

    pipe = FluxFillPipeline.from_pretrained(a.base, torch_dtype=torch.float32)
    tensors = inputs(pipe.transformer)
    call = dict(tensors, txt_ids=torch.zeros(tensors["encoder_hidden_states"].shape[1], 3), return_dict=False)
    if not pipe.transformer.config.guidance_embeds:
        call.pop("guidance")
    base = pipe.transformer(**call)[0]
    pipe.load_lora_weights(a.adapter)
    adapted = pipe.transformer(**call)[0]

    with tempfile.TemporaryDirectory() as folder:
        given, made = Path(folder) / "in.safetensors", Path(folder) / "out.safetensors"
        save_file(tensors, given)
        subprocess.run([a.diptych, "velocity", "--base", a.base, "--adapter", a.adapter, "--inputs", given, "-o", made], check=True)
        ours = load_file(made)["velocity"]

    change = (adapted - base).abs().max().item()
    error = (ours - adapted).abs().max().item()
    print(f"the adapter changes the output by up to {change:.4g}; diffusers and Diptych differ by up to {error:.3g}")
    sys.exit(0 if error <= a.tolerance and change > 10 * error else 1)


if __name__ == "__main__":
    main()
