#!/usr/bin/env python3
"""Ends diptych by signals at random moments and counts what was lost.

Train, encode, merge and quantize get HUP, PIPE, TERM and KILL in turns; each is then run again until it is done. After every
signal it is checked that

- no output is half-written: a file has its name whole, as of this run or of the one before, or not at all;
- nothing is lost beyond the promise: after HUP and TERM a run goes on at its last logged step, after KILL at most
  `checkpoint_every` steps before it; PIPE changes nothing; a cache keeps every file that was whole;
- no input has changed by a byte;
- at the end the losses, the trained numbers, the cache and the models are those of a run that nobody disturbed, and no
  hidden part is left.

    python3 Scripts/check_kills.py --diptych .build/release/diptych --kills 120 --seed 1
"""

import argparse
import hashlib
import json
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--diptych", default=".build/release/diptych")
parser.add_argument("--kills", type=int, default=120, help="signals in all, shared among the four commands")
parser.add_argument("--seed", type=int, default=1)
parser.add_argument("--folder", help="where to work; a small tmpfs for instance")
arguments = parser.parse_args()

diptych = os.path.abspath(arguments.diptych)
checkout = pathlib.Path(__file__).resolve().parent.parent
draw = random.Random(arguments.seed)
work = pathlib.Path(tempfile.mkdtemp(prefix="diptych-kills-", dir=arguments.folder))
signals = [signal.SIGHUP, signal.SIGPIPE, signal.SIGTERM, signal.SIGKILL]
every = 5
faults, counts = [], {}


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def contents(folder, hidden=False):
    return {
        str(file.relative_to(folder)): digest(file)
        for file in sorted(folder.rglob("*"))
        if file.is_file() and (hidden or not file.name.startswith("."))
    }


def fault(command, number, text):
    faults.append(f"{command} after {signal.Signals(number).name if number else 'the end'}: {text}")


def finished(words):
    done = subprocess.run([diptych, *map(str, words)], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, words))}: status {done.returncode}: {done.stderr}")
    return done


