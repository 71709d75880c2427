"""Reference values of the frozen FLUX transformer, from diffusers.

Reads the tiny pipeline and the inputs that make_fixtures.py wrote and adds, in `flux.safetensors`, the base model's
output, the states after every block, and gradients of the flow-matching loss; and in `flux-variant` a second, even
smaller model of other proportions without guidance embedding, together with its inputs, output and gradients.

    pip install torch diffusers
    python make_flux_fixtures.py --fixtures ../Fixtures

Weights are bfloat16; everything is computed in float32 from the rounded values.
"""
import argparse, json, os
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"
import torch
import torch.nn.functional as F
from diffusers import FluxTransformer2DModel
from safetensors import torch as safetensors

WEIGHTS = [  # one of every kind that gradients take another way to
    "x_embedder.weight", "context_embedder.bias", "time_text_embed.timestep_embedder.linear_1.weight",
    "time_text_embed.text_embedder.linear_2.bias", "transformer_blocks.0.norm1.linear.bias",
    "transformer_blocks.0.norm1_context.linear.bias", "transformer_blocks.0.attn.to_q.weight",
    "transformer_blocks.0.attn.norm_added_k.weight", "transformer_blocks.0.attn.to_add_out.bias",
    "transformer_blocks.0.ff_context.net.0.proj.bias", "transformer_blocks.0.ff.net.2.weight",
    "single_transformer_blocks.0.norm.linear.bias", "single_transformer_blocks.0.attn.norm_q.weight",
    "single_transformer_blocks.1.proj_mlp.bias", "single_transformer_blocks.1.proj_out.weight",
    "norm_out.linear.weight", "proj_out.bias",
]


def save(tensors, path, metadata=None):
    safetensors.save_file({k: x.detach().float().contiguous() for k, x in tensors.items()}, path, metadata)


def linear_names(model):
    return [name for name, m in model.named_modules() if isinstance(m, torch.nn.Linear)]


def run(model, i, guidance, traced=False):
    """Output, loss and (optionally) the states after each block; latents and text want gradients."""
    t = i["t"][:, None, None]
    latents = torch.cat([(1 - t) * i["x0"] + t * i["noise"], i["cond"]], -1).requires_grad_()
    text, pooled = i["text"].clone().requires_grad_(), i["pooled"].clone().requires_grad_()
    states, hooks = {}, []
    if traced:
        def keep(name):
            def hook(_, __, out):
                states[f"{name}.text"], states[f"{name}.image"] = out
            return hook
        for n, block in enumerate(model.transformer_blocks):
            hooks.append(block.register_forward_hook(keep(f"transformer_blocks.{n}")))
        for n, block in enumerate(model.single_transformer_blocks):
            hooks.append(block.register_forward_hook(keep(f"single_transformer_blocks.{n}")))
        hooks.append(model.time_text_embed.register_forward_hook(
            lambda _, __, out: states.__setitem__("time_text_embed", out)))
    out = model(hidden_states=latents, timestep=i["t"],
                guidance=None if guidance is None else torch.full_like(i["t"], guidance), pooled_projections=pooled,
                encoder_hidden_states=text, txt_ids=i["txt_ids"], img_ids=i["img_ids"], return_dict=False)[0]
    for h in hooks:
        h.remove()
    model.zero_grad()
    loss = F.mse_loss(out, i["noise"] - i["x0"])
    loss.backward()
    return out, loss, states, {"latents": latents.grad, "text": text.grad, "pooled": pooled.grad}


def gradients(model, inputs):
    named = dict(model.named_parameters())
    return {**{f"gradient.{n}": named[n].grad for n in WEIGHTS}, **{f"gradient.{n}": g for n, g in inputs.items()}}


def base(folder):
    model = FluxTransformer2DModel.from_pretrained(folder / "tiny-random-fill" / "transformer", torch_dtype=torch.float32)
    i = {k[3:]: x for k, x in safetensors.load_file(folder / "moe.before.top1" / "inputs.safetensors").items()
         if k.startswith("in.")}
    d = {}
    for guidance in (1.0, 30.0):
        out, loss, states, inputs = run(model, i, guidance, traced=guidance == 1.0)
        d[f"output.{guidance:.0f}"], d[f"loss.{guidance:.0f}"] = out, loss
        if guidance == 1.0:
            d |= {f"state.{n}": x for n, x in states.items()} | gradients(model, inputs)
    save(d, folder / "flux.safetensors", {"linear": json.dumps(linear_names(model))})


def variant(folder, seed):
    torch.manual_seed(seed)
    model = FluxTransformer2DModel(
        patch_size=1, in_channels=24, out_channels=8, num_layers=1, num_single_layers=2, attention_head_dim=20,
        num_attention_heads=2, joint_attention_dim=28, pooled_projection_dim=12, guidance_embeds=False,
        axes_dims_rope=(4, 6, 10))
    with torch.no_grad():  # the default init leaves norms at one and biases near zero: make every parameter matter
        for p in model.parameters():
            if p.ndim == 1:
                p.add_(0.1 * torch.randn_like(p))
            p.copy_(p.to(torch.bfloat16).float())
    batch, rows, cols, text = 3, 2, 5, 7
    ids = torch.zeros(rows, cols, 3)
    ids[..., 0] = 1
    ids[..., 1] += torch.arange(rows)[:, None]
    ids[..., 2] += torch.arange(cols)[None]
    i = dict(x0=torch.randn(batch, rows * cols, 8), noise=torch.randn(batch, rows * cols, 8),
             cond=torch.randn(batch, rows * cols, 16), t=torch.tensor([0.0, 0.41, 1.0]), text=torch.randn(batch, text, 28),
             pooled=torch.randn(batch, 12), img_ids=ids.reshape(-1, 3), txt_ids=torch.zeros(text, 3))
    out, loss, _, inputs = run(model, i, None)
    save({**{f"in.{n}": x for n, x in i.items()}, "output": out, "loss": loss} | gradients(model, inputs),
         folder / "flux-variant.safetensors", {"linear": json.dumps(linear_names(model))})
    model.to(torch.bfloat16).save_pretrained(folder / "flux-variant", safe_serialization=True)


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--fixtures", type=Path, default=Path("Tests/Fixtures"))
    a.add_argument("--seed", type=int, default=0)
    o = a.parse_args()
    base(o.fixtures)
    variant(o.fixtures, o.seed)


if __name__ == "__main__":
    main()
