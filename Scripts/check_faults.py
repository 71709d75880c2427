# /// script
# requires-python = ">=3.10"
# ///
"""Breaks one in a hundred members of a dataset and sees what becomes of it; then all of a shape, then everything; then a cache.

    python Scripts/check_faults.py --diptych .build/release/diptych

`diptych data check` must name every faulty pair and no other. Training must stop before its first step and name the very same; with `data.on_error: skip` it must go through a whole pass and finish. When every pair
of one shape is broken it must still finish, resumed in the middle with the same losses, and end in one line only when nothing
can be read. Of a cache with flipped bytes `diptych data check` must name the samples, and `diptych data encode` restore it.
"""
import argparse
import io
import json
import struct
import subprocess
import sys
import tarfile
import tempfile
import zlib
from pathlib import Path
from random import Random

# What is done to a member, and whether it makes the pair faulty: check and training have one set of rules.
KINDS = [
    ("garbage", True), ("truncated", True), ("spoiled", True), ("empty", True), ("other format", True),
    ("no instruction", True), ("no json", True), ("bad json", True), ("no target", True), ("other proportions", True),
    ("other size", False), ("duplicate", False),
]


def png(width, height):
    """A grey picture."""
    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    rows = zlib.compress((b"\0" + bytes([120]) * width) * height)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
            + chunk(b"IDAT", rows) + chunk(b"IEND", b""))


