#!/bin/sh
# Ten deliberately bad inputs: prints the command's message and its exit status for each. Needs the example data only.
set -u

diptych=${1:-.build/release/diptych}
base=Tests/Fixtures/tiny-random-fill
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
settings="--set data.path=Datasets/photo-edits --set training.steps=12 --set output.folder=$work/run"
# Plain words without spaces, meant to be split.
edit="$diptych edit --base $base --instruction bluer --steps 1 --panel-width 64 --max-sequence-length 16 -o $work/out.png"

attempt() {
    printf '\n%s\n' "$1"
    shift
    rm -rf "$work/run"
    "$@" >"$work/out" 2>"$work/err"
    status=$?
    grep -E '^error' "$work/err" | sed "s#$work#WORK#g; s/^/  /" | cut -c1-400
    echo "  exit status $status"
}

train() { "$diptych" train Configs/demo.yaml $settings "$@"; }

attempt "1. a missing file" $edit --image nowhere.png

cp -r "$base" "$work/cut"
head -c 100000 "$base/transformer/diffusion_pytorch_model.safetensors" >"$work/cut/transformer/diffusion_pytorch_model.safetensors"
attempt "2. a truncated safetensors file" train --set base.path="$work/cut"

cp -r "$base" "$work/wrong"
sed -i 's/"joint_attention_dim": 64/"joint_attention_dim": 80/' "$work/wrong/transformer/config.json"
attempt "3. tensors of the wrong shape" train --set base.path="$work/wrong"

sed 's/learning_rate:/learnin_rate:/; s/^  steps:/  step:/' Configs/demo.yaml >"$work/misspelled.yaml"
attempt "4. misspelled YAML keys" "$diptych" train "$work/misspelled.yaml" $settings

attempt "5. a loss that is not a number" train --set optimizer.learning_rate=0.1 --set optimizer.epsilon=1e-30 \
    --set optimizer.gradient_clip=0 --set adapter.lora.alpha=1e30

cp -r Datasets/photo-edits "$work/pairs"
first=$(ls "$work/pairs/source" | head -1)
head -c 500 "Datasets/photo-edits/source/$first" >"$work/pairs/source/$first"
attempt "6. an unreadable image" train --set data.path="$work/pairs"

mkdir "$work/empty"
: >"$work/empty/metadata.jsonl"
attempt "7. an empty dataset" train --set data.path="$work/empty"

# A limit on the size of files stands for a full disk; the first checkpoint does not fit.
printf '\n%s\n' "8. a full disk while checkpointing"
rm -rf "$work/run"
(
    ulimit -f 200
    trap '' XFSZ
    "$diptych" train Configs/demo.yaml $settings --set output.checkpoint_every=2 >"$work/out" 2>"$work/err"
    echo $? >"$work/status"
)
grep -E '^error' "$work/err" | sed "s#$work#WORK#g; s/^/  /" | cut -c1-400
echo "  exit status $(cat "$work/status"); checkpoints: $(ls -A "$work/run/checkpoints" 2>/dev/null | wc -l)"

attempt "9. top-k above the number of experts" train --set adapter.moe.top_k=5
attempt "10. a MoE pattern that matches nothing" train --set 'adapter.moe.targets=[transformer_blocks.*.ff.net.3]'
