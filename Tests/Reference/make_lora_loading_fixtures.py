"""Reference values of LoRAs whose loading PEFT and diffusers decide, from these two themselves.

Takes the tiny pipeline that make_fixtures.py wrote and the inputs of make_adapter_fixtures.py, and writes the folder lora-loading:

peft/                 what PEFT saves of an adapter whose patterns of ranks and alphas overlap, with rsLoRA:
                      adapter_model.safetensors and adapter_config.json
entrance.safetensors  a LoRA of x_embedder with the 64 inputs of FLUX.1 [dev], in diffusers' names, as diffusers puts it on Fill
outputs.safetensors   the transformer's output with each: `peft`, `entrance`, and the scale of each of PEFT's layers: `scale/{layer}`

    pip install torch diffusers transformers peft
    python make_lora_loading_fixtures.py --fixtures ../Fixtures
"""
import argparse, json, os
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"
import torch
from diffusers import FluxFillPipeline, FluxTransformer2DModel
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file


def randomize(model, seed):
    g = torch.Generator().manual_seed(seed)
    for name, parameter in model.named_parameters():
        if "lora_" in name:
            parameter.data = torch.randn(parameter.shape, generator=g) * 0.1


@torch.no_grad()
def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fixtures", type=Path, required=True)
    fixtures = parser.parse_args().fixtures
    folder = fixtures / "lora-loading"
    folder.mkdir(exist_ok=True)
    given = {name[6:]: x for name, x in load_file(fixtures / "adapters.safetensors").items() if name.startswith("input/")}
    run = lambda model: model(**given, txt_ids=torch.zeros(5, 3), return_dict=False)[0]
    outputs = {}

    base = FluxTransformer2DModel.from_pretrained(fixtures / "tiny-random-fill" / "transformer", torch_dtype=torch.float32)
    # Patterns that match the same layers: the first of the file decides, whatever the alphabet says.
    config = LoraConfig(
        r=4, lora_alpha=6, use_rslora=True, target_modules=["to_q", "to_k", "ff.net.2", "proj_out"],
        rank_pattern={"transformer_blocks.1.attn.to_q": 3, r"attn\.to_[qk]": 2, "proj_out": 5},
        alpha_pattern={r"transformer_blocks\.\d+\.attn\.to_q": 9, "to_q": 1, r".*\.ff\.net\.2": 2.5, "ff.net.2": 7})
    model = get_peft_model(base, config)
    randomize(model, 1)
    trained = run(model)
    model.save_pretrained(folder / "peft")
    (folder / "peft" / "README.md").unlink(missing_ok=True)
    path = folder / "peft" / "adapter_config.json"
    saved = json.loads(path.read_text())
    saved["base_model_name_or_path"] = "tiny-random-fill"
    # PEFT writes keys in alphabetical order, which may make another pattern the first; other writers do not.
    saved |= {"rank_pattern": config.rank_pattern, "alpha_pattern": config.alpha_pattern}
    saved["target_modules"] = sorted(saved["target_modules"])
    path.write_text(json.dumps(saved, indent=2) + "\n")
    base = FluxTransformer2DModel.from_pretrained(fixtures / "tiny-random-fill" / "transformer", torch_dtype=torch.float32)
    model = PeftModel.from_pretrained(base, folder / "peft")
    outputs["peft"] = run(model)
    assert torch.equal(outputs["peft"], trained)
    for name, module in model.base_model.model.named_modules():
        if hasattr(module, "scaling"):
            outputs[f"scale/{name}"] = torch.tensor(float(module.scaling["default"]))

    pipe = FluxFillPipeline.from_pretrained(fixtures / "tiny-random-fill", torch_dtype=torch.float32)
    g = torch.Generator().manual_seed(2)
    width = pipe.transformer.inner_dim
    lora = {"transformer.x_embedder.lora_A.weight": torch.randn(4, 64, generator=g) * 0.2,
            "transformer.x_embedder.lora_B.weight": torch.randn(width, 4, generator=g) * 0.2}
    save_file(lora, folder / "entrance.safetensors", {"format": "pt"})
    pipe.load_lora_weights(str(folder / "entrance.safetensors"))
    outputs["entrance"] = run(pipe.transformer)
    save_file({name: x.contiguous() for name, x in outputs.items()}, folder / "outputs.safetensors")


if __name__ == "__main__":
    main()
