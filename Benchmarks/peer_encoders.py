#!/usr/bin/env python3
"""Peer baseline: FLUX's autoencoder, T5 and CLIP of diffusers and transformers with random weights on the processor.

    python peer_encoders.py --model vae-decode --size 512 --dtype bf16       # one measurement, a line of JSON
    python peer_encoders.py --bench .build/release/diptych-bench             # both sides in turns, a table
"""
import argparse
import json
import resource
import statistics
import sys
import time


def run(a):
    import torch
    torch.set_num_threads(a.threads)
    torch.manual_seed(0)
    dtype = torch.bfloat16 if a.dtype == "bf16" else torch.float32
    size = a.size or (77 if a.model == "clip" else 512)
    if a.model.startswith("vae"):
        from diffusers import AutoencoderKL
        model = AutoencoderKL(
            block_out_channels=(128, 256, 512, 512), down_block_types=("DownEncoderBlock2D",) * 4,
            up_block_types=("UpDecoderBlock2D",) * 4, layers_per_block=2, latent_channels=16, norm_num_groups=32,
            use_quant_conv=False, use_post_quant_conv=False).to(dtype).eval()
        width = a.width or size
        if a.tiling:
            model.enable_tiling()
        if a.model == "vae-encode":
            x = torch.randn(1, 3, size, width).to(dtype)
            step = lambda: model.encode(x).latent_dist.mean
        else:
            x = torch.randn(1, 16, size // 8, width // 8).to(dtype)
            step = lambda: model.decode(x).sample
    elif a.model == "t5":
        from transformers import T5Config, T5EncoderModel
        torch.set_default_dtype(dtype)
        model = T5EncoderModel(T5Config(
            vocab_size=32128, d_model=4096, d_kv=64, d_ff=10240, num_layers=a.layers, num_heads=64,
            feed_forward_proj="gated-gelu")).eval()
        x = torch.arange(size).mul(61).remainder(32000)[None]
        step = lambda: model(x).last_hidden_state
    else:
        from transformers import CLIPTextConfig, CLIPTextModel
        model = CLIPTextModel(CLIPTextConfig(
            hidden_size=768, intermediate_size=3072, num_hidden_layers=12, num_attention_heads=12)).to(dtype).eval()
        x = torch.arange(size).mul(61).remainder(49000)[None]
        step = lambda: model(x).pooler_output
    times = []
    with torch.no_grad():
        if not a.cold:
            step()
        for _ in range(a.reps):
            begin = time.perf_counter()
            step()
            times.append(time.perf_counter() - begin)
    print(json.dumps({
        "model": a.model, "height": size, "dtype": a.dtype, "ms": statistics.median(times) * 1e3,
        "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024}))


def table(a):
    from bench_peer import measure
    print("| encoder | size | type | ours ms | GFLOP/s | PyTorch ms | PyTorch / ours | ours MB | PyTorch MB |")
    print("|---|---|---|---|---|---|---|---|---|")
    texts = {"clip": 77, "t5": 512}
    cases = [(model, size) for model in a.models for size in ([texts[model]] if model in texts else a.sizes)]
    for model, size in cases:
        for dtype in a.dtypes:
            flags = ["--model", model, "--size", str(size), "--dtype", dtype, "--layers", str(a.layers)]
            flags += ["--reps", str(a.reps), "--threads", str(a.threads)]
            ours, theirs = [], []
            for _ in range(a.turns):
                ours.append(measure([a.bench, "encoders", *flags]))
                theirs.append(measure([sys.executable, __file__, *flags]))
            ratio = statistics.median(t["ms"] / o["ms"] for o, t in zip(ours, theirs))
            ms, mb = [[statistics.median(r[key] for r in side) for side in (ours, theirs)]
                      for key in ("ms", "peak_rss_mb")]
            rate = statistics.median(o["gflops"] for o in ours)
            print(f"| {model} | {size} | {dtype} | {ms[0]:.1f} | {rate:.0f} | {ms[1]:.1f} | {ratio:.2f} | {mb[0]:.0f} "
                  f"| {mb[1]:.0f} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=["vae-encode", "vae-decode", "t5", "clip"], default="vae-decode")
    parser.add_argument("--size", type=int, default=0)
    parser.add_argument("--width", type=int, default=0)
    parser.add_argument("--dtype", choices=["f32", "bf16"], default="bf16")
    parser.add_argument("--layers", type=int, default=2, help="blocks of T5; the true encoder has 24")
    parser.add_argument("--tiling", action="store_true")
    parser.add_argument("--cold", action="store_true", help="without a first run that is not counted")
    parser.add_argument("--reps", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--bench", help="our program: prints the table of all cases instead")
    parser.add_argument("--models", nargs="+", default=["clip", "t5", "vae-encode", "vae-decode"])
    parser.add_argument("--sizes", type=int, nargs="+", default=[256, 512])
    parser.add_argument("--dtypes", nargs="+", default=["f32", "bf16"])
    parser.add_argument("--turns", type=int, default=3)
    a = parser.parse_args()
    table(a) if a.bench else run(a)


if __name__ == "__main__":
    main()
