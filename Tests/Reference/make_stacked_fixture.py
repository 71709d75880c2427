"""Reference values of an edit whose panels lie one above the other, from diffusers' FluxFillPipeline.

Takes the tiny pipeline and the photograph that make_fixtures.py wrote, cuts a wide panel out of it, and writes
edit-stacked.safetensors: the noise, what the transformer is told besides it (masked image and mask, places of the tokens), the
latents after each step and the picture.

    pip install torch diffusers transformers sentencepiece
    python make_stacked_fixture.py --fixtures ../Fixtures --seed 0
"""
import argparse, os
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"
import numpy as np
import torch
from PIL import Image
from safetensors import torch as safetensors

PREFIX = ("A diptych with two vertically stacked images of the same scene. "
          "On the bottom, the scene is exactly the same as on the top but ")
WIDTH, HEIGHT, STEPS, GUIDANCE = 64, 48, 4, 30.0


class Mode:
    """The mode of a posterior in the place of draws from it, so that nothing but the noise is random."""

    def __init__(self, distribution):
        self.latent_dist, self.mean = self, distribution.mean

    def sample(self, generator=None):
        return self.mean

    def mode(self):
        return self.mean


@torch.no_grad()
def edit(fixtures, seed):
    from diffusers import FluxFillPipeline
    pipe = FluxFillPipeline.from_pretrained(fixtures / "tiny-random-fill", torch_dtype=torch.float32)
    pipe.set_progress_bar_config(disable=True)
    source = Image.open(fixtures / "source.png").convert("RGB").crop((0, 8, WIDTH, 8 + HEIGHT))
    canvas = Image.new("RGB", (WIDTH, 2 * HEIGHT))
    canvas.paste(source, (0, 0))
    canvas.paste(source, (0, HEIGHT))
    mask = np.zeros((2 * HEIGHT, WIDTH), np.uint8)
    mask[HEIGHT:] = 255

    encode = pipe.vae.encode
    pipe.vae.encode = lambda x: Mode(encode(x).latent_dist)
    seen, trace = {}, []

    def look(module, args, kwargs):
        seen["condition"] = kwargs["hidden_states"][..., 64:].clone()
        seen["img_ids"] = kwargs["img_ids"].clone()

    def keep(pipe, step, time, values):
        trace.append(values["latents"].clone())
        return values

    pipe.transformer.register_forward_pre_hook(look, with_kwargs=True)
    prompt = PREFIX + "make the cat blue"
    image = pipe(prompt=prompt, image=canvas, mask_image=Image.fromarray(mask), height=2 * HEIGHT, width=WIDTH,
                 guidance_scale=GUIDANCE, num_inference_steps=STEPS, max_sequence_length=96,
                 generator=torch.Generator("cpu").manual_seed(seed), output_type="np", callback_on_step_end=keep,
                 callback_on_step_end_tensor_inputs=["latents"]).images[0]
    noise = torch.randn(1, 16, 2 * HEIGHT // 8, WIDTH // 8, generator=torch.Generator("cpu").manual_seed(seed))
    tensors = {"noise": noise, "image": torch.from_numpy(np.ascontiguousarray(image)), **seen,
               **{f"latents.{step}": x for step, x in enumerate(trace)}}
    safetensors.save_file({name: x.contiguous() for name, x in tensors.items()}, fixtures / "edit-stacked.safetensors",
                          {"prompt": prompt, "seed": str(seed), "steps": str(STEPS), "guidance": "30"})


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--fixtures", type=Path, default=Path("."))
    arguments.add_argument("--seed", type=int, default=0)
    found = arguments.parse_args()
    edit(found.fixtures, found.seed + 42)


if __name__ == "__main__":
    main()
