#!/usr/bin/env python3
"""Single matrix products and convolutions, Diptych beside PyTorch (oneDNN, and MKL for float32 products), in turns.

    python peer_products.py --bench .build/release/diptych-bench                     # three tables
    python peer_products.py --bench .build/release/diptych-bench --only LoRA --turns 9

Both sides are asked for every case in turns, A B A B ..., by two processes that stay: same shapes, layouts and types,
results of the operands' type, no bias, PyTorch in inference mode. Each turn is the median of samples of two milliseconds
(or one call) after 40 milliseconds of the same to warm up; a cell is the median over turns of each side and of the ratios
turn by turn (above 1 we are faster). Both sides are given the weights as a model has them; ours keeps those of convolutions
as oneDNN reads them, as a frozen model does, where it leaves them to oneDNN.

A third table has what `diptych-bench` computes by itself: our kernels beside the oneDNN that is linked (which of them the
program takes is in OneDNNPolicy.swift), with the right operand as it lies and laid out ahead.
"""
import argparse
import json
import statistics
import subprocess
import sys
import time


def layer(name, tokens, inputs, outputs):
    """The three products of a linear layer: result, gradient of the input, gradient of the weight."""
    return [(name, "x Wt", tokens, outputs, inputs), (name, "dy W", tokens, inputs, outputs),
            (name, "dyt x", outputs, inputs, tokens)]


def adapter(name, tokens, width, rank):
    """The products of a low-rank adapter of a square layer, forward and backward."""
    return [(f"{name} down", "x Wt", tokens, rank, width), (f"{name} up", "x Wt", tokens, width, rank),
            (f"{name} dh = dy B", "dy W", tokens, rank, width), (f"{name} dx = dh A", "dy W", tokens, width, rank),
            (f"{name} dA", "dyt x", rank, width, tokens), (f"{name} dB", "dyt x", width, rank, tokens)]


# (name, form, m, n, k)
PRODUCTS = [
    *layer("nano", 2048, 256, 256), *layer("nano", 2048, 256, 1024), *layer("nano", 2048, 1280, 256),
    *layer("tiny", 1536, 512, 512), *layer("mid", 2560, 1536, 1536), *layer("block", 2560, 3072, 3072)[:2],
    *adapter("LoRA nano", 2048, 256, 16), *adapter("LoRA nano", 2048, 256, 32), *adapter("LoRA nano", 2048, 256, 128),
    *adapter("LoRA mid", 2560, 1536, 16), *adapter("LoRA mid", 2560, 1536, 32), *adapter("LoRA mid", 2560, 1536, 128),
    ("LoRA, 512 tokens, down", "x Wt", 512, 64, 1536), ("LoRA, 512 tokens, up", "x Wt", 512, 1536, 16),
]

# (channels in, out, height, width, window, stride, zeros before, zeros behind, images)
CONVOLUTIONS = [
    (128, 128, 256, 256, 3, 1, 1, 1, 1), (256, 256, 128, 128, 3, 1, 1, 1, 1), (512, 512, 128, 128, 3, 1, 1, 1, 1),
    (512, 512, 64, 64, 3, 1, 1, 1, 1), (512, 512, 32, 32, 3, 1, 1, 1, 1), (256, 256, 40, 40, 3, 1, 1, 1, 1),
    (512, 512, 8, 8, 3, 1, 1, 1, 1), (512, 512, 8, 8, 3, 1, 1, 1, 4), (128, 128, 256, 256, 3, 2, 0, 1, 1),
    (512, 512, 64, 64, 3, 2, 0, 1, 1), (512, 256, 128, 128, 1, 1, 0, 0, 1), (512, 512, 8, 8, 1, 1, 0, 0, 1),
    (3, 128, 256, 256, 3, 1, 1, 1, 1), (128, 3, 256, 256, 3, 1, 1, 1, 1), (512, 16, 32, 32, 3, 1, 1, 1, 1),
]


def product_case(shape):
    _, form, m, n, k = shape
    return {"kind": "product", "form": form, "m": m, "n": n, "k": k}


def convolution_case(shape):
    names = ("in", "out", "height", "width", "kernel", "stride", "low", "high", "images")
    return {"kind": "convolution", **dict(zip(names, shape))}


def operations(case):
    if case["kind"] == "product":
        return 2 * case["m"] * case["n"] * case["k"]
    places = [(case[side] + case["low"] + case["high"] - case["kernel"]) // case["stride"] + 1
              for side in ("height", "width")]
    return 2 * case["images"] * case["out"] * case["in"] * case["kernel"] ** 2 * places[0] * places[1]


