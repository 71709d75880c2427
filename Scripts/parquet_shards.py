"""What the converters of parquet datasets share: rows in a stream, shards that appear whole, and going on after a stop.

A folder under way holds `unfinished.json`: the inputs, the options, and for each shard its checksum and the row behind it.
`diptych` refuses such a folder. The same command goes on behind the last whole shard, after it has compared the checksums
of those that are there. At the end the checksums lie in `SHA256SUMS`.
"""
import hashlib
import io
import json
import os
import sys
import tarfile
from pathlib import Path

import pyarrow.parquet as pq


def parquet_files(paths):
    """The parquet files that paths name: files, or all of a folder by name."""
    files = []
    for path in map(Path, paths):
        found = sorted(path.rglob("*.parquet")) if path.is_dir() else [path]
        if not found:
            sys.exit(f"error: {path}: expected parquet files, found none")
        files += found
    for file in files:
        if not file.is_file():
            sys.exit(f"error: {file}: expected a parquet file, found nothing")
    return files


def require_columns(file, columns):
    """Ends the program unless a file has all columns."""
    found = pq.ParquetFile(file).schema_arrow.names
    missing = [name for name in columns if name not in found]
    if missing:
        sys.exit(f"error: {file}: expected the columns {', '.join(missing)}, found {', '.join(found)}")


def rows(files, columns, first=0):
    """Rows as dictionaries from row `first` on, a few at a time; whole row groups before it are not read."""
    start = 0
    for file in files:
        parquet = pq.ParquetFile(file)
        for group in range(parquet.num_row_groups):
            count = parquet.metadata.row_group(group).num_rows
            if start + count <= first:
                start += count
                continue
            for batch in parquet.iter_batches(batch_size=16, row_groups=[group], columns=columns):
                for row in batch.to_pylist():
                    if start >= first:
                        yield start, row
                    start += 1


def picture(value):
    """Extension and bytes of a picture of a hub dataset; other formats than PNG, JPEG and still WebP become PNG."""
    data = value["bytes"] if isinstance(value, dict) else value
    if data is None:
        raise ValueError("a picture without bytes")
    if data[:8] == b"\x89PNG\r\n\x1a\n":
        return "png", data
    if data[:3] == b"\xff\xd8\xff":
        return "jpg", data
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP" and not (data[12:16] == b"VP8X" and data[20] & 2):
        return "webp", data
    from PIL import Image

    out = io.BytesIO()
    Image.open(io.BytesIO(data)).convert("RGB").save(out, "PNG")
    return "png", out.getvalue()


def members(key, source, target, fields):
    """The members of a pair in a shard."""
    result = []
    for name, value in (("source", source), ("target", target)):
        if value is not None:
            extension, data = picture(value)
            result.append((f"{key}.{name}.{extension}", data))
    fields = {name: value for name, value in fields.items() if value not in (None, "", [])}
    text = json.dumps(fields, ensure_ascii=False, sort_keys=True)
    return result + [(f"{key}.json", text.encode())]


def write_whole(path, data):
    """A file that appears whole or not at all."""
    partial = path.with_name(f".{path.name}.partial")
    with open(partial, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(partial, path)


def archive(pairs):
    """A tar archive that depends on names and contents alone."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, data in (member for pair in pairs for member in pair):
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(data), 0o644
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def identity(file):
    """Name, size and the hash of both ends of an input."""
    size = file.stat().st_size
    with open(file, "rb") as data:
        head = data.read(65536)
        data.seek(max(0, size - 65536))
        return [file.name, size, hashlib.sha256(head + data.read()).hexdigest()]


def convert(name, files, stream, out, options, shard_size):
    """Writes shards of what `stream(first_row)` gives: (row, members of a pair, or None for a row left out)."""
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    state_path = out / "unfinished.json"
    task = {"converter": name, "inputs": [identity(file) for file in files], "options": options, "shard": shard_size}
    state = {"task": task, "shards": [], "left_out": 0}
    if state_path.exists():
        found = json.loads(state_path.read_text())
        if found.get("task") != task:
            sys.exit(f"error: {out}: expected the inputs and options that began it, found others; use another folder")
        for shard in found["shards"]:
            path = out / shard["name"]
            if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != shard["sha256"]:
                print(f"{path} is damaged: it and what follows is made anew", file=sys.stderr)
                break
            state["shards"].append(shard)
            state["left_out"] = shard["left_out"]
    elif any(not path.name.endswith(".partial") for path in out.iterdir()):
        sys.exit(f"error: {out}: expected a new or empty folder, found files")
    for partial in out.glob(".*.partial"):
        partial.unlink()
    done = state["shards"][-1]["next_row"] if state["shards"] else 0
    pairs_done = sum(shard["pairs"] for shard in state["shards"])
    if done:
        print(f"going on behind row {done}, {pairs_done} pairs are there", file=sys.stderr)
    write_whole(state_path, json.dumps(state, indent=1).encode())

    def flush(pairs, next_row):
        path = out / f"{name}-{len(state['shards']):06}.tar"
        data = archive(pairs)
        write_whole(path, data)
        state["shards"].append({
            "name": path.name, "sha256": hashlib.sha256(data).hexdigest(), "pairs": len(pairs), "next_row": next_row,
            "left_out": state["left_out"],
        })
        write_whole(state_path, json.dumps(state, indent=1).encode())
        total = sum(shard["pairs"] for shard in state["shards"])
        print(f"\r{total} pairs, {len(state['shards'])} shards", end="", file=sys.stderr, flush=True)

    pairs, row = [], done - 1
    for row, pair in stream(done):
        if pair is None:
            state["left_out"] += 1
            continue
        pairs.append(pair)
        if len(pairs) == shard_size:
            flush(pairs, row + 1)
            pairs = []
    if pairs:
        flush(pairs, row + 1)
    total = sum(shard["pairs"] for shard in state["shards"])
    if total == 0:
        sys.exit(f"error: {out}: expected at least one pair, found none ({state['left_out']} left out)")
    write_whole(out / "SHA256SUMS", "".join(f"{s['sha256']}  {s['name']}\n" for s in state["shards"]).encode())
    state_path.unlink()
    print(file=sys.stderr)
    print(f"{total} pairs in {len(state['shards'])} shards, {state['left_out']} left out: {out}")
