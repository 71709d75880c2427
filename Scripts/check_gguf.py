# /// script
# requires-python = ">=3.10"
# dependencies = ["gguf", "torch", "safetensors"]
# ///
"""Reads GGUF files that Diptych writes with the Python package `gguf` and compares their tensors with the base's.

    python Scripts/check_gguf.py --diptych .build/release/diptych --base Tests/Fixtures/tiny-random-fill

or, with rows that blocks of 256 divide, which those of the fixture are too short for:

    .build/release/diptych random-base --out medium --size medium --type f32 --tokenizers Tests/Fixtures/tiny-random-fill
    python Scripts/check_gguf.py --diptych .build/release/diptych --base medium

For each type: writes the transformer and the T5 encoder with `diptych quantize`, reads them with `gguf`, prints the largest
relative error of a tensor against the safetensors that they came from, and checks that Q8_0 and Q4_0 have the bytes that
`gguf` itself would have written. Exits with 1 when a file cannot be read or differs by more than its type allows.
"""
import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import gguf
import numpy as np
import torch
from gguf.quants import dequantize, quantize
from safetensors.torch import load_file

BOUNDS = {"f32": 0, "bf16": 2e-3, "f16": 1e-3, "q8_0": 0.01, "q6_k": 0.03, "q5_k": 0.06, "q4_k": 0.1, "q4_0": 0.12}

# What `diptych random-base` calls the parts.
FILES = {"transformer": "transformer.gguf", "text_encoder_2": "t5.gguf"}


def sources(base, part):
    """The model's matrices by the names that the GGUF file has."""
    if (base / FILES[part]).exists():
        return {t.name: dequantize(t.data, t.tensor_type).reshape(tuple(reversed(t.shape.tolist())))
                for t in gguf.GGUFReader(base / FILES[part]).tensors}
    folder = base / part
    w = {}
    for file in sorted(folder.glob("*.safetensors")):
        w.update(load_file(file))
    w = {k: v.float().numpy() for k, v in w.items()}
    out = {}
    if part == "text_encoder_2":
        layers = 1 + max(int(k.split(".")[2]) for k in w if k.startswith("encoder.block."))
        names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.T5ENCODER, layers)
        return {names.get_name(k, try_suffixes=(".weight",)): v for k, v in w.items() if "embed_tokens" not in k}
    for kind in ["weight", "bias"]:
        for i in range(1000):
            a, b = f"double_blocks.{i}", f"transformer_blocks.{i}.attn"
            if f"{b}.to_q.{kind}" not in w:
                break
            out[f"{a}.img_attn.qkv.{kind}"] = np.concatenate([w[f"{b}.to_{n}.{kind}"] for n in "qkv"])
            out[f"{a}.txt_attn.qkv.{kind}"] = np.concatenate([w[f"{b}.add_{n}_proj.{kind}"] for n in "qkv"])
            out[f"{a}.img_mlp.2.{kind}"] = w[f"transformer_blocks.{i}.ff.net.2.{kind}"]
        for i in range(1000):
            a, b = f"single_blocks.{i}", f"single_transformer_blocks.{i}"
            if f"{b}.proj_mlp.{kind}" not in w:
                break
            parts = [f"{b}.attn.to_{n}.{kind}" for n in "qkv"] + [f"{b}.proj_mlp.{kind}"]
            out[f"{a}.linear1.{kind}"] = np.concatenate([w[p] for p in parts])
            out[f"{a}.linear2.{kind}"] = w[f"{b}.proj_out.{kind}"]
        scale, shift = np.split(w[f"norm_out.linear.{kind}"], 2)
        out[f"final_layer.adaLN_modulation.1.{kind}"] = np.concatenate([shift, scale])
        out[f"img_in.{kind}"] = w[f"x_embedder.{kind}"]
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--diptych", required=True)
    parser.add_argument("--base", type=Path, required=True)
    a = parser.parse_args()
    failed = False
    with tempfile.TemporaryDirectory() as folder:
        for part in ["transformer", "text_encoder_2"]:
            expected = sources(a.base, part)
            for kind, bound in BOUNDS.items():
                path = Path(folder) / f"{part}-{kind}.gguf"
                whole = a.base / FILES[part]
                subprocess.run([a.diptych, "quantize", whole if whole.exists() else a.base, path, "--type", kind, "--part", part], check=True,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                tensors = {t.name: t for t in gguf.GGUFReader(path).tensors}
                worst, bytes_equal = 0.0, True
                for name, value in expected.items():
                    t = tensors[name]
                    found = dequantize(t.data, t.tensor_type).reshape(tuple(reversed(t.shape.tolist())))
                    assert found.shape == value.shape, (name, found.shape, value.shape)
                    size = np.linalg.norm(value)
                    worst = max(worst, float(np.linalg.norm(found - value) / size) if size else float(np.abs(found).max()))
                    if t.tensor_type.name in ["Q8_0", "Q4_0"]:
                        bytes_equal &= bool(np.array_equal(quantize(value, t.tensor_type), t.data))
                types = sorted({t.tensor_type.name for t in tensors.values()})
                good = worst <= bound and bytes_equal
                failed |= not good
                print(f"{part:15} {kind:5} {len(expected)} tensors compared, {'/'.join(types)}: largest relative error "
                      f"{worst:.5f}" + ("" if good else "  TOO MUCH" if bytes_equal else "  OTHER BYTES"))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
