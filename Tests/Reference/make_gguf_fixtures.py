"""Reference values of GGUF files, from the Python package `gguf`.

Writes `gguf/blocks.gguf`, a file with metadata of every kind and a tensor [4, 512] of every type that Diptych holds:
random blocks, each scale finite, some of them zero, tiny or negative. `gguf/blocks.safetensors` holds what `gguf` makes
of them in float32 (`dequantized.TYPE`), numbers to quantise (`numbers`), the bytes that `gguf` makes of these in Q8_0 and
Q4_0 (`quantized.TYPE`), and all 256 numbers of both kinds of eight-bit floating point (`float8.TYPE`).

    pip install gguf torch safetensors
    python make_gguf_fixtures.py --fixtures ../Fixtures --seed 0
"""
import argparse
from pathlib import Path

import numpy as np
import torch
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType as Type, GGUFValueType, GGUFWriter
from gguf.quants import dequantize, quantize
from safetensors.torch import save_file

ROWS, COLUMNS = 4, 512
# Where a block has scales in float16.
HALVES = {
    "Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q8_0": [0], "IQ4_NL": [0], "Q2_K": [80, 82],
    "Q3_K": [108], "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208]}


def random_blocks(rng, name):
    elements, size = GGML_QUANT_SIZES[Type[name]]
    count = ROWS * COLUMNS // elements
    blocks = rng.integers(0, 256, (count, size), dtype=np.uint8)
    for place in HALVES[name]:
        scales = (rng.standard_normal(count) * rng.choice([1e-7, 1e-3, 1, 100], count)).astype(np.float16)
        scales[0], scales[1] = 0, -6e-8
        blocks[:, place:place + 2] = scales.view(np.uint8).reshape(count, 2)
    return blocks.reshape(ROWS, COLUMNS // elements * size)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--fixtures", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    a = parser.parse_args()
    folder = a.fixtures / "gguf"
    folder.mkdir(exist_ok=True)
    rng = np.random.default_rng(a.seed)

    writer = GGUFWriter(folder / "blocks.gguf", "flux")
    for kind, value in [("UINT8", 200), ("INT8", -100), ("UINT16", 60000), ("INT16", -30000), ("UINT32", 4000000000),
                        ("INT32", -2000000000), ("FLOAT32", 0.1), ("BOOL", True), ("STRING", "Zürich\n"),
                        ("UINT64", 2 ** 64 - 1), ("INT64", -2 ** 63), ("FLOAT64", 0.1)]:
        writer.add_key_value("test." + kind.lower(), value, GGUFValueType[kind])
    writer.add_array("test.texts", ["a", "", "ß"])
    writer.add_array("test.numbers", [1.5, -2.0])
    writer.add_array("test.integers", [1, -2, 3])

    values = {}
    for name in HALVES:
        blocks = random_blocks(rng, name)
        writer.add_tensor(name, blocks, raw_dtype=Type[name])
        values["dequantized." + name] = torch.from_numpy(dequantize(blocks, Type[name]).copy())
    numbers = rng.standard_normal((ROWS, COLUMNS)).astype(np.float32)
    numbers[0, :32], numbers[0, 32:64], numbers[0, 64:96] = 0, 1.5, -2
    numbers[1] *= 1e-6
    values["numbers"] = torch.from_numpy(numbers)
    writer.add_tensor("F32", numbers)
    writer.add_tensor("F16", numbers.astype(np.float16))
    bf16 = quantize(numbers, Type.BF16)
    writer.add_tensor("BF16", bf16, raw_dtype=Type.BF16)
    values["dequantized.F32"] = torch.from_numpy(numbers.copy())
    values["dequantized.F16"] = torch.from_numpy(numbers.astype(np.float16).astype(np.float32))
    values["dequantized.BF16"] = torch.from_numpy(dequantize(bf16, Type.BF16).copy())
    for name in ["Q8_0", "Q4_0"]:
        values["quantized." + name] = torch.from_numpy(quantize(numbers, Type[name]).copy())
    every = torch.arange(256, dtype=torch.uint8)
    values["float8.F8_E4M3"] = every.view(torch.float8_e4m3fn).float()
    values["float8.F8_E5M2"] = every.view(torch.float8_e5m2).float()

    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    save_file(values, folder / "blocks.safetensors")


if __name__ == "__main__":
    main()
