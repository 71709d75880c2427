#!/usr/bin/env python3
"""Peer baseline: a torch DataLoader with Pillow on the shards that `diptych-bench loader` reads, and one with h5py on its
cache.

    python peer_loader.py --peer pictures --data pairs --workers 2                    # one measurement, a line of JSON
    python peer_loader.py --diptych .build/release/diptych --bench .build/release/diptych-bench   # both in turns, a table

The task is the same on both sides: shuffled pairs, both pictures decoded, resized to 512 x 512 with the bicubic filter where
they are larger, put beside each other, turned to float32 in -1…1, four to a batch; from the cache: latents, condition with the
mask, embeddings, as float32.
"""
import argparse
import io
import json
import resource
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path


def pictures(folder, size):
    import numpy as np
    import torch
    from PIL import Image

    class Pairs(torch.utils.data.Dataset):
        def __init__(self):
            self.places, self.files = {}, {}
            for shard in sorted(Path(folder).glob("*.tar")):
                with tarfile.open(shard) as tar:
                    for member in tar:
                        key, kind = member.name.split(".", 1)
                        self.places.setdefault(key, {})[kind.split(".")[0]] = (shard, member.offset_data, member.size)
            self.keys = list(self.places)

        def __len__(self):
            return len(self.keys)

        def read(self, place):
            shard, offset, count = place
            file = self.files.setdefault(shard, None) or open(shard, "rb")
            self.files[shard] = file
            file.seek(offset)
            return file.read(count)

        def __getitem__(self, index):
            place = self.places[self.keys[index]]
            canvas = Image.new("RGB", (2 * size, size))
            for x, name in ((0, "source"), (size, "target")):
                image = Image.open(io.BytesIO(self.read(place[name]))).convert("RGB")
                if image.size != (size, size):
                    image = image.resize((size, size), Image.BICUBIC)
                canvas.paste(image, (x, 0))
            json.loads(self.read(place["json"]))
            pixels = torch.from_numpy(np.array(canvas)).permute(2, 0, 1)
            return pixels.to(torch.float32).div_(127.5).sub_(1)

    return Pairs()


def cached(folder):
    import h5py
    import numpy as np
    import torch

    def widened(rows):
        # bfloat16 lies in the file as 16-bit words.
        return torch.from_numpy(np.asarray(rows).view(np.int16)).view(torch.bfloat16).to(torch.float32)

    class Samples(torch.utils.data.Dataset):
        def __init__(self):
            self.files = {}
            self.rows = []
            for path in sorted(Path(folder).glob("pairs-*.h5")):
                with h5py.File(path) as file:
                    self.rows += [(path, row) for row in range(len(file["pairs"]))]
            self.texts = []
            for path in sorted(Path(folder).glob("texts-*.h5")):
                with h5py.File(path) as file:
                    self.texts += [(path, row) for row in range(len(file["tokens"]))]

        def __len__(self):
            return len(self.rows)

        def open(self, path):
            if path not in self.files:
                self.files[path] = h5py.File(path)
            return self.files[path]

        def __getitem__(self, index):
            path, row = self.rows[index]
            file = self.open(path)
            clean, masked = widened(file["clean"][row]), widened(file["masked"][row])
            mask = torch.zeros(masked.shape[0], 256)
            columns = 64
            mask.view(-1, columns, 256)[:, columns // 2 :] = 1
            path, row = self.texts[1 + index % (len(self.texts) - 1)]
            file = self.open(path)
            text = widened(file["sequence"][row])
            return clean, torch.cat([masked, mask], 1), text, torch.from_numpy(file["pooled"][row])

    return Samples()


def measure(a):
    import torch

    torch.set_num_threads(1)
    data = cached(a.data) if a.peer == "cache" else pictures(a.data, a.size)
    loader = torch.utils.data.DataLoader(
        data, batch_size=4, shuffle=True, num_workers=a.workers, drop_last=True, persistent_workers=a.workers > 0)
    taken, begin = -8, None
    while taken < a.batches:
        for _ in loader:
            taken += 1
            if taken == 0:
                begin = time.perf_counter()
            if taken == a.batches:
                break
    seconds = time.perf_counter() - begin
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    print(json.dumps({
        "source": a.peer, "workers": a.workers, "diptychs_per_second": round(4 * a.batches / seconds, 1),
        "peak_rss_mb": max(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, children) // 1024}))


def line(command):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))}\n{done.stderr}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def compare(a):
    with tempfile.TemporaryDirectory() as work:
        work = Path(work)
        for size in (512, 768):
            subprocess.run([a.diptych, "data", "scenes", "--count", "400", "--size", str(size), "--level", "2", "--shard",
                            "100", "--seed", "1", "--out", work / f"pairs{size}"], check=True, capture_output=True)
        run = work / "run.yaml"
        run.write_text(f"""
base: {{path: Tests/Fixtures/tiny-random-fill}}
data: {{path: {work}/pairs512, panel_width: 512, panel_height: 512, max_sequence_length: 512}}
output: {{folder: {work}/run}}
""")
        subprocess.run([a.diptych, "data", "encode", "--config", run, "--out", work / "cache"], check=True,
                       capture_output=True)
        print("| diptychs a second | workers | ours | torch | ratio | ours MB | torch MB |\n|---|---|---|---|---|---|---|")
        for title, settings, peer in (
                ("JPEG, 512 pixels", [], ["--peer", "pictures", "--data", work / "pairs512"]),
                ("JPEG, 768 pixels, resized to 512", ["--set", f"data.path={work}/pairs768"],
                 ["--peer", "pictures", "--data", work / "pairs768"]),
                ("cache, 512 pixels", ["--set", f"data.cache={work}/cache"], ["--peer", "cache", "--data", work / "cache"])):
            for workers in (1, 2):
                batches = a.batches * (4 if peer[1] == "cache" else 1)
                ours, torch = [], []
                for _ in range(a.rounds):
                    ours.append(line([a.bench, "loader", "--config", run, "--batches", batches, "--set",
                                      f"data.workers={workers}", *settings]))
                    torch.append(line([sys.executable, __file__, "--workers", workers, "--batches", batches, *peer]))
                rates = [statistics.median(r["diptychs_per_second"] for r in side) for side in (ours, torch)]
                print(f"| {title} | {workers} | {rates[0]:.1f} | {rates[1]:.1f} | {rates[0] / rates[1]:.2f} "
                      f"| {ours[0]['peak_rss_mb']} | {torch[0]['peak_rss_mb']} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peer", choices=["pictures", "cache"])
    parser.add_argument("--data")
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--batches", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--diptych", default=".build/release/diptych")
    parser.add_argument("--bench", default=".build/release/diptych-bench")
    a = parser.parse_args()
    measure(a) if a.peer else compare(a)


if __name__ == "__main__":
    main()
