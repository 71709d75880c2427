#!/bin/sh
# The main job on an embedded default: photo pairs, a LoRA-MoE trained on a tiny random FLUX.1-Fill pipeline, one stop
# and resume, the routing, an exported file, a photograph edited with and without the adapter. Needs a built `diptych`.
set -eu

diptych=${1:-.build/release/diptych}
out=Demo
base=Tests/Fixtures/tiny-random-fill
photo=Datasets/photos/chelsea.png
instruction="make the cat blue"

say() { printf '\n== %s\n' "$*"; }

rm -rf "$out"
mkdir -p "$out"

say "1. Edit pairs from photographs"
"$diptych" data photo-edits --photos Datasets/photos --count 48 --size 128 --seed 1 --out "$out/pairs"

say "2. Train a LoRA-MoE; it is interrupted on the way, as Ctrl-C would do"
"$diptych" train Configs/demo.yaml &
training=$!
trap 'kill "$training" 2>/dev/null || true' EXIT
lines=0
while [ "$lines" -lt 120 ] && kill -0 "$training" 2>/dev/null; do
    sleep 0.2
    lines=$(wc -l 2>/dev/null <"$out/run/metrics.jsonl" || echo 0)
done
kill -INT "$training" 2>/dev/null || true
status=0
wait "$training" || status=$?
trap - EXIT
if [ "$status" -ne 130 ] && [ "$status" -ne 0 ]; then exit "$status"; fi

say "3. Resume"
"$diptych" train "$out/run" --resume

say "4. Export what other programs load"
"$diptych" export "$out/run" --format icedit -o "$out/adapter.safetensors"
"$diptych" inspect "$out/adapter.safetensors" --limit 4

say "5. Edit a photograph, without and with the adapter"
for strength in 0 1; do
    "$diptych" edit --base "$base" --adapter "$out/adapter.safetensors" --strength "$strength" \
        --image "$photo" --instruction "$instruction" --panel-width 128 --steps 8 --max-sequence-length 64 --seed 42 \
        -o "$out/edited-strength-$strength.png" --save-diptych "$out/diptych-strength-$strength.png"
done

say "Done"
cat <<TEXT
The base is a tiny model with random weights, so the pictures are abstract; the way to them is the real one.
  $out/pairs                       the edit pairs
  $out/run/metrics.jsonl           one line a step: loss, balance, routing
  $out/run/checkpoints             what training resumes from
  $out/adapter.safetensors         the adapter
  $out/diptych-strength-0.png      the base alone
  $out/diptych-strength-1.png      the same noise with the adapter
TEXT
