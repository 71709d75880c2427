"""Reference values of encoders that differ from FLUX's in what their configurations leave open, from diffusers and
transformers.

Writes `encoder-variant`: an autoencoder of three resolutions with both 1 x 1 convolutions, no shift and older attention
names; a CLIP text encoder with exact GELU, an end token that the older rule finds, and keys without `text_model.`; a T5
encoder whose heads together are narrower than a token, with other buckets, in float16. `encoder-variant.safetensors`
holds inputs and outputs, gradients of the autoencoder's two halves, and T5's buckets for FLUX's settings.

    pip install torch diffusers transformers
    python make_encoder_fixtures.py --fixtures ../Fixtures

Everything is computed in float32 from the rounded weights.
"""
import argparse, json, os
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"
import torch
from diffusers import AutoencoderKL
from safetensors import torch as safetensors
from transformers import CLIPTextConfig, CLIPTextModel, T5Config, T5EncoderModel
from transformers.models.t5.modeling_t5 import T5Attention


def save_file(tensors, path):
    safetensors.save_file({k: x.detach().contiguous() for k, x in tensors.items()}, path)


def randomized(model, dtype, gain=1.0):
    """Weights that make every part matter: norms near 1, products of unit size, values rounded to `dtype`."""
    for name, p in model.named_parameters():
        if p.dim() > 1:
            p.data = torch.randn_like(p) * gain / p[0].numel() ** 0.5 if "embed" not in name else torch.randn_like(p) * 0.5
        else:
            p.data = torch.randn_like(p) * 0.1 + ("norm" in name and name.endswith("weight"))
    return model.to(dtype).float().eval()


def write_model(folder, config, weights, dtype, filename):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
    save_file({k: v.to(dtype) for k, v in weights.items()}, folder / filename)


def autoencoder(folder):
    config = dict(
        in_channels=3, out_channels=3, latent_channels=4, block_out_channels=[8, 12, 12], layers_per_block=2,
        norm_num_groups=4, down_block_types=["DownEncoderBlock2D"] * 3, up_block_types=["UpDecoderBlock2D"] * 3,
        scaling_factor=0.18215, sample_size=32)
    model = randomized(AutoencoderKL(**config), torch.float16)
    older = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
    weights = {}
    for name, value in model.state_dict().items():
        for new, old in older.items():
            name = name.replace(f"attentions.0.{new}.", f"attentions.0.{old}.")
        weights[name] = value
    write_model(folder / "vae", config | {"_class_name": "AutoencoderKL", "act_fn": "silu"}, weights, torch.float16,
                "diffusion_pytorch_model.safetensors")
    image = (torch.rand(1, 3, 12, 20) * 2 - 1).requires_grad_()
    posterior = model.encode(image).latent_dist
    out = {"vae.image": image, "vae.mean": posterior.mean, "vae.logvar": posterior.logvar}
    seed = torch.randn(1, 8, *posterior.mean.shape[2:])
    (torch.cat([posterior.mean, posterior.logvar], 1) * seed).sum().backward()
    latent = torch.randn(2, 4, 3, 5).requires_grad_()
    decoded = model.decode(latent).sample
    image_seed = torch.randn_like(decoded)
    (decoded * image_seed).sum().backward()
    return out | {"vae.moments_seed": seed, "vae.image_gradient": image.grad, "vae.latent": latent,
                  "vae.decoded": decoded, "vae.decoded_seed": image_seed, "vae.latent_gradient": latent.grad}


def clip(folder):
    config = CLIPTextConfig(vocab_size=90, hidden_size=24, intermediate_size=40, num_hidden_layers=3,
                            num_attention_heads=3, max_position_embeddings=16, hidden_act="gelu", layer_norm_eps=1e-4,
                            eos_token_id=2, bos_token_id=0, pad_token_id=1)
    model = randomized(CLIPTextModel(config), torch.float32, gain=2.0)
    weights = {k.removeprefix("text_model."): v for k, v in model.state_dict().items()}
    weights["embeddings.position_ids"] = torch.arange(16.0)[None]  # as older versions saved it
    weights["text_projection.weight"] = torch.zeros(8, 24)
    write_model(folder / "text_encoder", config.to_dict() | {"architectures": ["CLIPTextModelWithProjection"]},
                weights, torch.float32, "model.safetensors")
    ids = torch.randint(3, 89, (3, 11))
    for row, end in enumerate((4, 10, 7)):
        ids[row, end:] = 89
    ids[0, 1] = 2  # the id that the configuration claims to be the end
    out = model(ids)
    return {"clip.ids": ids.int(), "clip.hidden": out.last_hidden_state, "clip.pooled": out.pooler_output}


def t5(folder):
    config = T5Config(vocab_size=70, d_model=20, d_kv=6, d_ff=30, num_layers=2, num_heads=3,
                      relative_attention_num_buckets=16, relative_attention_max_distance=20, layer_norm_epsilon=1e-5,
                      feed_forward_proj="gated-gelu")
    model = randomized(T5EncoderModel(config), torch.float16)
    weights = {k: v for k, v in model.state_dict().items() if k != "shared.weight"}
    weights["encoder.embed_tokens.weight"] = model.shared.weight
    write_model(folder / "text_encoder_2", config.to_dict() | {"architectures": ["T5EncoderModel"]}, weights,
                torch.float16, "model.safetensors")
    ids = torch.randint(0, 70, (2, 43))
    offsets = torch.arange(-600, 601)
    buckets = T5Attention._relative_position_bucket(offsets, num_buckets=32, max_distance=128)
    return {"t5.ids": ids.int(), "t5.hidden": model(ids).last_hidden_state, "t5.buckets": buckets.int()}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--fixtures", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    folder = args.fixtures / "encoder-variant"
    save_file(autoencoder(folder) | clip(folder) | t5(folder), args.fixtures / "encoder-variant.safetensors")


if __name__ == "__main__":
    main()
