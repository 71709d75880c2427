"""Reference values of LoKr, from LyCORIS.

Writes `lokr.safetensors`: random LoKrs of some layers of the tiny transformer as LyCORIS keeps them, in the names of diffusers
(`diffusers/lycoris_…`) and of Black Forest Labs' fused layers (`fused/lora_unet_…`), the transformer's output for the inputs of
`moe.before.top1` with each one's weights added (`output/diffusers`, `output/fused`), and what LyCORIS' `factorization` gives for
some extents (`factorization`, rows of extent, factor, smaller, larger).

    pip install torch diffusers safetensors lycoris_lora
    python make_lokr_fixture.py --fixtures ../Fixtures --seed 0
"""
import argparse
import copy
from pathlib import Path

import safetensors.torch as safetensors
import torch
from diffusers import FluxTransformer2DModel
from lycoris.functional.general import factorization
from lycoris.modules.lokr import LokrModule

# The layer, rank, alpha, factor, whether both matrices are products, whether none is.
DIFFUSERS = {
    "x_embedder": (4, 6.0, 8, False, False),
    "transformer_blocks.0.attn.to_q": (2, 2.0, 4, False, False),
    "transformer_blocks.1.ff.net.2": (2, 1.0, -1, True, False),
    "single_transformer_blocks.0.proj_out": (4, 9.0, 8, False, True),
    "single_transformer_blocks.2.norm.linear": (64, 1.0, 6, False, False),
}
# A fused layer, its parts, its settings: rows of the blocks meet the parts' ends in the first and the last.
FUSED = {
    "double_blocks.0.img_attn.qkv": ([f"transformer_blocks.0.attn.to_{x}" for x in "qkv"], (4, 4.0, 6, False, False)),
    "double_blocks.1.img_attn.qkv": ([f"transformer_blocks.1.attn.to_{x}" for x in "qkv"], (4, 2.0, 4, False, False)),
    "final_layer.adaLN_modulation.1": (["norm_out.linear"], (4, 2.0, 4, False, False)),
}


def module(linear, settings, generator):
    rank, alpha, factor, both, full = settings
    result = LokrModule(
        "x", linear, 1.0, rank, alpha, factor=factor, decompose_both=both, full_matrix=full, bypass_mode=False)
    with torch.no_grad():
        for parameter in result.parameters():
            if parameter is not linear.weight and parameter is not linear.bias:
                parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.2)
    return result


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--fixtures", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    a = parser.parse_args()
    g = torch.Generator().manual_seed(a.seed)
    base = FluxTransformer2DModel.from_pretrained(
        a.fixtures / "tiny-random-fill" / "transformer", torch_dtype=torch.float32)
    i = safetensors.load_file(a.fixtures / "moe.before.top1" / "inputs.safetensors")
    t = i["in.t"].reshape(-1, 1, 1)
    noisy = i["in.x0"] * (1 - t) + i["in.noise"] * t

    @torch.no_grad()
    def run(model):
        return model(
            hidden_states=torch.cat([noisy, i["in.cond"]], dim=-1), encoder_hidden_states=i["in.text"],
            pooled_projections=i["in.pooled"], timestep=i["in.t"], guidance=torch.ones_like(i["in.t"]),
            img_ids=i["in.img_ids"], txt_ids=i["in.txt_ids"], return_dict=False)[0]

    tensors = {}

    def keep(file, stem, lokr):
        for key, value in lokr.custom_state_dict().items():
            tensors[f"{file}/{stem}.{key}"] = value.detach().clone().contiguous()

    model = copy.deepcopy(base)
    for name, settings in DIFFUSERS.items():
        linear = model.get_submodule(name)
        lokr = module(linear, settings, g)
        keep("diffusers", "lycoris_" + name.replace(".", "_"), lokr)
        with torch.no_grad():
            # What its forward pass adds; `get_diff_weight` multiplies the scale in a second time.
            linear.weight += lokr.get_weight(linear.weight.shape)
    tensors["output/diffusers"] = run(model)
    model = copy.deepcopy(base)
    for source, (parts, settings) in FUSED.items():
        members = [model.get_submodule(name) for name in parts]
        fused = torch.nn.Linear(members[0].in_features, sum(m.out_features for m in members))
        lokr = module(fused, settings, g)
        keep("fused", "lora_unet_" + source.replace(".", "_"), lokr)
        change = lokr.get_weight(None).detach()
        if len(parts) == 1:
            change = torch.cat(change.chunk(2)[::-1])
        with torch.no_grad():
            for member, part in zip(members, change.split([m.out_features for m in members])):
                member.weight += part
    tensors["output/fused"] = run(model)
    extents = [1, 2, 7, 12, 96, 127, 128, 250, 288, 360, 384, 480, 1024, 3072, 9216, 15360]
    tensors["factorization"] = torch.tensor(
        [[n, f, *factorization(n, f)] for n in extents for f in (-1, 1, 2, 4, 5, 8, 16, 500)], dtype=torch.int32)
    safetensors.save_file(tensors, a.fixtures / "lokr.safetensors")
    print({k: tuple(v.shape) for k, v in tensors.items()})


if __name__ == "__main__":
    main()