def broken(kind, pair, others):
    """The members of a pair (name -> bytes) after an accident."""
    target = next(name for name in pair if ".target." in name)
    text = next(name for name in pair if name.endswith(".json"))
    data = pair[target]
    if kind == "garbage":
        pair[target] = bytes(range(256)) * 4
    elif kind == "truncated":
        pair[target] = data[: len(data) // 2]
    elif kind == "spoiled":
        middle = len(data) // 3
        pair[target] = data[:middle] + bytes(200) + data[middle + 200 :]
    elif kind == "empty":
        pair[target] = b""
    elif kind == "other format":
        pair[target] = b"GIF89a" + bytes(100)
    elif kind == "no instruction":
        pair[text] = json.dumps({**json.loads(pair[text]), "instruction": "  "}).encode()
    elif kind == "no json":
        del pair[text]
    elif kind == "bad json":
        pair[text] = pair[text][:-3]
    elif kind == "no target":
        del pair[target]
    elif kind == "other proportions":
        del pair[target]
        pair[target.split(".")[0] + ".target.png"] = png(32, 48)
    elif kind == "other size":
        pair[target] = others["small"]
    elif kind == "duplicate":
        for name in list(pair):
            pair[name] = others["first"][name.split(".", 1)[1]]
    return pair


def run(*command):
    return subprocess.run([str(word) for word in command], capture_output=True, text=True)


def cut(folder):
    """Cuts the targets of a folder's pairs in the middle, so that only their headers can be read."""
    for line in (folder / "metadata.jsonl").read_text().splitlines():
        target = folder / json.loads(line)["target"]
        target.write_bytes(target.read_bytes()[: target.stat().st_size // 2])


def losses(folder):
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    return [json.loads(line)["loss"] for line in lines]


def check_shapes(diptych, work):
    """A shape of which nothing can be read, then a dataset of which nothing can be."""
    square, wide = work / "square", work / "wide"
    for folder, width, count in ((square, 64, 40), (wide, 96, 20)):
        made = run(diptych, "data", "photo-edits", "--photos", "Datasets/photos", "--count", count, "--width", width,
                   "--height", 64, "--seed", 3, "--out", folder)
        if made.returncode:
            sys.exit(made.stderr)
    cut(wide)
    settings = {"data.path": square, "data.also": f"[{wide}]", "data.buckets": "[32x32, 48x32]", "data.on_error": "skip",
                "data.max_sequence_length": 16, "training.batch_size": 4, "output.checkpoint_every": 10,
                "output.keep_checkpoints": 0, "schedule.name": "constant", "schedule.warmup_steps": 0}

    def train(name, steps, *more):
        command = [diptych, "train", "Configs/demo.yaml", *more]
        values = {**settings, "training.steps": steps, "output.folder": work / name}
        return run(*command, *(word for key, value in values.items() for word in ("--set", f"{key}={value}")))

    whole = train("shape", 40)
    lines = [line for line in whole.stderr.splitlines() if line.startswith("skipped: ")]
    if whole.returncode or len(lines) != 20 or any(str(wide) not in line for line in lines):
        sys.exit(f"a shape without a pair: status {whole.returncode}, {len(lines)} lines\n{whole.stderr[-2000:]}")
    for steps, more in ((10, ()), (40, ("--resume",))):
        part = train("resumed", steps, *more)
        if part.returncode:
            sys.exit(f"a shape without a pair, resumed: status {part.returncode}\n{part.stderr[-2000:]}")
    if losses(work / "resumed") != losses(work / "shape") or len(losses(work / "shape")) != 40:
        sys.exit("a shape without a pair: the losses of a resumed run differ")
    print("on_error: skip trains 40 steps without any pair of one shape, 20 of 60, with the same losses when resumed")
    cut(square)
    nothing = train("nothing", 40)
    expected = "expected at least one pair that can be read, found none among 60; line 1: target: expected "
    lines = [line for line in nothing.stderr.splitlines() if not line.startswith("note: ")]
    if nothing.returncode != 1 or len(lines) != 1 or expected not in lines[0]:
        sys.exit(f"nothing to read: status {nothing.returncode}\n{nothing.stderr[-2000:]}")
    print(f"with nothing to read it ends in one line: {lines[0][-90:]}")


def check_cache(diptych, work):
    """A cache of which bytes are flipped."""
    pairs, cache = work / "pairs", work / "cache"
    made = run(diptych, "data", "photo-edits", "--photos", "Datasets/photos", "--count", 100, "--size", 64, "--out", pairs)
    if made.returncode:
        sys.exit(made.stderr)
    settings = {"data.path": pairs, "data.panel_width": 64, "data.panel_height": 64, "data.max_sequence_length": 16,
                "output.folder": work / "unused"}
    encode = [diptych, "data", "encode", "--config", "Configs/demo.yaml", "--out", cache]
    encode += [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]

    def contents():
        return {file.name: file.read_bytes() for file in sorted(cache.iterdir())}

    first = run(*encode)
    if first.returncode:
        sys.exit(first.stderr)
    whole, random, seen, mended = contents(), Random(1), 0, 0
    files = [name for name in whole if name.endswith(".h5")]
    for _ in range(20):
        # A few bytes in a few files, somewhere.
        for name in random.sample(files, 3):
            data = bytearray(whole[name])
            for _ in range(3):
                data[random.randrange(len(data))] ^= 1 << random.randrange(8)
            (cache / name).write_bytes(data)
        check = run(diptych, "data", "check", cache)
        again = run(*encode)
        named = [line.removeprefix("error: ") for line in check.stderr.splitlines()]
        told = [line.removeprefix("damaged: ") for line in again.stderr.splitlines() if line.startswith("damaged: ")]
        if again.returncode or check.returncode != (1 if named else 0) or (bool(named) != bool(told)):
            sys.exit(f"a damaged cache: status {check.returncode}, {again.returncode}\n{check.stderr}\n{again.stderr}")
        after = contents()
        for name in files:
            # Bytes between a file's parts stand for nothing, and no reader sees them.
            if any(str(cache / name) in line for line in told):
                mended += 1
                if after[name] != whole[name]:
                    sys.exit(f"a damaged cache: {name} is not what it was")
        seen += len(told)
        for name, data in whole.items():
            (cache / name).write_bytes(data)
    print(f"of a cache with flipped bytes check and encode name {seen} damages; {mended} files are again what they were")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--diptych", default=".build/release/diptych")
    parser.add_argument("--count", type=int, default=2200, help="pairs; up to 2400, as training prints twenty faults")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        work = Path(work)
        whole, spoiled = work / "whole", work / "spoiled"
        for folder, size, count in ((whole, 32, options.count), (work / "small", 48, 1)):
            made = run(options.diptych, "data", "scenes", "--count", count, "--size", size, "--shard", 500, "--seed", 5,
                       "--out", folder)
            if made.returncode:
                sys.exit(made.stderr)
        with tarfile.open(work / "small" / "scenes-000000.tar") as tar:
            small = next(tar.extractfile(m).read() for m in tar if ".target." in m.name)
        spoiled.mkdir()
        number, broken_pairs, faulty, first = 0, 0, {}, {}
        for shard in sorted(whole.glob("*.tar")):
            pairs = {}
            with tarfile.open(shard) as tar:
                for member in tar:
                    pairs.setdefault(member.name.split(".")[0], {})[member.name] = tar.extractfile(member).read()
            with tarfile.open(spoiled / shard.name, "w", format=tarfile.USTAR_FORMAT) as out:
                for key, pair in pairs.items():
                    if not first:
                        first = {name.split(".", 1)[1]: data for name, data in pair.items()}
                    if number % 100 == 57:
                        kind, is_faulty = KINDS[broken_pairs % len(KINDS)]
                        pair = broken(kind, pair, {"small": small, "first": first})
                        broken_pairs += 1
                        if is_faulty:
                            faulty[key] = kind
                    number += 1
                    for name, data in pair.items():
                        info = tarfile.TarInfo(name)
                        info.size = len(data)
                        out.addfile(info, io.BytesIO(data))

        def named(text):
            return {key for key in (line.split(": ")[2] for line in text.splitlines() if line.startswith("error: "))
                    if key.isdigit()}

        check = run(options.diptych, "data", "check", spoiled)
        found = named(check.stderr)
        missed, wrong = set(faulty) - found, found - set(faulty)
        if check.returncode != 1 or missed or wrong:
            sys.exit(f"check: status {check.returncode}, missed {[(k, faulty[k]) for k in sorted(missed)]}, "
                     f"wrongly named {sorted(wrong)}")
        for note in ("of another size than the source", "there already, with the same pictures"):
            if note not in check.stderr:
                sys.exit(f"check: no note '{note}'\n{check.stderr}")
        print(f"check names all {len(faulty)} of {number} pairs that are broken, and no other")

        settings = {"data.path": spoiled, "data.panel_width": 32, "data.panel_height": 32, "data.cache_latents": "false",
                    "data.max_sequence_length": 16, "training.steps": 560, "training.batch_size": 4,
                    "output.checkpoint_every": 0}
        command = [options.diptych, "train", "Configs/demo.yaml"]
        command += [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
        stopped = run(*command, "--set", f"output.folder={work / 'stopped'}")
        if stopped.returncode != 1 or (work / "stopped").exists() or named(stopped.stderr) != set(faulty):
            sys.exit(f"on_error: stop: status {stopped.returncode}\n{stopped.stderr}")
        print(f"on_error: stop ends before the first step and names {len(named(stopped.stderr))} pairs")
        skipped = run(*command, "--set", "data.on_error=skip", "--set", f"output.folder={work / 'skipped'}")
        lines = [line for line in skipped.stderr.splitlines() if line.startswith("skipped: ")]
        keys = {line.split(": ")[2] for line in lines}
        if skipped.returncode or keys != set(faulty) or len(lines) != len(faulty):
            sys.exit(f"on_error: skip: status {skipped.returncode}, {len(lines)} lines, not named "
                     f"{sorted(set(faulty) - keys)}\n{skipped.stderr[-2000:]}")
        print(f"on_error: skip trains {settings['training.steps']} steps, more than a pass, and names {len(lines)} pairs")
        check_shapes(options.diptych, work)
        check_cache(options.diptych, work)


if __name__ == "__main__":
    main()
