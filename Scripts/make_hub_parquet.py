# /// script
# requires-python = ">=3.10"
# dependencies = ["pyarrow", "pillow"]
# ///
"""Writes small parquet files, and a MagicBrush test folder, in the column layouts of the hub, from real photographs.

    python Scripts/make_hub_parquet.py --photos Datasets/photos --out /tmp/hub --count 40

For trying the converters, `diptych data check` and training where the hub cannot be reached.
"""
import argparse
import io
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image, ImageOps

PICTURE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
MAGICBRUSH = pa.schema([
    ("img_id", pa.string()), ("turn_index", pa.int32()), ("source_img", PICTURE), ("mask_img", PICTURE),
    ("instruction", pa.string()), ("target_img", PICTURE)])
OMNIEDIT = pa.schema([
    ("omni_edit_id", pa.string()), ("task", pa.string()), ("src_img", PICTURE), ("edited_img", PICTURE),
    ("edited_prompt_list", pa.list_(pa.string())), ("width", pa.int64()), ("height", pa.int64()),
    ("sc_score_1", pa.int64()), ("sc_score_2", pa.int64()), ("sc_reasoning", pa.string()), ("pq_score", pa.int64()),
    ("pq_reasoning", pa.string()), ("o_score", pa.float64())])
EMU = pa.schema([
    ("instruction", pa.string()), ("image", PICTURE), ("task", pa.string()), ("split", pa.string()),
    ("idx", pa.int64()), ("hash", pa.string()), ("input_caption", pa.string()), ("output_caption", pa.string())])
EDITS = [
    ("make the photo black and white", "turn it grey", "style", lambda image: ImageOps.grayscale(image).convert("RGB")),
    ("invert the colors", "make it a negative", "style", ImageOps.invert),
    ("mirror the photo", "flip left and right", "attribute", ImageOps.mirror),
    ("put a frame around it", "add a white border", "addition",
     lambda image: ImageOps.expand(ImageOps.crop(image, 16), 16, "white")),
    ("make the photo darker", "turn the light down", "attribute", lambda image: image.point(lambda v: v // 2)),
]


def encoded(image, format):
    out = io.BytesIO()
    image.save(out, format, **({"quality": 95} if format == "JPEG" else {}))
    return {"bytes": out.getvalue(), "path": None}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", type=Path, default=Path("Datasets/photos"))
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--count", type=int, default=40, help="rows of each file")
    parser.add_argument("--size", type=int, default=256, help="longer side of the pictures in pixels")
    options = parser.parse_args()
    photos = sorted(path for path in options.photos.iterdir() if path.suffix in (".png", ".jpg"))
    magicbrush, omniedit, emu, sessions, captions = [], [], [], {}, {}
    test = options.out / "magicbrush-test"
    for i in range(options.count):
        photo = Image.open(photos[i % len(photos)]).convert("RGB")
        side, (width, height) = min(photo.size) // 2, photo.size
        x, y = (i * 37) % (width - side), (i * 53) % (height - side)
        # Wide, tall and square pictures take turns.
        w, h = [(side, side), (side, side * 3 // 4), (side * 3 // 4, side)][i % 3]
        source = photo.crop((x, y, x + w, y + h))
        source.thumbnail((options.size, options.size))
        prompt, other, task, edit = EDITS[i % len(EDITS)]
        target = edit(source)
        mask = Image.new("RGB", source.size, "white")
        magicbrush.append({
            "img_id": str(100000 + i // 2), "turn_index": i % 2 + 1, "source_img": encoded(source, "PNG"),
            "mask_img": encoded(mask, "PNG"), "instruction": prompt, "target_img": encoded(target, "PNG")})
        omniedit.append({
            "omni_edit_id": f"{task}_{i}", "task": task, "src_img": encoded(source, "JPEG"),
            "edited_img": encoded(target, "JPEG"), "edited_prompt_list": [prompt, other], "width": source.width,
            "height": source.height, "sc_score_1": 9, "sc_score_2": 9 - i % 3, "sc_reasoning": "as asked",
            "pq_score": 8, "pq_reasoning": "clean", "o_score": float(9 - i % 4)})
        emu.append({
            "instruction": prompt, "image": encoded(source, "PNG"), "task": task,
            "split": "test" if i % 2 else "validation", "idx": i, "hash": f"{i:08x}", "input_caption": f"photo {i}",
            "output_caption": f"photo {i}" if i % 10 == 0 else f"photo {i}: {prompt}"})
        if i < 6:
            name, turn = str(500000 + i // 2), i % 2 + 1
            folder = test / "images" / name
            folder.mkdir(parents=True, exist_ok=True)
            before = f"{name}-input.png" if turn == 1 else f"{name}-output{turn - 1}.png"
            after = f"{name}-output{turn}.png"
            if turn == 1:
                source.save(folder / before)
            else:
                target = edit(Image.open(folder / before).convert("RGB"))
            target.save(folder / after)
            # Of the size of the picture before, which in a second turn is not this row's.
            Image.new("RGB", target.size, "white").save(folder / f"{name}-mask{turn}.png")
            sessions.setdefault(name, []).append(
                {"input": before, "mask": f"{name}-mask{turn}.png", "output": after, "instruction": prompt})
            captions.setdefault(name, {}).update({before: f"before {turn}", after: f"after {turn}"})
    options.out.mkdir(parents=True, exist_ok=True)
    for name, schema, table in (
            ("magicbrush", MAGICBRUSH, magicbrush), ("omniedit", OMNIEDIT, omniedit), ("emu-edit", EMU, emu)):
        pq.write_table(pa.Table.from_pylist(table, schema), options.out / f"{name}.parquet", row_group_size=8)
    for name, value in (("edit_sessions", sessions), ("edit_turns", [t for s in sessions.values() for t in s]),
                        ("global_descriptions", captions), ("local_descriptions", captions)):
        (test / f"{name}.json").write_text(json.dumps(value, indent=1))
    print(f"{options.count} rows each of magicbrush, omniedit and emu-edit, and {test}: {options.out}")


if __name__ == "__main__":
    main()
