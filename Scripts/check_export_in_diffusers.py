# /// script
# requires-python = ">=3.10"
# dependencies = ["torch", "diffusers>=0.35", "transformers", "peft", "accelerate", "safetensors", "sentencepiece"]
# ///
"""Loads an exported LoRA with diffusers and compares the transformer's output with Diptych's.

    diptych train Configs/demo-lora.yaml
    diptych export Demo/lora --format diffusers -o Demo/lora.safetensors
    diptych export Demo/lora --format kohya -o Demo/lora-kohya.safetensors
    python Scripts/check_export_in_diffusers.py --diptych .build/release/diptych \
        --base Tests/Fixtures/tiny-random-fill --adapter Demo/lora.safetensors Demo/lora-kohya.safetensors

With --full-width instead, a random FLUX of one double and one single block, as wide as the real one, and a random LoRA of
every layer in them are made first, turned by `diptych export` into each layout and back, and compared.

Prints the largest differences; exits with 1 when the outputs differ by more than the tolerance, or when the adapter
changes nothing.
"""
import argparse
import inspect
import os
import subprocess
import sys
import tempfile
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"
import torch
from diffusers import FluxFillPipeline, FluxTransformer2DModel
from diffusers.loaders import lora_conversion_utils, lora_pipeline
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


def teach_width(width):
    """diffusers splits the single blocks' fused layer of kohya's files at FLUX.1's own width, written out as numbers."""
    name = "_convert_kohya_flux_lora_to_diffusers"
    source = inspect.getsource(getattr(lora_conversion_utils, name))
    original = "[3072, 3072, 3072, 12288]"
    if width == 3072 or original not in source:
        return
    print(f"diffusers' width of 3072 for kohya's layout is replaced by this base's, {width}")
    exec(source.replace(original, str([width] * 3 + [4 * width])), lora_conversion_utils.__dict__)
    setattr(lora_pipeline, name, getattr(lora_conversion_utils, name))


def load(pipe, adapter):
    """diffusers leaves kohya's layers outside the blocks aside, since it gives their names no 'transformer.'."""
    state = pipe.lora_state_dict(adapter)
    bare = [key for key in state if not key.startswith("transformer.")]
    if not bare:
        return pipe.load_lora_weights(adapter)
    print(f"{Path(adapter).name}: diffusers leaves {len(bare) // 2} layers outside the blocks aside; put back: {bare[0]} …")
    pipe.load_lora_weights({key if key not in bare else "transformer." + key: value for key, value in state.items()})


def run(transformer, tensors):
    call = dict(tensors, txt_ids=torch.zeros(tensors["encoder_hidden_states"].shape[1], 3), return_dict=False)
    if not transformer.config.guidance_embeds:
        call.pop("guidance")
    return transformer(**call)[0]


def ours(diptych, base, adapter, tensors, folder):
    given, made = Path(folder) / "in.safetensors", Path(folder) / "out.safetensors"
    save_file(tensors, given)
    subprocess.run([diptych, "velocity", *base, "--adapter", adapter, "--inputs", given, "-o", made], check=True)
    return load_file(made)["velocity"]


def compare(pipe, base, diptych, base_flags, adapters, tensors, tolerance):
    """`pipe` loads each adapter in turn; whether all agree with Diptych's output."""
    sound = True
    outputs = []
    with tempfile.TemporaryDirectory() as folder:
        for adapter in adapters:
            load(pipe, adapter)
            adapted = run(pipe.transformer, tensors)
            pipe.unload_lora_weights()
            error = (ours(diptych, base_flags, adapter, tensors, folder) - adapted).abs().max().item()
            change = (adapted - base).abs().max().item()
            outputs.append(adapted)
            print(f"{Path(adapter).name}: the adapter changes the output by up to {change:.4g}; diffusers and Diptych differ by up to {error:.3g}")
            sound = sound and error <= tolerance and change > 10 * error
    for adapter, output in zip(adapters[1:], outputs[1:]):
        print(f"{Path(adapter).name} and {Path(adapters[0]).name} in diffusers: {(output - outputs[0]).abs().max().item():.3g}")
    return sound


def full_width(diptych, tiny, folder):
    """A random base of the real width, a random LoRA of its layers, and what Diptych makes of the LoRA."""
    torch.manual_seed(1)
    transformer = FluxTransformer2DModel(
        in_channels=384, out_channels=64, num_layers=1, num_single_layers=1, attention_head_dim=128,
        num_attention_heads=24, joint_attention_dim=64, pooled_projection_dim=48, guidance_embeds=True,
    ).to(torch.bfloat16)
    transformer.save_pretrained(folder / "transformer")
    lora = {}
    for name, module in transformer.named_modules():
        if isinstance(module, torch.nn.Linear) and "transformer_blocks" in name:
            lora[f"transformer.{name}.lora_A.weight"] = torch.randn(4, module.in_features) * 0.05
            lora[f"transformer.{name}.lora_B.weight"] = torch.randn(module.out_features, 4) * 0.05
    first = folder / "diffusers.safetensors"
    save_file(lora, first, metadata={"format": "pt"})
    kohya, back = folder / "kohya.safetensors", folder / "back.safetensors"
    flags = ["--base", folder / "transformer"]
    subprocess.run([diptych, "export", first, *flags, "--format", "kohya", "-o", kohya], check=True)
    subprocess.run([diptych, "export", kohya, *flags, "--format", "diffusers", "-o", back], check=True)
    pipe = FluxFillPipeline.from_pretrained(tiny, transformer=None, torch_dtype=torch.float32)
    pipe.transformer = FluxTransformer2DModel.from_pretrained(folder / "transformer", torch_dtype=torch.float32)
    return pipe, [str(first), str(kohya), str(back)], ["--base", tiny, "--transformer", folder / "transformer"]


@torch.no_grad()
def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--diptych", required=True)
    parser.add_argument("--base", required=True)
    parser.add_argument("--adapter", nargs="+", default=[])
    parser.add_argument("--full-width", action="store_true")
    parser.add_argument("--tolerance", type=float, default=1e-3)
    a = parser.parse_args()
    if a.full_width == bool(a.adapter):
        parser.error("expected either --adapter or --full-width")

    with tempfile.TemporaryDirectory() as folder:
        if a.full_width:
            pipe, adapters, flags = full_width(a.diptych, a.base, Path(folder))
        else:
            pipe = FluxFillPipeline.from_pretrained(a.base, torch_dtype=torch.float32)
            adapters, flags = a.adapter, ["--base", a.base]
            teach_width(pipe.transformer.inner_dim)
        tensors = inputs(pipe.transformer)
        base = run(pipe.transformer, tensors)
        sys.exit(0 if compare(pipe, base, a.diptych, flags, adapters, tensors, a.tolerance) else 1)


if __name__ == "__main__":
    main()
