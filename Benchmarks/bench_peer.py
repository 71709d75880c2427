#!/usr/bin/env python3
"""Diptych and PyTorch + diffusers + PEFT on the same cores, in turns: A B A B …, and the ratios.

    make bench-peer                                   # makes its own virtual environment
    python Benchmarks/bench_peer.py --bench .build/release/diptych-bench --configs nano --cases none moe

Each turn is a process of its own: a step to warm up and five more, or one more of the large models, whose steps take tens
of seconds. A row gives the median over turns of each side's median step and the median of the ratios turn by turn (peer /
ours: above 1 we are faster). The bound is the ratio that we would have if all our arithmetic ran at the rate probed in the
same runs (register tiles on operands in the first-level cache).
"""
import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path


def measure(command):
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip().splitlines()
    return json.loads(lines[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bench", default=".build/release/diptych-bench")
    parser.add_argument("--configs", nargs="+", default=["nano", "tiny", "mid", "block"])
    parser.add_argument("--cases", nargs="+", default=["none", "peft", "moe", "full"])
    parser.add_argument("--dtype", default="bf16")
    parser.add_argument("--turns", type=int, help="turns of a row (3 of nano and tiny, 2 of mid and block)")
    parser.add_argument("--reps", type=int, help="steps of a turn (5 of nano and tiny, 1 of mid and block)")
    parser.add_argument("--no-ckpt", action="store_true", help="leave out the rows with gradient checkpointing")
    a = parser.parse_args()
    peer = str(Path(__file__).parent / "peer_flux.py")

    print("| model | step | checkpointing | ours ms | PyTorch ms | PyTorch / ours | bound | ours MB | PyTorch MB | memory ratio |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for config in a.configs:
        turns, reps = (3, 5) if config in ("nano", "tiny") else (2, 1)
        turns, reps = a.turns or turns, a.reps or reps
        for case in a.cases:
            if case == "full" and config != "nano":
                continue
            for checkpointing in (False, True):
                if checkpointing and (case == "none" or a.no_ckpt):
                    continue
                flags = ["--config", config, "--dtype", a.dtype, "--lora", case, "--reps", str(reps)]
                flags += ["--ckpt"] if checkpointing else []
                ours, theirs = [], []
                for _ in range(turns):
                    ours.append(measure([a.bench, "step", *flags]))
                    theirs.append(measure([sys.executable, peer, *flags]))
                ratio = statistics.median(t["ms"] / o["ms"] for o, t in zip(ours, theirs))
                ms = [statistics.median(r["ms"] for r in side) for side in (ours, theirs)]
                mb = [statistics.median(r["peak_rss_mb"] for r in side) for side in (ours, theirs)]
                least = statistics.median(o["gflop"] / o["probed_gflops"] * 1e3 for o in ours)
                print(
                    f"| {config} | {case} | {'yes' if checkpointing else 'no'} | {ms[0]:.1f} | {ms[1]:.1f} | {ratio:.2f} "
                    f"| {ms[1] / least:.1f} | {mb[0]:.0f} | {mb[1]:.0f} | {mb[0] / mb[1]:.2f} |", flush=True)


if __name__ == "__main__":
    main()
