"""Reference values of DoRA, from PEFT on diffusers' transformer.

Writes `dora/adapter_model.safetensors` and `dora/adapter_config.json`, a random DoRA of some layers of the tiny transformer as
PEFT saves it, and `dora/reference.safetensors`: PEFT's prediction for the inputs of `moe.before.top1`, the gradients of the
flow-matching loss by the adapter's keys (`gradient/…`), the losses and gradient norms of six steps of AdamW (`loss`, `norm`).

    pip install torch diffusers peft safetensors
    python make_dora_fixture.py --fixtures ../Fixtures --seed 0
"""
import argparse
from pathlib import Path

import safetensors.torch as safetensors
import torch
from diffusers import FluxTransformer2DModel
from peft import LoraConfig, get_peft_model, get_peft_model_state_dict

TARGETS = [
    "x_embedder", "transformer_blocks.0.norm1.linear", "transformer_blocks.0.attn.to_q", "transformer_blocks.0.attn.to_k",
    "transformer_blocks.0.attn.to_v", "transformer_blocks.1.ff.net.2", "single_transformer_blocks.0.proj_mlp",
    "single_transformer_blocks.2.proj_out",
]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--fixtures", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    a = parser.parse_args()
    torch.manual_seed(a.seed)
    base = FluxTransformer2DModel.from_pretrained(
        a.fixtures / "tiny-random-fill" / "transformer", torch_dtype=torch.float32)
    config = LoraConfig(r=4, lora_alpha=6, target_modules=TARGETS, use_dora=True)
    model = get_peft_model(base, config)
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        with torch.no_grad():
            if "lora_magnitude_vector" in name:
                parameter.mul_(1 + 0.2 * torch.randn_like(parameter))
            elif "lora_B" in name:
                parameter.normal_(std=0.1)
            else:
                parameter.normal_(std=0.2)
    out = a.fixtures / "dora"
    model.save_pretrained(out)
    (out / "README.md").unlink(missing_ok=True)

    i = {k: v for k, v in safetensors.load_file(a.fixtures / "moe.before.top1" / "inputs.safetensors").items()}
    t = i["in.t"].reshape(-1, 1, 1)
    noisy = i["in.x0"] * (1 - t) + i["in.noise"] * t
    velocity = i["in.noise"] - i["in.x0"]

    def forward():
        return model(
            hidden_states=torch.cat([noisy, i["in.cond"]], dim=-1), encoder_hidden_states=i["in.text"],
            pooled_projections=i["in.pooled"], timestep=i["in.t"], guidance=torch.ones_like(i["in.t"]),
            img_ids=i["in.img_ids"], txt_ids=i["in.txt_ids"], return_dict=False)[0]

    result = {}
    with torch.no_grad():
        result["prediction"] = forward()
    parameters = {n: p for n, p in model.named_parameters() if p.requires_grad}
    optimizer = torch.optim.AdamW(parameters.values(), lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01)
    losses, norms = [], []
    for step in range(6):
        optimizer.zero_grad()
        loss = torch.nn.functional.mse_loss(forward(), velocity)
        loss.backward()
        if step == 0:
            state = {n: p.grad.clone() for n, p in parameters.items()}
            keys = get_peft_model_state_dict(model, state_dict=state)
            result |= {f"gradient/{k}": v.contiguous() for k, v in keys.items()}
        losses.append(loss.item())
        norms.append(torch.stack([p.grad.norm() for p in parameters.values()]).norm().item())
        optimizer.step()
    result["loss"], result["norm"] = torch.tensor(losses), torch.tensor(norms)
    safetensors.save_file(result, out / "reference.safetensors")
    print(losses, norms)


if __name__ == "__main__":
    main()
