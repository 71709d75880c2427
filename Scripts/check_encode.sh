#!/bin/sh
# Kills `diptych data encode` with SIGKILL again and again, lets it finish, and compares the cache with one that was never
# interrupted; then trains from both and without any, and compares the losses.
set -eu

diptych=${1:-.build/release/diptych}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$diptych" data photo-edits --photos Datasets/photos --count 400 --size 128 --seed 3 --out "$work/pairs" >/dev/null
settings="--set data.path=$work/pairs --set data.cache_precision=float32 --set training.steps=40 --set output.checkpoint_every=10"

# The settings are meant to be split into words.
"$diptych" data encode --config Configs/demo.yaml $settings --set output.folder="$work/run" --out "$work/whole"

kills=0
wait=0.4
while :; do
    "$diptych" data encode --config Configs/demo.yaml $settings --set output.folder="$work/run" --out "$work/killed" \
        >"$work/said" 2>&1 &
    encoding=$!
    sleep "$wait"
    kill -9 "$encoding" 2>/dev/null && kills=$((kills + 1))
    status=0
    wait "$encoding" 2>/dev/null || status=$?
    [ "$status" -eq 137 ] || break
    wait=$(awk "BEGIN { print $wait * 1.3 }")
done
cat "$work/said"
[ "$status" -eq 0 ] || exit "$status"
diff -r "$work/whole" "$work/killed"
echo "killed $kills times: the cache equals an unbroken one, byte for byte"

losses() { sed -E 's/"(seconds|data_seconds|samples_per_second)":[^,}]*,?//g' "$1/metrics.jsonl"; }
"$diptych" train Configs/demo.yaml $settings --set output.folder="$work/plain" >/dev/null 2>&1
"$diptych" train Configs/demo.yaml $settings --set output.folder="$work/cached" --set data.cache="$work/killed" \
    >/dev/null 2>&1
losses "$work/plain" >"$work/plain.losses"
losses "$work/cached" >"$work/cached.losses"
cmp "$work/plain.losses" "$work/cached.losses"
echo "40 steps from the cache: losses equal those without it, bit for bit"

# The same from the cache, killed in the middle of an epoch and resumed.
"$diptych" train Configs/demo.yaml $settings --set output.folder="$work/broken" --set data.cache="$work/killed" \
    >/dev/null 2>&1 &
training=$!
while [ "$(wc -l 2>/dev/null <"$work/broken/metrics.jsonl" || echo 0)" -lt 15 ]; do sleep 0.02; done
kill -9 "$training"
wait "$training" 2>/dev/null || true
"$diptych" train "$work/broken" --resume >/dev/null 2>&1
losses "$work/broken" >"$work/broken.losses"
cmp "$work/plain.losses" "$work/broken.losses"
echo "killed in the middle of an epoch and resumed: the same losses again"
