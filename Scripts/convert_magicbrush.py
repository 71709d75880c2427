# /// script
# requires-python = ">=3.10"
# dependencies = ["pyarrow", "pillow"]
# ///
"""Turns MagicBrush (osunlp/MagicBrush) into shards for Diptych.

    python Scripts/convert_magicbrush.py MagicBrush/data/train-*.parquet --out Datasets/magicbrush
    python Scripts/convert_magicbrush.py --test MagicBrush/test --out Datasets/magicbrush-test

Train and dev are parquet files with img_id, turn_index, source_img, mask_img, instruction and target_img; pictures keep
their bytes. Masks are left out: they are of the annotators' strokes, not of what changed. The test split is a folder with
edit_turns.json, edit_sessions.json, global_descriptions.json and images/ID/ID-input.png, ID-output1.png, …; its pairs get
the captions of both pictures, their session and turn. Train with `data.crop_bottom: [32]`, as ICEdit does.

Stopped in any way, the same command goes on behind the last whole shard.
"""
import argparse
import json
import sys
from pathlib import Path

import parquet_shards as shards

COLUMNS = ["img_id", "turn_index", "source_img", "instruction", "target_img"]


def train_rows(files):
    def stream(first):
        for row, value in shards.rows(files, COLUMNS, first):
            if not (value["instruction"] or "").strip():
                yield row, None
                continue
            key = f"{str(value['img_id']).replace('.', '_')}-{value['turn_index']}"
            fields = {"instruction": value["instruction"].strip(), "img_id": str(value["img_id"]),
                      "turn": value["turn_index"]}
            yield row, shards.members(key, value["source_img"], value["target_img"], fields)

    return stream


def test_rows(folder):
    def read(name, otherwise=None):
        path = folder / name
        if not path.is_file():
            if otherwise is not None:
                return otherwise
            sys.exit(f"error: {folder}: expected MagicBrush's test folder with {name}, found none")
        return json.loads(path.read_text())

    sessions = read("edit_sessions.json")
    captions = read("global_descriptions.json", {})
    local = read("local_descriptions.json", {})
    turns = [(session, number + 1, turn) for session in sorted(sessions) for number, turn in enumerate(sessions[session])]
    known = {(turn["input"], turn["output"]) for turn in read("edit_turns.json")}
    listed = {(turn["input"], turn["output"]) for _, _, turn in turns}
    if known != listed:
        sys.exit(f"error: {folder}: expected the same turns in edit_turns.json and edit_sessions.json, found others")

    def stream(first):
        for row, (session, number, turn) in enumerate(turns[first:], first):
            pictures = [(folder / "images" / session / turn[name]).read_bytes() for name in ("input", "output")]
            text, part = captions.get(session, {}), local.get(session, {})
            fields = {
                "instruction": turn["instruction"], "session": session, "turn": number,
                "input_caption": text.get(turn["input"]), "output_caption": text.get(turn["output"]),
                "local_caption": part.get(turn["output"]),
            }
            yield row, shards.members(f"{session}-{number}", *pictures, fields)

    return stream


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("inputs", nargs="*", help="parquet files, or folders of them")
    parser.add_argument("--test", type=Path, help="the folder of the test split, instead of parquet files")
    parser.add_argument("--out", required=True, help="where the shards go")
    parser.add_argument("--shard", type=int, default=500, help="pairs in a shard")
    options = parser.parse_args()
    if bool(options.inputs) == bool(options.test):
        parser.error("expected parquet files or --test FOLDER")
    if options.test:
        stream, files = test_rows(options.test), [options.test / "edit_sessions.json"]
    else:
        files = shards.parquet_files(options.inputs)
        for file in files:
            shards.require_columns(file, COLUMNS)
        stream = train_rows(files)
    shards.convert("magicbrush", files, stream, options.out, {"test": bool(options.test)}, options.shard)


if __name__ == "__main__":
    main()
