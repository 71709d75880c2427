#!/usr/bin/env python3
"""The time of a LoRA-MoE training step against tokens, batch and threads: a table, and a plot as SVG.

    python Benchmarks/scaling.py --out Documentation/scaling.svg

Every point is a process of its own; the runs go round `--turns` times and each point is the median of its turns.
"""
import argparse
import json
import statistics
import subprocess
from math import log2

WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT = 720, 420, 70, 60, 30, 170
COLOURS = ["#1f77b4", "#d62728", "#2ca02c", "#9467bd"]


def measure(bench, config, tokens, batch, threads, reps):
    command = [bench, "step", "--config", config, "--lora", "moe", "--tokens", str(tokens), "--batch", str(batch)]
    command += ["--threads", str(threads), "--reps", str(reps)]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip().splitlines()
    return json.loads(lines[-1])


def plot(series, path, title):
    """`series`: {name: [(tokens, milliseconds)]}; both axes logarithmic."""
    xs = [x for points in series.values() for x, _ in points]
    ys = [y for points in series.values() for _, y in points]
    low, high = log2(min(ys)) - 0.3, log2(max(ys)) + 0.3
    left, right = log2(min(xs)) - 0.2, log2(max(xs)) + 0.2

    def place(x, y):
        return (
            LEFT + (log2(x) - left) / (right - left) * (WIDTH - LEFT - RIGHT),
            HEIGHT - BOTTOM - (log2(y) - low) / (high - low) * (HEIGHT - BOTTOM - TOP))

    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" font-family="sans-serif" font-size="13">']
    out.append(f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>')
    out.append(f'<text x="{LEFT}" y="18" font-size="14">{title}</text>')
    for x in sorted(set(xs)):
        px, _ = place(x, min(ys))
        out.append(f'<line x1="{px:.1f}" y1="{TOP}" x2="{px:.1f}" y2="{HEIGHT - BOTTOM}" stroke="#ddd"/>')
        out.append(f'<text x="{px:.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{x}</text>')
    for exponent in range(int(low), int(high) + 1):
        y = 2 ** exponent
        if not low <= exponent <= high:
            continue
        _, py = place(xs[0], y)
        label = f"{y / 1000:g} s" if y >= 1000 else f"{y:g} ms"
        out.append(f'<line x1="{LEFT}" y1="{py:.1f}" x2="{WIDTH - RIGHT}" y2="{py:.1f}" stroke="#ddd"/>')
        out.append(f'<text x="{LEFT - 6}" y="{py + 4:.1f}" text-anchor="end">{label}</text>')
    out.append(f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 15}" text-anchor="middle">tokens a sample</text>')
    for number, (name, points) in enumerate(series.items()):
        colour = COLOURS[number % len(COLOURS)]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in (place(*p) for p in points))
        out.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        for point in points:
            x, y = place(*point)
            out.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}"/>')
        y = TOP + 20 + 22 * number
        out.append(f'<line x1="{WIDTH - RIGHT + 12}" y1="{y}" x2="{WIDTH - RIGHT + 36}" y2="{y}" stroke="{colour}" stroke-width="2"/>')
        out.append(f'<text x="{WIDTH - RIGHT + 42}" y="{y + 4}">{name}</text>')
    out.append("</svg>")
    with open(path, "w") as file:
        file.write("\n".join(out) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bench", default=".build/release/diptych-bench")
    parser.add_argument("--config", default="tiny")
    parser.add_argument("--text", type=int, default=64, help="text tokens of the configuration")
    parser.add_argument("--tokens", nargs="+", type=int, default=[512, 1024, 2048, 4096])
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--reps", type=int, default=3)
    parser.add_argument("--out", default="scaling.svg")
    a = parser.parse_args()
    cases = [(f"batch {batch}, {threads} thread{'s' if threads > 1 else ''}", batch, threads)
             for batch, threads in [(1, 2), (2, 2), (4, 2), (1, 1)]]
    times = {(name, tokens): [] for name, _, _ in cases for tokens in a.tokens}
    work = {}
    for _ in range(a.turns):
        for tokens in a.tokens:
            for name, batch, threads in cases:
                found = measure(a.bench, a.config, tokens - a.text, batch, threads, a.reps)
                times[name, tokens].append(found["ms"])
                work[name, tokens] = found["gflop"]
    print("| tokens | " + " | ".join(f"{name}: ms (GFLOP/s)" for name, _, _ in cases) + " |")
    print("|---" * (len(cases) + 1) + "|")
    for tokens in a.tokens:
        cells = []
        for name, _, _ in cases:
            ms = statistics.median(times[name, tokens])
            cells.append(f"{ms:.0f} ({work[name, tokens] / ms * 1e3:.0f})")
        print(f"| {tokens} | " + " | ".join(cells) + " |")
    series = {name: [(tokens, statistics.median(times[name, tokens])) for tokens in a.tokens] for name, _, _ in cases}
    plot(series, a.out, f"A LoRA-MoE training step of the {a.config} model, bfloat16")


if __name__ == "__main__":
    main()
