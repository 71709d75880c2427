# /// script
# requires-python = ">=3.10"
# dependencies = ["pyarrow", "pillow"]
# ///
"""Turns the Emu Edit test set (facebook/emu_edit_test_set, …_generations) into shards for evaluation.

    python Scripts/convert_emu_edit.py emu_edit_test_set/data/test-*.parquet --split test --out Datasets/emu-edit-test

The set has no targets, so that pairs are of `source` and `json` alone; of …_generations the edited picture becomes the
target. Rows whose captions are identical, or say "a train station in city", are left out, as is usual. The names of the
splits are exchanged in …_generations and put right here.
"""
import argparse

import parquet_shards as shards

COLUMNS = ["instruction", "image", "task", "split", "idx", "hash", "input_caption", "output_caption"]
EXCHANGED = {"validation": "test", "test": "validation"}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("inputs", nargs="+", help="parquet files, or folders of them")
    parser.add_argument("--out", required=True, help="where the shards go")
    parser.add_argument("--split", choices=sorted(EXCHANGED), help="keep this split only")
    parser.add_argument("--shard", type=int, default=500, help="pictures in a shard")
    options = parser.parse_args()
    files = shards.parquet_files(options.inputs)
    for file in files:
        shards.require_columns(file, COLUMNS)
    names = shards.pq.ParquetFile(files[0]).schema_arrow.names
    has_edits = "edited_image" in names
    columns = COLUMNS + (["edited_image"] if has_edits else []) + (["model"] if "model" in names else [])

    def stream(first):
        for row, value in shards.rows(files, columns, first):
            split = EXCHANGED.get(value["split"], value["split"]) if has_edits else value["split"]
            captions = [(value[name] or "").strip() for name in ("input_caption", "output_caption")]
            is_known_fault = captions[0] == captions[1] or "a train station in city" in captions
            if is_known_fault or (options.split and split != options.split):
                yield row, None
                continue
            fields = {"instruction": value["instruction"], "task": value["task"], "split": split, "idx": value["idx"],
                      "hash": value["hash"], "input_caption": captions[0], "output_caption": captions[1],
                      "model": value.get("model")}
            yield row, shards.members(f"{row:06}", value["image"], value.get("edited_image"), fields)

    shards.convert("emu-edit", files, stream, options.out, {"split": options.split}, options.shard)


if __name__ == "__main__":
    main()
