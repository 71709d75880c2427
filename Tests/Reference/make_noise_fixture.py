"""Pictures of ten seeds from diffusers' FluxFillPipeline as it comes, with nothing replaced, and PyTorch's bfloat16 normals.

Takes the tiny pipeline and the photograph that make_fixtures.py wrote, and writes noise.safetensors: `picture.{seed}`, the
canvas of 8-bit pixels that the pipeline gives for a CPU generator of that seed, `randn.{seed}.{count}` in bfloat16, and what
the pipeline drew on the way of the first seed: `noise` (packed) and `masked` (packed latents of the masked canvas).

    pip install torch diffusers transformers sentencepiece
    python make_noise_fixture.py --fixtures ../Fixtures
"""
import argparse, os
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"
import diffusers
import numpy as np
import torch
from diffusers import FluxFillPipeline
from PIL import Image
from safetensors.torch import save_file

PROMPT = ("A diptych with two side-by-side images of the same scene. "
          "On the right, the scene is exactly the same as on the left but make the cat blue")
SIDE, STEPS, GUIDANCE, LENGTH = 32, 3, 30.0, 64
SEEDS = [0, 1, 2, 3, 4, 5, 42, 1234, 2**31, 2**32 - 1]


@torch.no_grad()
def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fixtures", type=Path, required=True)
    folder = parser.parse_args().fixtures
    pipe = FluxFillPipeline.from_pretrained(folder / "tiny-random-fill", torch_dtype=torch.float32)
    pipe.set_progress_bar_config(disable=True)
    source = Image.open(folder / "source.png").convert("RGB").crop((16, 16, 16 + SIDE, 16 + SIDE))
    canvas = Image.new("RGB", (2 * SIDE, SIDE))
    canvas.paste(source, (0, 0))
    canvas.paste(source, (SIDE, 0))
    mask = np.zeros((SIDE, 2 * SIDE), np.uint8)
    mask[:, SIDE:] = 255

    seen = {}

    def look(module, args, kwargs):
        given = kwargs["hidden_states"]
        seen.setdefault("noise", given[..., :64].clone())
        seen.setdefault("masked", given[..., 64:128].clone())

    pipe.transformer.register_forward_pre_hook(look, with_kwargs=True)
    tensors = {}
    for seed in SEEDS:
        picture = pipe(
            prompt=PROMPT, image=canvas, mask_image=Image.fromarray(mask), height=SIDE, width=2 * SIDE,
            guidance_scale=GUIDANCE, num_inference_steps=STEPS, max_sequence_length=LENGTH,
            generator=torch.Generator("cpu").manual_seed(seed)).images[0]
        tensors[f"picture.{seed}"] = torch.from_numpy(np.asarray(picture).copy())
    tensors |= {name: value.contiguous() for name, value in seen.items()}
    for seed in (0, 42):
        for count in (5, 16, 4096):
            tensors[f"randn.{seed}.{count}"] = torch.randn(
                count, generator=torch.Generator().manual_seed(seed), dtype=torch.bfloat16)
    save_file(tensors, folder / "noise.safetensors", {"diffusers": diffusers.__version__, "prompt": PROMPT})


if __name__ == "__main__":
    main()
