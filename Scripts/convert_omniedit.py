# /// script
# requires-python = ">=3.10"
# dependencies = ["pyarrow", "pillow"]
# ///
"""Turns OmniEdit-Filtered (TIGER-Lab/OmniEdit-Filtered-1.2M) into shards for Diptych.

    python Scripts/convert_omniedit.py OmniEdit/data/train-*.parquet --out Datasets/omniedit --per-task 8000

All of `edited_prompt_list` is kept: `data.instruction: random` draws one each time. `score` is o_score; `--minimum-score`
and `--tasks` choose here, `data.minimum_score` and `data.tasks` when training. Pictures keep their bytes.

Stopped in any way, the same command goes on behind the last whole shard.
"""
import argparse

import parquet_shards as shards

COLUMNS = ["omni_edit_id", "task", "src_img", "edited_img", "edited_prompt_list"]
SCORES = ["o_score", "sc_score_1", "sc_score_2", "pq_score"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("inputs", nargs="+", help="parquet files, or folders of them")
    parser.add_argument("--out", required=True, help="where the shards go")
    parser.add_argument("--shard", type=int, default=500, help="pairs in a shard")
    parser.add_argument("--tasks", help="tasks to keep, by commas")
    parser.add_argument("--minimum-score", type=float, help="the least o_score")
    parser.add_argument("--per-task", type=int, help="the first so many pairs of each task")
    options = parser.parse_args()
    files = shards.parquet_files(options.inputs)
    for file in files:
        shards.require_columns(file, COLUMNS + SCORES)
    tasks = options.tasks.split(",") if options.tasks else None

    def keeps(value):
        if not any((text or "").strip() for text in value["edited_prompt_list"] or []):
            return False
        if tasks and value["task"] not in tasks:
            return False
        score = value["o_score"]
        return options.minimum_score is None or (score is not None and score >= options.minimum_score)

    def stream(first):
        # What earlier shards took of each task has to be counted again; pictures are not read for that.
        counts = {}
        if options.per_task and first:
            for row, value in shards.rows(files, ["task", "edited_prompt_list", "o_score"]):
                if row >= first:
                    break
                if keeps(value) and counts.get(value["task"], 0) < options.per_task:
                    counts[value["task"]] = counts.get(value["task"], 0) + 1
        for row, value in shards.rows(files, COLUMNS + SCORES, first):
            task = value["task"]
            if not keeps(value) or (options.per_task and counts.get(task, 0) >= options.per_task):
                yield row, None
                continue
            counts[task] = counts.get(task, 0) + 1
            prompts = [text.strip() for text in value["edited_prompt_list"] if (text or "").strip()]
            fields = {"instruction": prompts[0], "instructions": prompts, "task": task, "score": value["o_score"]}
            fields.update({name: value[name] for name in SCORES[1:]})
            key = str(value["omni_edit_id"]).replace(".", "_").replace("/", "_")
            yield row, shards.members(key, value["src_img"], value["edited_img"], fields)

    choice = {"tasks": tasks, "minimum_score": options.minimum_score, "per_task": options.per_task}
    shards.convert("omniedit", files, stream, options.out, choice, options.shard)


if __name__ == "__main__":
    main()
