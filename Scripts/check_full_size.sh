#!/usr/bin/env bash
# Measures the full size from nothing: writes a random FLUX.1-Fill of the true shape with T5 XXL, CLIP-L and autoencoder
# (q4_0, 10 GB), then takes two sampler steps of an edit and one training step of a LoRA-MoE, both on 512 x 1024 diptychs
# with 512 text tokens, each under a limit that the system enforces.
#
#     Scripts/check_full_size.sh [FOLDER [all|base|edit|train]]
#
# The limit is a memory control group (version 1 or 2, needs root): it counts what the process owns and the pages of
# files that it reads, mapped or cached; who passes it is killed. The files are dropped from the cache first, so that
# their pages are counted here. Prints wall time, GFLOP/s and peak of memory by phase, the process's peak and the group's.
# Needs about 25 minutes on two cores.
set -euo pipefail
cd "$(dirname "$0")/.."
folder=${1:-FullSize}
what=${2:-all}
diptych=${DIPTYCH:-.build/release/diptych}
edit_limit=${EDIT_LIMIT:-4GiB}
train_limit=${TRAIN_LIMIT:-12GiB}
base=$folder/q4_0
group=diptych-full-size-$$
mkdir -p "$folder"

bytes() { python3 -c 'import sys; n = sys.argv[1]; assert n.endswith("GiB"); print(int(float(n[:-3]) * 2**30))' "$1"; }

# Takes the base's files out of the system's cache.
forget() {
    sync
    for file in "$base"/*.gguf "$base"/*.safetensors; do
        dd of="$file" oflag=nocache conv=notrunc,fdatasync count=0 status=none
    done
}

# limited LIMIT COMMAND…: runs it in a control group of its own and prints the group's peak.
limited() {
    local limit place count peak version
    limit=$(bytes "$1")
    shift
    if [ -f /sys/fs/cgroup/cgroup.controllers ] && grep -qw memory /sys/fs/cgroup/cgroup.controllers; then
        version=2 place=/sys/fs/cgroup/$group
        echo +memory >/sys/fs/cgroup/cgroup.subtree_control
        mkdir "$place"
        echo "$limit" >"$place/memory.max"
        [ ! -f "$place/memory.swap.max" ] || echo 0 >"$place/memory.swap.max"
        peak=$place/memory.peak
    elif [ -d /sys/fs/cgroup/memory ]; then
        version=1 place=/sys/fs/cgroup/memory/$group
        mkdir "$place"
        echo "$limit" >"$place/memory.limit_in_bytes"
        peak=$place/memory.max_usage_in_bytes
    else
        echo "error: no memory control group here: expected version 1 or 2 under /sys/fs/cgroup" >&2
        return 1
    fi
    forget
    echo "limit      $limit bytes, enforced by a control group of version $version"
    local status=0
    bash -c 'echo $$ >"$0/cgroup.procs"; shift 0; exec "$@"' "$place" python3 -c '
import os, resource, subprocess, sys, time
begin = time.time()
status = subprocess.call(sys.argv[1:])
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
print(f"process    {time.time() - begin:.1f} s, status {status}, peak resident {peak / 2**20:.2f} GiB")
sys.exit(status if status >= 0 else 1)' "$@" || status=$?
    echo "group      peak $(python3 -c 'import sys; print(f"{int(sys.argv[1]) / 2**30:.2f}")' "$(cat "$peak")") GiB, files' pages included"
    rmdir "$place"
    return $status
}

if [ ! -f "$base/vae.safetensors" ]; then
    "$diptych" random-base --out "$base" --size full --type q4_0 --overwrite \
        --tokenizers Tests/Fixtures/tiny-random-fill
fi
if [ ! -d "$folder/pairs" ]; then
    "$diptych" data scenes --count 1 --size 512 --level 1 --seed 1 --out "$folder/pairs"
fi
# Of 64 x 64 pixels; it is resized to panels of 512 x 512.
image=Tests/Fixtures/source.png

if [ "$what" = all ] || [ "$what" = edit ]; then
    echo "== two sampler steps of an edit, 512 x 1024, --memory $edit_limit"
    limited "$edit_limit" "$diptych" edit --base "$base" --transformer "$base/transformer.gguf" --t5 "$base/t5.gguf" \
        --clip "$base/clip.safetensors" --vae "$base/vae.safetensors" --image "$image" --instruction "make it night" \
        --steps 2 --precision bfloat16 --vae-precision bfloat16 --text-encoder-precision bfloat16 \
        --memory "$edit_limit" --profile -o "$folder/edited.png"
fi
if [ "$what" = all ] || [ "$what" = train ]; then
    echo "== one training step, LoRA-MoE, 512 x 1024, batch 1, checkpointing, --memory $train_limit"
    rm -rf "$folder/run"
    limited "$train_limit" "$diptych" train Configs/flux-fill/moe-lora.yaml --set base.path="$base" \
        --set base.transformer="$base/transformer.gguf" --set base.t5="$base/t5.gguf" \
        --set base.clip="$base/clip.safetensors" --set base.vae="$base/vae.safetensors" \
        --set base.vae_precision=bfloat16 --set base.text_encoder_precision=bfloat16 \
        --set data.path="$folder/pairs" --set training.steps=1 --set training.accumulate=1 --set training.batch_size=1 \
        --set output.folder="$folder/run" --memory "$train_limit" --profile
fi
