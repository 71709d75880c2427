#!/bin/sh
# Takes parquet files in the column layouts of the hub, made of real photographs, all the way: converter (killed on the
# way), check, preview, encode, train. Needs a Python with pyarrow and Pillow, for example `uv run --with pyarrow,pillow`.
set -eu

diptych=${1:-.build/release/diptych}
python=${2:-python3}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$python" Scripts/make_hub_parquet.py --photos Datasets/photos --out "$work/hub" --count 240

# Becomes the converter, so that a signal to the process reaches it.
become() { # name, output, more options
    name=$1 out=$2
    shift 2
    exec "$python" "Scripts/convert_$name.py" "$work/hub/$name.parquet" --out "$out" --shard 20 "$@"
}
convert() { (become "$@"); }

for name in magicbrush omniedit; do
    convert "$name" "$work/$name" 2>/dev/null
    # Killed when the third shard is there; the same command goes on.
    become "$name" "$work/$name-killed" >/dev/null 2>&1 &
    converting=$!
    while [ ! -e "$work/$name-killed/$name-000002.tar" ] && kill -0 "$converting" 2>/dev/null; do sleep 0.005; done
    if kill -9 "$converting" 2>/dev/null; then
        wait "$converting" 2>/dev/null || true
        if "$diptych" data check "$work/$name-killed" >/dev/null 2>&1; then
            echo "error: an unfinished folder was taken for a dataset" >&2
            exit 1
        fi
        convert "$name" "$work/$name-killed" 2>&1 | sed 's/.*going on/going on/' | head -1
    else
        wait "$converting" || true
        echo "$name: finished before it could be killed" >&2
    fi
    diff -r "$work/$name" "$work/$name-killed"
    (cd "$work/$name" && sha256sum --quiet --check SHA256SUMS)
    "$diptych" data check "$work/$name" | tail -1
    "$diptych" data preview "$work/$name" --count 6 --out "$work/$name.png"
done
"$python" Scripts/convert_magicbrush.py --test "$work/hub/magicbrush-test" --out "$work/test" 2>/dev/null
"$diptych" data check "$work/test" | tail -1
"$python" Scripts/convert_emu_edit.py "$work/hub/emu-edit.parquet" --split test --out "$work/emu-edit" 2>/dev/null
# As they come, or without targets, they are for evaluation: read with that flag, refused without it.
for name in hub/magicbrush-test emu-edit; do
    "$diptych" data check "$work/$name" --evaluation >"$work/said"
    echo "$name: $(grep "with a target" "$work/said")"
    "$diptych" data preview "$work/$name" --evaluation --count 6 --out "$work/evaluation.png"
    if "$diptych" data check "$work/$name" >/dev/null 2>"$work/said"; then
        echo "error: $name was taken for a dataset to train on" >&2
        exit 1
    fi
    grep -q "for evaluation only" "$work/said"
done

# Both, mixed as ICEdit mixes them.
cat >"$work/run.yaml" <<TEXT
base: {path: Tests/Fixtures/tiny-random-fill, precision: float32}
data:
  path: $work/magicbrush
  also: [$work/omniedit]
  weights: [1, 0.5]
  crop_bottom: [32, 0]
  minimum_score: 7
  instruction: random
  buckets: [64x64, 80x64, 64x80]
  max_sequence_length: 64
  cache: $work/cache
  cache_precision: float32
adapter: {lora: {rank: 4, alpha: 4}}
training: {steps: 20, batch_size: 2, accumulate: 1, gradient_checkpointing: false}
output: {folder: $work/cached}
TEXT
"$diptych" data encode --config "$work/run.yaml"
"$diptych" train "$work/run.yaml" 2>/dev/null | grep -E "^(data|waited)"
"$diptych" train "$work/run.yaml" --set data.cache=null --set output.folder="$work/plain" >/dev/null 2>&1
for run in cached plain; do
    sed -E 's/"(seconds|data_seconds|samples_per_second)":[^,}]*,?//g' "$work/$run/metrics.jsonl" >"$work/$run.losses"
done
cmp "$work/cached.losses" "$work/plain.losses"
echo "20 steps: losses from the cache equal those without it, bit for bit"
