"""Reference values of adapter files, from diffusers' transformer with its weights changed by hand.

Writes `adapters.safetensors`: one random LoRA of some layers of the tiny transformer as kohya's sd-scripts, ComfyUI,
ai-toolkit, OneTrainer, PEFT and SimpleTuner would write it, each tensor behind the file's name (`kohya/lora_unet_…`), the
inputs of the transformer (`input/…`), its output without an adapter (`output/base`) and with each file's weights added
(`output/FILE`). What those programs fuse is trained as one there, the others have a LoRA of each part; scales, ranks and types
differ.

    pip install torch diffusers safetensors
    python make_adapter_fixtures.py --fixtures ../Fixtures --seed 0
"""
import argparse
import copy
from pathlib import Path

import torch
from diffusers import FluxTransformer2DModel
from safetensors.torch import save_file

# A layer of Black Forest Labs' files, and the layers of diffusers' that it consists of.
FUSED = {
    "double_blocks.0.img_attn.qkv": [f"transformer_blocks.0.attn.to_{x}" for x in "qkv"],
    "double_blocks.1.txt_attn.qkv": [f"transformer_blocks.1.attn.add_{x}_proj" for x in "qkv"],
    "double_blocks.0.img_mlp.2": ["transformer_blocks.0.ff.net.2"],
    "double_blocks.1.img_mod.lin": ["transformer_blocks.1.norm1.linear"],
    "double_blocks.1.txt_mlp.0": ["transformer_blocks.1.ff_context.net.0.proj"],
    "single_blocks.2.linear1": [f"single_transformer_blocks.2.attn.to_{x}" for x in "qkv"]
    + ["single_transformer_blocks.2.proj_mlp"],
    "single_blocks.0.linear2": ["single_transformer_blocks.0.proj_out"],
    "single_blocks.1.modulation.lin": ["single_transformer_blocks.1.norm.linear"],
    "final_layer.linear": ["proj_out"],
    "final_layer.adaLN_modulation.1": ["norm_out.linear"],
}
SWAPPED = "final_layer.adaLN_modulation.1"


def flat(name):
    return name.replace(".", "_")


# name: (names of the layers, ending of A, ending of B, fused, alpha beside, type, rank)
FILES = {
    "kohya": (lambda n: "lora_unet_" + flat(n), "lora_down.weight", "lora_up.weight", True, 2.0, torch.float32, 4),
    "comfyui": (lambda n: "diffusion_model." + n, "lora_A.weight", "lora_B.weight", True, 3.0, torch.bfloat16, 4),
    "diffusion-pipe": (lambda n: "diffusion_model." + n, "lora_A.weight", "lora_B.weight", True, None, torch.float32, 2),
    "ai-toolkit": (lambda n: "transformer." + n, "lora_A.weight", "lora_B.weight", False, None, torch.bfloat16, 4),
    "ai-toolkit-alpha": (lambda n: "transformer." + n, "lora_A.weight", "lora_B.weight", False, 1.0, torch.float16, 4),
    "onetrainer": (
        lambda n: "lora_transformer_" + flat(n), "lora_down.weight", "lora_up.weight", False, 1.0, torch.float32, 3),
    "peft": (lambda n: "base_model.model." + n, "lora_A.weight", "lora_B.weight", False, None, torch.float32, 2),
    "simpletuner": (lambda n: "lycoris_" + flat(n), "lora_down.weight", "lora_up.weight", False, 1.0, torch.float32, 2),
}


@torch.no_grad()
def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--fixtures", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    a = parser.parse_args()
    g = torch.Generator().manual_seed(a.seed)
    folder = a.fixtures / "tiny-random-fill" / "transformer"
    base = FluxTransformer2DModel.from_pretrained(folder, torch_dtype=torch.float32)
    config = base.config
    ids = torch.zeros(3, 4, 3)
    ids[..., 1] += torch.arange(3)[:, None]
    ids[..., 2] += torch.arange(4)[None]
    call = {
        "hidden_states": torch.randn(2, 12, config.in_channels, generator=g),
        "encoder_hidden_states": torch.randn(2, 5, config.joint_attention_dim, generator=g),
        "pooled_projections": torch.randn(2, config.pooled_projection_dim, generator=g),
        "timestep": torch.tensor([0.3, 0.8]), "guidance": torch.tensor([1.0, 30.0]), "img_ids": ids.reshape(-1, 3),
    }
    run = lambda model: model(**call, txt_ids=torch.zeros(5, 3), return_dict=False)[0]
    tensors = {f"input/{name}": value for name, value in call.items()}
    tensors["output/base"] = run(base)
    for file, (named, down, up, fused, alpha, dtype, rank) in FILES.items():
        model = copy.deepcopy(base)
        for source, parts in FUSED.items():
            modules = [model.get_submodule(name) for name in parts]
            groups = [(source, modules)] if fused else [(n, [m]) for n, m in zip(parts, modules)]
            for name, members in groups:
                rows, columns = sum(m.out_features for m in members), members[0].in_features
                A = (torch.randn(rank, columns, generator=g) * 0.1).to(dtype)
                B = (torch.randn(rows, rank, generator=g) * 0.1).to(dtype)
                stem = named(name)
                tensors[f"{file}/{stem}.{down}"], tensors[f"{file}/{stem}.{up}"] = A, B
                if alpha is not None:
                    tensors[f"{file}/{stem}.alpha"] = torch.tensor(alpha, dtype=dtype)
                change = (alpha or rank) / rank * B.float() @ A.float()
                if fused and source == SWAPPED:
                    change = torch.cat(change.chunk(2)[::-1])
                for member, part in zip(members, change.split([m.out_features for m in members])):
                    member.weight += part
        tensors[f"output/{file}"] = run(model)
    save_file(tensors, a.fixtures / "adapters.safetensors")


if __name__ == "__main__":
    main()
