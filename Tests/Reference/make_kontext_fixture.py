"""Reference values of an edit by FLUX.1 Kontext's framework, from diffusers' FluxKontextPipeline.

Takes the tiny pipeline and the photograph that make_fixtures.py wrote. Its transformer becomes one of Kontext's inputs by leaving
out all columns of x_embedder but the first 64, those of the latents; everything else stays, so that no weights are written.
kontext.safetensors holds the noise, the packed latents of the source, one velocity of the transformer, the gradients of a
flow-matching loss with respect to the noisy latents, the latents after each step and the picture.

    pip install torch diffusers transformers sentencepiece
    python make_kontext_fixture.py --fixtures ../Fixtures --seed 0
"""
import argparse, os
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"
import numpy as np
import torch
from PIL import Image
from safetensors import torch as safetensors

WIDTH, HEIGHT, STEPS, GUIDANCE = 64, 48, 4, 2.5
PROMPT = "make the cat blue"


def pipeline(fixtures):
    from diffusers import FluxFillPipeline, FluxKontextPipeline, FluxTransformer2DModel
    fill = FluxFillPipeline.from_pretrained(fixtures / "tiny-random-fill", torch_dtype=torch.float32)
    config = {k: v for k, v in fill.transformer.config.items() if not k.startswith("_")}
    transformer = FluxTransformer2DModel.from_config({**config, "in_channels": 64, "out_channels": 64})
    weights = fill.transformer.state_dict()
    weights["x_embedder.weight"] = weights["x_embedder.weight"][:, :64].clone()
    transformer.load_state_dict(weights)
    pipe = FluxKontextPipeline(scheduler=fill.scheduler, vae=fill.vae, text_encoder=fill.text_encoder, tokenizer=fill.tokenizer,
                               text_encoder_2=fill.text_encoder_2, tokenizer_2=fill.tokenizer_2, transformer=transformer.eval())
    pipe.set_progress_bar_config(disable=True)
    return pipe


def edit(pipe, source, seed):
    seen, trace = [], []

    def look(module, args, kwargs):
        seen.append({k: kwargs[k].clone() for k in ("hidden_states", "img_ids", "timestep", "guidance",
                                                     "encoder_hidden_states", "pooled_projections", "txt_ids")})

    def keep(pipe, step, time, values):
        trace.append(values["latents"].clone())
        return values

    handle = pipe.transformer.register_forward_pre_hook(look, with_kwargs=True)
    with torch.no_grad():
        image = pipe(image=source, prompt=PROMPT, height=HEIGHT, width=WIDTH, guidance_scale=GUIDANCE,
                     num_inference_steps=STEPS, max_sequence_length=96, max_area=WIDTH * HEIGHT, _auto_resize=False,
                     generator=torch.Generator("cpu").manual_seed(seed), output_type="np", callback_on_step_end=keep,
                     callback_on_step_end_tensor_inputs=["latents"]).images[0]
    handle.remove()
    return image, seen[0], trace


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fixtures", type=Path, default=Path("."))
    parser.add_argument("--seed", type=int, default=0)
    found = parser.parse_args()
    pipe = pipeline(found.fixtures)
    source = Image.open(found.fixtures / "source.png").convert("RGB").crop((0, 8, WIDTH, 8 + HEIGHT))
    image, first, trace = edit(pipe, source, found.seed + 42)
    tokens = (WIDTH // 16) * (HEIGHT // 16)
    states = first["hidden_states"]

    # One pass with a gradient: the loss of a training step, of which the source's tokens have no share.
    noisy = states[:, :tokens].clone().requires_grad_(True)
    joined = torch.cat([noisy, states[:, tokens:]], 1)
    velocity = pipe.transformer(hidden_states=joined, timestep=torch.tensor([0.7]), guidance=first["guidance"],
                                encoder_hidden_states=first["encoder_hidden_states"], txt_ids=first["txt_ids"],
                                pooled_projections=first["pooled_projections"], img_ids=first["img_ids"],
                                return_dict=False)[0][:, :tokens]
    target = torch.randn(velocity.shape, generator=torch.Generator("cpu").manual_seed(found.seed))
    (velocity - target).square().mean().backward()
    tensors = {"noise": states[:, :tokens], "source": states[:, tokens:], "img_ids": first["img_ids"],
               "text": first["encoder_hidden_states"], "pooled": first["pooled_projections"],
               "velocity": velocity.detach(), "target": target, "gradient": noisy.grad,
               "image": torch.from_numpy(np.ascontiguousarray(image)),
               **{f"latents.{step}": x for step, x in enumerate(trace)}}
    safetensors.save_file({name: x.contiguous() for name, x in tensors.items()}, found.fixtures / "kontext.safetensors",
                          {"prompt": PROMPT, "seed": str(found.seed + 42), "steps": str(STEPS), "guidance": str(GUIDANCE),
                           "time": "0.7"})


if __name__ == "__main__":
    main()
