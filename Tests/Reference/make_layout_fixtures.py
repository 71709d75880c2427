"""The small models of the other fixtures as single files in the names of Black Forest Labs and llama.cpp.

Writes `layouts/flux-bfl.safetensors` (`flux-variant`), `layouts/vae-bfl.safetensors` (`encoder-variant/vae`) and
`layouts/t5.gguf` (`tiny-random-fill/text_encoder_2` in F16 and Q8_0 with its tokenizer). diffusers' own converters turn the
first two back into the tensors that they came from; llama.cpp's names come from the package `gguf`.

    pip install torch diffusers transformers gguf sentencepiece
    python make_layout_fixtures.py --fixtures ../Fixtures
"""
import argparse, inspect, json, re
from pathlib import Path

import gguf
import numpy as np
import torch
from diffusers.loaders import single_file_utils
from gguf.quants import quantize
from safetensors.torch import load_file, save_file
from sentencepiece import sentencepiece_model_pb2


def flux(fixtures):
    folder = fixtures / "flux-variant"
    config = json.loads((folder / "config.json").read_text())
    w = load_file(folder / "diffusion_pytorch_model.safetensors")
    width = config["num_attention_heads"] * config["attention_head_dim"]
    out = {}

    def both(target, *sources):
        for kind in ["weight", "bias"]:
            out[f"{target}.{kind}"] = torch.cat([w[f"{s}.{kind}"] for s in sources])

    both("img_in", "x_embedder")
    both("txt_in", "context_embedder")
    for ours, theirs in [("time_in", "timestep_embedder"), ("vector_in", "text_embedder"), ("guidance_in", "guidance_embedder")]:
        if f"time_text_embed.{theirs}.linear_1.weight" in w:
            both(f"{ours}.in_layer", f"time_text_embed.{theirs}.linear_1")
            both(f"{ours}.out_layer", f"time_text_embed.{theirs}.linear_2")
    for i in range(config["num_layers"]):
        a, b = f"double_blocks.{i}", f"transformer_blocks.{i}"
        both(f"{a}.img_mod.lin", f"{b}.norm1.linear")
        both(f"{a}.txt_mod.lin", f"{b}.norm1_context.linear")
        both(f"{a}.img_attn.qkv", *[f"{b}.attn.to_{n}" for n in "qkv"])
        both(f"{a}.txt_attn.qkv", *[f"{b}.attn.add_{n}_proj" for n in "qkv"])
        both(f"{a}.img_attn.proj", f"{b}.attn.to_out.0")
        both(f"{a}.txt_attn.proj", f"{b}.attn.to_add_out")
        for ours, theirs in [("img", "norm"), ("txt", "norm_added")]:
            out[f"{a}.{ours}_attn.norm.query_norm.scale"] = w[f"{b}.attn.{theirs}_q.weight"]
            out[f"{a}.{ours}_attn.norm.key_norm.scale"] = w[f"{b}.attn.{theirs}_k.weight"]
        for ours, theirs in [("img", "ff"), ("txt", "ff_context")]:
            both(f"{a}.{ours}_mlp.0", f"{b}.{theirs}.net.0.proj")
            both(f"{a}.{ours}_mlp.2", f"{b}.{theirs}.net.2")
    for i in range(config["num_single_layers"]):
        a, b = f"single_blocks.{i}", f"single_transformer_blocks.{i}"
        both(f"{a}.modulation.lin", f"{b}.norm.linear")
        both(f"{a}.linear1", *[f"{b}.attn.to_{n}" for n in "qkv"], f"{b}.proj_mlp")
        both(f"{a}.linear2", f"{b}.proj_out")
        out[f"{a}.norm.query_norm.scale"] = w[f"{b}.attn.norm_q.weight"]
        out[f"{a}.norm.key_norm.scale"] = w[f"{b}.attn.norm_k.weight"]
    both("final_layer.linear", "proj_out")
    for kind in ["weight", "bias"]:
        scale, shift = w[f"norm_out.linear.{kind}"].chunk(2)
        out[f"final_layer.adaLN_modulation.1.{kind}"] = torch.cat([shift, scale])

    source = inspect.getsource(single_file_utils.convert_flux_transformer_checkpoint_to_diffusers)
    names = dict(vars(single_file_utils))
    exec(source.replace("inner_dim = 3072", f"inner_dim = {width}"), names)
    back = names["convert_flux_transformer_checkpoint_to_diffusers"](dict(out))
    assert back.keys() == w.keys() and all(torch.equal(back[k], w[k]) for k in w)
    save_file(out, fixtures / "layouts/flux-bfl.safetensors", {"diptych.config": json.dumps(config)})


