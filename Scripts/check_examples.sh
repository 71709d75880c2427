#!/usr/bin/env bash
# Runs every program of Examples on small data and compares what it prints.
#
#     Scripts/check_examples.sh FOLDER-OF-THE-BUILT-PROGRAMS
set -euo pipefail
cd "$(dirname "$0")/.."
programs=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
base=Tests/Fixtures/tiny-random-fill

# run PROGRAM ARGUMENT…: its output must be the text on standard input.
run() {
    cat >"$work/expected"
    if ! "$programs/$1" "${@:2}" >"$work/found" 2>"$work/errors"; then
        echo "error: $1 failed: $(cat "$work/errors")" >&2
        exit 1
    fi
    if ! diff -u "$work/expected" "$work/found" >&2; then
        echo "error: $1 prints something else than expected" >&2
        exit 1
    fi
    echo "$1 prints what it should"
}

run change-safetensors "$base/vae/diffusion_pytorch_model.safetensors" "$work/vae.safetensors" <<TEXT
176 tensors, 326995 numbers in 653990 bytes
TEXT

run new-operation <<TEXT
the adjoint is right: true
the loss fell a hundredfold: true
TEXT

run train-adapter "$base" Datasets/photo-edits "$work/run" "$work/adapter.safetensors" <<TEXT
5 mixtures, 82560 parameters
step 1 of 6
step 2 of 6
step 3 of 6
step 4 of 6
step 5 of 6
step 6 of 6
97 tensors, step 6
TEXT

run edit-picture "$base" Datasets/photos/chelsea.png "make the cat blue" "$work/blue.png" "$work/adapter.safetensors" <<TEXT
step 1 of 4
step 2 of 4
step 3 of 4
step 4 of 4
edited 451 x 300 as 64 x 32
TEXT
test -s "$work/blue.png"
