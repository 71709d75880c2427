"""Reference values for WebP from Pillow: one small file for every layout, and what Pillow makes of each.

Writes `webp-*.webp` and `webp.safetensors`, keyed by file name: upright, and laid over white where there is alpha.

    pip install numpy pillow safetensors
    python make_webp_fixtures.py --out ../Fixtures/images --seed 0 [--extra N]

`--extra N` adds N random cases of each kind, for a thorough check that is not kept.
"""
import argparse, io, struct
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps
from safetensors import numpy as safetensors

from make_image_fixtures import scene


def webp(image, **options):
    out = io.BytesIO()
    image.save(out, "WEBP", **options)
    return out.getvalue()


def chunks(data):
    """Name and payload of every chunk of a RIFF file."""
    position = 12
    while position < len(data):
        size = struct.unpack("<I", data[position + 4:position + 8])[0]
        yield data[position:position + 4], data[position + 8:position + 8 + size]
        position += 8 + size + size % 2


def riff(parts):
    body = b"WEBP" + b"".join(name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2) for name, data in parts)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def files(rng, size):
    def picture():
        return Image.fromarray(scene(rng, *size()))

    def transparent():
        image = picture().convert("RGBA")
        y, x = np.mgrid[0:image.height, 0:image.width]
        alpha = np.where((x + y) % 7 < 3, (x * 255 // max(image.width - 1, 1)), np.where(y % 5 == 0, 0, 255))
        image.putalpha(Image.fromarray(alpha.astype(np.uint8)))
        return image

    for quality in (5, 80, 100):
        yield f"lossy{quality}", webp(picture(), quality=quality)
    yield "lossless", webp(picture(), lossless=True)
    yield "lossless-palette", webp(picture().quantize(7).convert("RGB"), lossless=True)
    yield "grey", webp(picture().convert("L"), quality=80)
    yield "lossy-alpha", webp(transparent(), quality=75, alpha_quality=60)
    yield "lossless-alpha", webp(transparent(), lossless=True, exact=True)
    yield "pixel", webp(picture().resize((1, 1)), lossless=True)
    yield "profile", webp(picture(), quality=80, icc_profile=b"no profile, and it changes no pixel")
    for orientation in range(1, 10):
        exif = Image.Exif()
        exif[0x0112] = orientation
        exif[0x010E] = "a description before it"
        if orientation % 2:
            exif.endian = ">"
        yield f"exif{orientation}", webp(picture(), quality=85, lossless=orientation % 3 == 0, exif=exif.tobytes())
    # With the name that JPEG's segments have, and without.
    named = webp(picture(), lossless=True, exif=b"Exif\0\0" + struct.pack("<2sHIHHHIHHI", b"II", 42, 8, 1, 0x0112, 3, 1, 6, 0, 0))
    yield "exif6-named", riff([(n, b"Exif\0\0" + d[d[:6] == b"Exif\0\0" and 6 or 0:] if n == b"EXIF" else d) for n, d in chunks(named)])
    yield "exif6-alpha", webp(transparent(), lossless=True, exif=exif_of(6))
    yield "xmp8", webp(picture(), quality=85, xmp=b'<x:xmpmeta><rdf:Description tiff:Orientation="8"/></x:xmpmeta>')
    # A chunk of EXIF that the header does not announce says nothing.
    parts = list(chunks(webp(picture(), lossless=True, exif=exif_of(6))))
    flags = bytes([parts[0][1][0] & ~0x08]) + parts[0][1][1:]
    yield "exif-unannounced", riff([(b"VP8X", flags)] + parts[1:])
    yield "trailing", webp(picture(), quality=75) + b"bytes after the end of the file"


def exif_of(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif.tobytes()


def decode(data):
    image = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    if image.mode == "RGBA":
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return np.ascontiguousarray(np.array(image.convert("RGB")))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--extra", type=int, default=0)
    args = parser.parse_args()
    rng = np.random.default_rng(args.seed)
    decoded = {}
    for round in range(args.extra + 1):
        def size():
            return (21, 13) if round == 0 else tuple(rng.integers(1, 150, 2).tolist())
        for name, data in files(rng, size):
            name = f"webp-{round}-{name}.webp" if round else f"webp-{name}.webp"
            (args.out / name).write_bytes(data)
            decoded[name] = decode(data)
    frames = [Image.fromarray(scene(rng, 9, 5)) for _ in range(3)]
    (args.out / "webp-animated.webp").write_bytes(webp(frames[0], save_all=True, append_images=frames[1:], lossless=True))
    safetensors.save_file(decoded, args.out / "webp.safetensors")