def disturbed(words, seconds, number):
    """Sends a signal at a random moment of `seconds`; gives whether the command was still there, and its status."""
    process = subprocess.Popen(
        [diptych, *map(str, words)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
    time.sleep(draw.uniform(0, seconds))
    was_there = process.poll() is None
    if was_there:
        process.send_signal(number)
    return was_there, process.wait()


def steps(run):
    """The steps of a metric log's whole lines."""
    log = run / "metrics.jsonl"
    if not log.exists():
        return []
    return [json.loads(line)["step"] for line in log.read_bytes().split(b"\n")[:-1] if line]


def losses(run):
    times = re.compile(r'"(seconds|data_seconds|samples_per_second)":[^,}]*,?')
    return times.sub("", (run / "metrics.jsonl").read_text())


def saved(run):
    names = sorted((run / "checkpoints").glob("step-*.h5")) if (run / "checkpoints").exists() else []
    return int(names[-1].stem[5:]) if names else 0


def timed(words):
    begin = time.monotonic()
    finished(words)
    return time.monotonic() - begin


def count(command, number):
    key = (command, signal.Signals(number).name)
    counts[key] = counts.get(key, 0) + 1


base, pairs, adapter = work / "base", work / "pairs", work / "lora.safetensors"


def train_words(run, *more):
    pieces = {
        "base.path": base, "data.path": pairs, "data.panel_width": 32, "data.panel_height": 32,
        "data.max_sequence_length": 16, "training.steps": 60, "output.checkpoint_every": every,
        "schedule.warmup_steps": 0, "output.folder": run,
    }
    settings = [word for key, value in pieces.items() for word in ("--set", f"{key}={value}")]
    return ["train", checkout / "Configs/demo.yaml", *settings, *more]


def check_train(kills):
    whole, run, cut = work / "whole", work / "run", work / "cut"
    seconds = timed(train_words(whole))
    reference = losses(whole)
    finished(["export", whole, "-o", work / "whole.safetensors", "--format", "diptych"])
    left = kills
    while left > 0:
        shutil.rmtree(run, ignore_errors=True)
        while True:
            number = signals[left % 4] if left > 0 else None
            if number is None:
                finished(train_words(run, "--resume-if-there"))
                break
            before = saved(run)
            was_there, status = disturbed(train_words(run, "--resume-if-there"), seconds, number)
            logged, now = steps(run), saved(run)
            if was_there:
                left -= 1
                count("train", number)
                expected = {signal.SIGHUP: {129, -1}, signal.SIGTERM: {143, -15}, signal.SIGPIPE: {0, -13}}
                # Before the first step signals have their usual effect, and the last step may be taken already.
                if number != signal.SIGKILL and status not in expected[number] | {0}:
                    fault("train", number, f"status {status}")
                if now < before:
                    fault("train", number, f"the checkpoint of step {before} is gone, there is {now}")
                if logged != list(range(1, len(logged) + 1)):
                    fault("train", number, f"the log has the steps {logged}")
                last = logged[-1] if logged else 0
                lost = last - now
                # One that ended before its first step has left the log of the one before.
                allowed = 0 if number in (signal.SIGHUP, signal.SIGTERM) and status > 0 else every
                if lost > allowed:
                    fault("train", number, f"{lost} steps lost, {allowed} allowed")
                for file in (run / "checkpoints").glob("step-*.h5") if (run / "checkpoints").exists() else []:
                    if subprocess.run([diptych, "inspect", file], capture_output=True).returncode != 0:
                        fault("train", number, f"{file.name} cannot be read")
            elif status != 0:
                fault("train", None, f"status {status}")
            if status == 0 and now == 60:
                break
        if losses(run) != reference:
            fault("train", None, "the losses are not those of a run that nobody disturbed")
        finished(["export", run, "-o", cut.with_suffix(".safetensors"), "--format", "diptych"])
        if digest(cut.with_suffix(".safetensors")) != digest(work / "whole.safetensors"):
            fault("train", None, "the trained numbers are not those of a run that nobody disturbed")
        # The next run of the same output sweeps.
        finished(train_words(run, "--resume"))
        finished(["train", run, "--resume", "--set", "training.steps=61"])
        hidden = [str(file) for file in run.rglob(".*.partial")]
        if hidden:
            fault("train", None, f"left behind: {hidden}")


def check_encode(kills):
    whole, cache = work / "whole-cache", work / "cache"
    words = lambda out: ["data", "encode", "--config", checkout / "Configs/demo.yaml", "--out", out, "--set",
                         f"base.path={base}", "--set", f"data.path={pairs}", "--set", "data.panel_width=64",
                         "--set", "data.panel_height=64"]
    seconds = timed(words(whole))
    reference = contents(whole)
    left = kills
    while left > 0:
        shutil.rmtree(cache, ignore_errors=True)
        while True:
            before = contents(cache) if cache.exists() else {}
            number = signals[left % 4] if left > 0 else None
            if number is None:
                finished(words(cache))
                break
            was_there, status = disturbed(words(cache), seconds, number)
            now = contents(cache) if cache.exists() else {}
            if was_there:
                left -= 1
                count("encode", number)
            for name, value in now.items():
                if name != "manifest.json" and reference.get(name) != value:
                    fault("encode", number, f"{name} is not whole")
            if lost := set(before) - set(now):
                fault("encode", number, f"lost {lost}")
            if status == 0:
                break
        if contents(cache, hidden=True) != reference:
            fault("encode", None, "the cache is not that of an encoding that nobody disturbed")


def check_file(command, kills, words, suffix):
    whole, output = work / f"whole{suffix}", work / f"output{suffix}"
    seconds = timed(words(whole))
    new = digest(whole)
    left = kills
    while left > 0:
        # Every other time there is an older file, which has to stay until the new one is whole.
        old = None
        output.unlink(missing_ok=True)
        if draw.random() < 0.5:
            output.write_bytes(b"an older file")
            old = digest(output)
        number = signals[left % 4]
        was_there, status = disturbed(words(output), seconds, number)
        if was_there:
            left -= 1
            count(command, number)
        found = digest(output) if output.exists() else None
        if found not in {new, old}:
            fault(command, number, "the file is half-written")
        if status == 0 and found != new:
            fault(command, number, "status 0 and no new file")
    finished(words(output))
    if digest(output) != new:
        fault(command, None, "the file is not that of a run that nobody disturbed")
    hidden = [file.name for file in work.glob(f".{output.name}.*.partial")]
    if hidden:
        fault(command, None, f"left behind: {hidden}")


try:
    fixture = checkout / "Tests/Fixtures/tiny-random-fill"
    shutil.copytree(fixture, base)
    finished(["data", "photo-edits", "--photos", checkout / "Datasets/photos", "--count", 64, "--size", 64, "--seed", 3,
              "--out", pairs])
    finished(["random-base", "--out", work / "medium", "--size", "medium", "--type", "bf16", "--tokenizers", fixture])
    finished(train_words(work / "lora-run", "--set", "adapter.moe=null", "--set", "training.steps=2"))
    finished(["export", work / "lora-run", "-o", adapter])
    inputs = {name: contents(folder, hidden=True) for name, folder in
              {"base": base, "pairs": pairs, "medium": work / "medium", "lora-run": work / "lora-run"}.items()}
    inputs["adapter"] = digest(adapter)

    part = arguments.kills // 4
    check_train(arguments.kills - 3 * part)
    check_encode(part)
    check_file("merge", part, lambda out: ["merge", "--base", base, "--adapter", adapter, "-o", out], ".safetensors")
    check_file("quantize", part, lambda out: ["quantize", work / "medium/transformer.gguf", out, "--type", "q4_k"], ".gguf")

    now = {name: contents(work / name, hidden=True) for name in ["base", "pairs", "medium", "lora-run"]}
    now["adapter"] = digest(adapter)
    for name, value in inputs.items():
        if now[name] != value:
            faults.append(f"an input changed: {name}")
finally:
    shutil.rmtree(work, ignore_errors=True)

names = [number.name for number in signals]
print("signals   " + "".join(f"{name[3:]:>6}" for name in names) + "   all")
total = 0
for command in ["train", "encode", "merge", "quantize"]:
    row = [counts.get((command, name), 0) for name in names]
    total += sum(row)
    print(f"{command:10}" + "".join(f"{value:6}" for value in row) + f"{sum(row):6}")
print(f"{total} signals, {len(faults)} faults")
for line in faults:
    print("fault: " + line)
sys.exit(1 if faults else 0)
