# /// script
# requires-python = ">=3.10"
# ///
"""Breaks one in a hundred members of a dataset and sees what becomes of it.

    python Scripts/check_faults.py --diptych .build/release/diptych

`diptych data check` must name every broken pair and no other. Training must stop before its first step and name every pair
whose pictures or listing it cannot use; with `data.on_error: skip` it must go through a whole pass and finish.
"""
import argparse
import io
import json
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

# What is done to a member, and whether training could not go on with the pair.
KINDS = [
    ("garbage", True), ("truncated", True), ("spoiled", True), ("empty", True), ("other format", True),
    ("no instruction", True), ("no json", True), ("bad json", True), ("no target", True), ("other size", False),
    ("duplicate", False),
]


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
    elif kind == "other size":
        pair[target] = others["small"]
    elif kind == "duplicate":
        for name in list(pair):
            pair[name] = others["first"][name.split(".", 1)[1]]
    return pair


def run(*command):
    return subprocess.run([str(word) for word in command], capture_output=True, text=True)


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
        number, faulty, unusable, first = 0, {}, set(), {}
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
                        kind, stops = KINDS[len(faulty) % len(KINDS)]
                        pair = broken(kind, pair, {"small": small, "first": first})
                        faulty[key] = kind
                        if stops:
                            unusable.add(key)
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
        print(f"check names all {len(faulty)} of {number} pairs that are broken, and no other")

        settings = {"data.path": spoiled, "data.panel_width": 32, "data.panel_height": 32, "data.cache_latents": "false",
                    "data.max_sequence_length": 16, "training.steps": 560, "training.batch_size": 4,
                    "output.checkpoint_every": 0}
        command = [options.diptych, "train", "Configs/demo.yaml"]
        command += [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
        stopped = run(*command, "--set", f"output.folder={work / 'stopped'}")
        if stopped.returncode != 1 or (work / "stopped").exists() or named(stopped.stderr) != unusable:
            sys.exit(f"on_error: stop: status {stopped.returncode}\n{stopped.stderr}")
        print(f"on_error: stop ends before the first step and names {len(named(stopped.stderr))} pairs")
        skipped = run(*command, "--set", "data.on_error=skip", "--set", f"output.folder={work / 'skipped'}")
        lines = [line for line in skipped.stderr.splitlines() if line.startswith("skipped: ")]
        keys = {line.split(": ")[2] for line in lines}
        if skipped.returncode or keys != unusable or len(lines) != len(unusable):
            sys.exit(f"on_error: skip: status {skipped.returncode}, {len(lines)} lines, not named "
                     f"{sorted(unusable - keys)}\n{skipped.stderr[-2000:]}")
        print(f"on_error: skip trains {settings['training.steps']} steps, more than a pass, and names {len(lines)} pairs")


if __name__ == "__main__":
    main()