def serve():
    """PyTorch's side: a line of JSON for every line of standard input."""
    import torch

    def prepared(case):
        dtype = torch.bfloat16 if case["dtype"] == "bf16" else torch.float32
        torch.manual_seed(0)
        if case["kind"] == "product":
            m, n, k = case["m"], case["n"], case["k"]
            a = torch.randn(*((k, m) if case["form"] == "dyt x" else (m, k))).to(dtype)
            b = torch.randn(*((n, k) if case["form"] == "x Wt" else (k, n))).to(dtype)
            a = a.t() if case["form"] == "dyt x" else a
            b = b.t() if case["form"] == "x Wt" else b
            return lambda: torch.mm(a, b)
        x = torch.randn(case["images"], case["in"], case["height"], case["width"]).to(dtype)
        w = torch.randn(case["out"], case["in"], case["kernel"], case["kernel"]).to(dtype)
        padding = case["low"]
        if case["high"] != case["low"]:
            # Padded before the clock runs: its convolution knows only equal margins.
            x = torch.nn.functional.pad(x, (case["low"], case["high"], case["low"], case["high"]))
            padding = 0
        return lambda: torch.nn.functional.conv2d(x, w, stride=case["stride"], padding=padding)

    def measured(step, calls):
        begin = time.perf_counter()
        for _ in range(calls):
            step()
        return (time.perf_counter() - begin) / calls

    with torch.inference_mode():
        for line in sys.stdin:
            case = json.loads(line)
            torch.set_num_threads(case["threads"])
            step = prepared(case)
            begin, least = time.perf_counter(), measured(step, 1)
            while time.perf_counter() - begin < 0.04:
                least = min(least, measured(step, 1))
            calls = max(1, int(2e-3 / max(least, 1e-7)))
            samples = [measured(step, calls) for _ in range(case["samples"])]
            print(json.dumps({"ms": statistics.median(samples) * 1e3}), flush=True)


def ask(side, case):
    side.stdin.write(json.dumps(case) + "\n")
    side.stdin.flush()
    answer = side.stdout.readline()
    if not answer:
        sys.exit(f"no answer to {case}")
    # Threads of the side that has answered look for work for a moment.
    time.sleep(0.01)
    return json.loads(answer)["ms"]


def figures(a, sides, case, label, figure):
    """One row: every side's figure, and how much longer each of the others takes than the first, turn by turn."""
    cells = []
    for dtype in a.dtypes:
        for threads in a.threads:
            asked = {**case, "dtype": dtype, "threads": threads, "samples": a.samples}
            times = [[ask(side, {**asked, **more}) for side, more in sides] for _ in range(a.turns)]
            medians = [figure(case, statistics.median(column)) for column in zip(*times)]
            ratios = [statistics.median(t[i] / t[0] for t in times) for i in range(1, len(sides))]
            cells.append(" / ".join(medians) + ": " + " ".join(f"{ratio:.2f}" for ratio in ratios))
    print("| " + " | ".join(label + cells) + " |", flush=True)


def table(a):
    sides = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
             for command in ([a.bench, "kernels"], [sys.executable, __file__, "--serve"])]
    runs = [(dtype, threads) for dtype in a.dtypes for threads in a.threads]
    heads = [f"{dtype}, {threads} thread{'s' * (threads > 1)}" for dtype, threads in runs]

    both = [(side, {}) for side in sides]

    def rate(case, ms):
        return f"{operations(case) / ms / 1e6:.0f}"

    if "products" in a.kinds:
        print("GFLOP/s, ours / PyTorch: ratio\n")
        print("| product | m, n, k | " + " | ".join(heads) + " |\n" + "|---" * (len(heads) + 2) + "|")
        for shape in PRODUCTS:
            name, form, m, n, k = shape
            if all(word in f"{name} ({form})" for word in a.only):
                figures(a, both, product_case(shape), [f"{name} ({form})", f"{m}, {n}, {k}"], rate)
    if "convolutions" in a.kinds:
        print("\nmilliseconds, ours / PyTorch: ratio\n")
        print("| in, out, pixels, window | " + " | ".join(heads) + " |\n" + "|---" * (len(heads) + 1) + "|")
        for shape in CONVOLUTIONS:
            inputs, outputs, height, width, window, stride, low, high, images = shape
            label = f"{inputs}, {outputs}, {height} x {width}, {window} x {window}"
            label += f", stride {stride}" * (stride > 1) + ", padded behind" * (high > low)
            label += f", {images} images" * (images > 1)
            if all(word in label for word in a.only):
                figures(a, both, convolution_case(shape), [label], lambda case, ms: f"{ms:.2f}")
    if "engines" in a.kinds:
        engines = [(sides[0], {"engine": name}) for name in ("kernels", "onednn", "packed")]
        print("\nGFLOP/s, our kernels / oneDNN linked / with the right operand laid out ahead: ratios to ours\n")
        print("| product | m, n, k | " + " | ".join(heads) + " |\n" + "|---" * (len(heads) + 2) + "|")
        for shape in PRODUCTS:
            name, form, m, n, k = shape
            if all(word in f"{name} ({form})" for word in a.only):
                figures(a, engines, product_case(shape), [f"{name} ({form})", f"{m}, {n}, {k}"], rate)
    for side in sides:
        side.stdin.close()
        side.wait()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--serve", action="store_true", help="PyTorch's side, which answers lines of standard input")
    parser.add_argument("--bench", default=".build/release/diptych-bench")
    parser.add_argument("--kinds", nargs="+", choices=["products", "convolutions", "engines"],
                        default=["products", "convolutions", "engines"])
    parser.add_argument("--only", nargs="+", default=[], help="words that the name of a row has")
    parser.add_argument("--dtypes", nargs="+", choices=["f32", "bf16"], default=["f32", "bf16"])
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--samples", type=int, default=3)
    a = parser.parse_args()
    serve() if a.serve else table(a)


if __name__ == "__main__":
    main()