def autoencoder(fixtures):
    folder = fixtures / "encoder-variant/vae"
    config = json.loads((folder / "config.json").read_text())
    w = load_file(folder / "diffusion_pytorch_model.safetensors")
    stages = len(config["block_out_channels"])
    out = {}
    for name, value in w.items():
        name = name.replace("conv_norm_out", "norm_out").replace("conv_shortcut", "nin_shortcut")
        name = re.sub(r"mid_block\.resnets\.(\d)", lambda m: f"mid.block_{int(m[1]) + 1}", name)
        for theirs, ours in [("group_norm", "norm"), ("query", "q"), ("key", "k"), ("value", "v"), ("proj_attn", "proj_out")]:
            name = name.replace(f"mid_block.attentions.0.{theirs}.", f"mid.attn_1.{ours}.")
        name = re.sub(r"down_blocks\.(\d)\.resnets\.", r"down.\1.block.", name)
        name = re.sub(r"down_blocks\.(\d)\.downsamplers\.0\.", r"down.\1.downsample.", name)
        name = re.sub(r"up_blocks\.(\d)\.resnets\.", lambda m: f"up.{stages - 1 - int(m[1])}.block.", name)
        name = re.sub(r"up_blocks\.(\d)\.upsamplers\.0\.", lambda m: f"up.{stages - 1 - int(m[1])}.upsample.", name)
        if re.search(r"attn_1\.(q|k|v|proj_out)\.weight", name):
            value = value[:, :, None, None]
        out[name] = value
    back = single_file_utils.convert_ldm_vae_checkpoint(dict(out), config)
    older = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
    for name, value in back.items():
        for new, old in older.items():
            name = name.replace(f"attentions.0.{new}.", f"attentions.0.{old}.")
        assert torch.equal(value.reshape(w[name].shape), w[name]), name
    assert len(back) == len(w)
    save_file({k: v.contiguous() for k, v in out.items()}, fixtures / "layouts/vae-bfl.safetensors",
              {"diptych.config": json.dumps(config)})


def t5(fixtures):
    folder = fixtures / "tiny-random-fill/text_encoder_2"
    config = json.loads((folder / "config.json").read_text())
    w = load_file(folder / "model.safetensors")
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.T5ENCODER, config["num_layers"])
    writer = gguf.GGUFWriter(fixtures / "layouts/t5.gguf", "t5encoder")
    model = sentencepiece_model_pb2.ModelProto()
    model.ParseFromString((fixtures / "tiny-random-fill/tokenizer_2/spiece.model").read_bytes())
    writer.add_tokenizer_model("t5")
    writer.add_token_list([p.piece for p in model.pieces])
    writer.add_token_scores([p.score for p in model.pieces])
    writer.add_token_types([p.type for p in model.pieces])
    writer.add_add_space_prefix(model.normalizer_spec.add_dummy_prefix)
    writer.add_remove_extra_whitespaces(model.normalizer_spec.remove_extra_whitespaces)
    if model.normalizer_spec.precompiled_charsmap:
        writer.add_precompiled_charsmap(model.normalizer_spec.precompiled_charsmap)
    for name, value in sorted(w.items()):
        if name == "encoder.embed_tokens.weight":
            continue
        target = names.get_name(name, try_suffixes=(".weight",))
        value = value.float().numpy()
        if value.ndim == 1 or "relative" in name:
            writer.add_tensor(target, value)
        elif "wo" in name or "SelfAttention.q" in name:
            kind = gguf.GGMLQuantizationType.Q8_0
            writer.add_tensor(target, quantize(value, kind), raw_dtype=kind)
        else:
            writer.add_tensor(target, value.astype(np.float16))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--fixtures", type=Path, required=True)
    a = parser.parse_args()
    (a.fixtures / "layouts").mkdir(exist_ok=True)
    flux(a.fixtures)
    autoencoder(a.fixtures)
    t5(a.fixtures)


if __name__ == "__main__":
    main()
