# /// script
# requires-python = ">=3.10"
# ///
"""Malformed model files: writes each, lets `diptych inspect` read it, and prints its one line.

    python3 Scripts/check_malformed.py [--diptych .build/release/diptych]

Each run has 2 GiB of address space (RLIMIT_AS), so that a size from the file cannot be allocated, and must end
with status 1, one line that begins with "error:", and nothing else on standard error. Exits with 1 when one does not.
"""
import argparse
import json
import resource
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

LIMIT = 2 << 30


def safetensors(header, data=b"", length=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def entry(shape, begin, end, dtype="F32"):
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def string(text):
    return struct.pack("<Q", len(text)) + text.encode()


def gguf(tensors=(), values=b"", value_count=0, data=b"", magic=b"GGUF", version=3, tensor_count=None):
    head = magic + struct.pack("<IQQ", version, len(tensors) if tensor_count is None else tensor_count, value_count) + values
    for name, extents, kind, offset in tensors:
        head += string(name) + struct.pack("<I", len(extents)) + b"".join(struct.pack("<Q", e) for e in extents)
        head += struct.pack("<IQ", kind, offset)
    return head + b"\0" * (-len(head) % 32) + data


def cases(fixture):
    """Name, the file's name, its bytes."""
    good = (fixture / "transformer/diffusion_pytorch_model.safetensors").read_bytes()
    size = struct.unpack("<Q", good[:8])[0]
    s, g = "model.safetensors", "model.gguf"
    one = safetensors({"a": entry([2], 0, 8)}, b"\0" * 8)
    yield "safetensors: empty file", s, b""
    yield "safetensors: seven bytes", s, one[:7]
    yield "safetensors: truncated header", s, good[:8 + size // 2]
    yield "safetensors: truncated data", s, good[:-100]
    yield "safetensors: header longer than the file", s, safetensors({}, length=1 << 40)
    yield "safetensors: header of 2^63 bytes", s, safetensors({}, length=1 << 63)
    yield "safetensors: header that is no JSON", s, safetensors(b"{not json")
    yield "safetensors: wrong magic (a zip file)", s, b"PK\3\4" + b"\0" * 60
    yield "safetensors: duplicate key", s, safetensors(
        b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}', b"\0" * 4)
    yield "safetensors: tensor outside of the file", s, safetensors({"a": entry([100], 0, 400)}, b"\0" * 8)
    yield "safetensors: offsets that overlap", s, safetensors({"a": entry([2], 0, 8), "b": entry([2], 4, 12)}, b"\0" * 12)
    yield "safetensors: offsets in the wrong order", s, safetensors({"a": entry([2], 8, 0)}, b"\0" * 8)
    yield "safetensors: absurd dimensions", s, safetensors({"a": entry([1 << 40, 1 << 40], 0, 8)}, b"\0" * 8)
    yield "safetensors: shape and size at odds", s, safetensors({"a": entry([3], 0, 8)}, b"\0" * 8)
    yield "safetensors: a hole in the data", s, safetensors({"a": entry([1], 0, 4)}, b"\0" * 8)
    yield "safetensors: deep nesting", s, safetensors(b'{"a":' + b"[" * 100000)
    yield "index: missing shard", "m.safetensors.index.json", json.dumps({"weight_map": {"a": "gone.safetensors"}}).encode()
    yield "index: tensor that its shard lacks", "m.safetensors.index.json", json.dumps({"weight_map": {"b": "shard.safetensors"}}).encode()
    yield "index: shard in another folder", "m.safetensors.index.json", json.dumps({"weight_map": {"a": "../shard.safetensors"}}).encode()
    yield "index: no map", "m.safetensors.index.json", b'{"metadata":{}}'
    yield "index: truncated", "m.safetensors.index.json", b'{"weight_map":{"a":"sh'
    yield "gguf: magic alone", g, b"GGUF"
    yield "gguf: version 1", g, gguf(version=1)
    yield "gguf: big-endian", g, b"GGUF" + struct.pack(">IQQ", 3, 0, 0)
    yield "gguf: 2^60 tensors", g, gguf(tensor_count=1 << 60)
    yield "gguf: 2^60 metadata values", g, gguf(value_count=1 << 60)
    yield "gguf: key of 2^62 bytes", g, gguf(value_count=1, values=struct.pack("<Q", 1 << 62) + b"\0" * 32)
    yield "gguf: unknown type", g, gguf([("a", [32], 99, 0)], data=b"\0" * 64)
    yield "gguf: absurd dimensions", g, gguf([("a", [1 << 40, 1 << 40], 0, 0)], data=b"\0" * 64)
    yield "gguf: rows that are no whole blocks", g, gguf([("a", [33], 8, 0)], data=b"\0" * 64)
    yield "gguf: tensor outside of the file", g, gguf([("a", [32], 0, 1 << 40)], data=b"\0" * 128)
    yield "gguf: tensors that overlap", g, gguf([("a", [32], 0, 0), ("b", [32], 0, 32)], data=b"\0" * 256)
    yield "gguf: duplicate tensor", g, gguf([("a", [8], 0, 0), ("a", [8], 0, 32)], data=b"\0" * 64)
    yield "gguf: duplicate key", g, gguf(value_count=2, values=(string("k") + struct.pack("<II", 4, 1)) * 2)
    yield "gguf: array nested without end", g, gguf(value_count=1, values=string("k") + struct.pack("<I", 9) + struct.pack("<IQ", 9, 1) * 64)
    yield "gguf: truncated data", g, gguf([("a", [64], 0, 0)], data=b"\0" * 128)
    yield "gguf: a shape that its tensor does not have", g, gguf(
        [("a", [32], 0, 0)], data=b"\0" * 128, value_count=1,
        values=string("comfy.gguf.orig_shape.a") + struct.pack("<IIQi", 9, 5, 1, 33))


def limit():
    resource.setrlimit(resource.RLIMIT_AS, (LIMIT, LIMIT))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--diptych", default=".build/release/diptych")
    diptych = parser.parse_args().diptych
    fixture = Path(__file__).parent.parent / "Tests/Fixtures/tiny-random-fill"
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "shard.safetensors").write_bytes(safetensors({"a": entry([1], 0, 4)}, b"\0" * 4))
        number = 0
        for number, (name, file, content) in enumerate(cases(fixture), 1):
            path = Path(folder) / file
            path.write_bytes(content)
            run = subprocess.run([diptych, "inspect", str(path)], capture_output=True, text=True, preexec_fn=limit, timeout=60)
            lines = run.stderr.replace(folder, "WORK").splitlines()
            good = run.returncode == 1 and len(lines) == 1 and lines[0].startswith("error: ")
            failed += not good
            print(f"{number:2}. {name}\n    {lines[0][:240] if lines else '(nothing)'}"
                  + ("" if good else f"   <-- status {run.returncode}, {len(lines)} lines"))
            path.unlink()
    print(f"{number} malformed files, {failed} not refused in one line with status 1")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
