#!/bin/sh
# Kills a training run with SIGKILL, resumes it, and compares its losses with those of a run that was never stopped.
set -eu

diptych=${1:-.build/release/diptych}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
settings="--set data.path=Datasets/photo-edits --set training.steps=60 --set output.checkpoint_every=10"

# The settings are meant to be split into words.
"$diptych" train Configs/demo.yaml $settings --set output.folder="$work/whole" >/dev/null 2>&1

"$diptych" train Configs/demo.yaml $settings --set output.folder="$work/killed" >/dev/null 2>&1 &
training=$!
while [ "$(wc -l 2>/dev/null <"$work/killed/metrics.jsonl" || echo 0)" -lt 25 ]; do sleep 0.02; done
kill -9 "$training"
wait "$training" 2>/dev/null || true
echo "killed after step $(wc -l <"$work/killed/metrics.jsonl")"
"$diptych" train "$work/killed" --resume 2>/dev/null | grep resuming

# Everything but the times must be equal, digit for digit.
for run in whole killed; do
    sed -E 's/"(seconds|data_seconds|samples_per_second)":[^,}]*,?//g' "$work/$run/metrics.jsonl" >"$work/$run.losses"
done
lines=$(wc -l <"$work/whole.losses")
cmp "$work/whole.losses" "$work/killed.losses"
echo "$lines steps: losses, gradient norms and routing are equal bit for bit"
