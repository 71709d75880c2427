"""Reference values for images from Pillow and diffusers: decoding, resampling, conversion to tensors and back.

Writes one small file for every layout of PNG and JPEG, what Pillow makes of it (`decoded.safetensors`, keyed by file
name; see `decode_png` for the two points in which Pillow is not followed), resized pictures (`resampled.safetensors`) and what diffusers' VaeImageProcessor computes (`tensors.safetensors`).

    pip install numpy pillow safetensors torch diffusers
    python make_image_fixtures.py --out ../Fixtures/images --seed 0 [--extra N]

`--extra N` adds N random cases of each kind, for a thorough check that is not kept.
"""
import argparse, io, struct, zlib
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps
from safetensors import numpy as safetensors

FILTERS = {"nearest": Image.Resampling.NEAREST, "bilinear": Image.Resampling.BILINEAR,
           "bicubic": Image.Resampling.BICUBIC, "lanczos": Image.Resampling.LANCZOS}
ADAM7 = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
COLOR_TYPES = {"grey": 0, "rgb": 2, "palette": 3, "greyalpha": 4, "rgba": 6}
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}


def save_file(arrays, path):  # safetensors writes the memory of a transposed array as it lies
    safetensors.save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, path)


def scene(rng, width, height):
    """A smooth gradient with a hard-edged rectangle and a little noise: what filters and codecs find easy and hard."""
    y, x = np.mgrid[0:height, 0:width]
    image = np.stack([x * 255 / max(width - 1, 1), y * 255 / max(height - 1, 1), 128 + 100 * np.sin((x + 2 * y) / 5)], -1)
    image[height // 4:height // 2, width // 4:width // 2] = rng.integers(0, 256, 3)
    return np.clip(image + rng.normal(0, 6, image.shape), 0, 255).astype(np.uint8)


def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(samples, depth, color_type, interlaced=False, palette=None, transparency=None, exif=None):
    """A PNG file of `samples` [height, width, channels], unfiltered; every layout that the format has."""
    height, width, _ = samples.shape

    def rows(part):
        out = b""
        for row in part:
            bits = np.unpackbits(row.reshape(-1, 1).astype(">u2").view(np.uint8), axis=1)[:, 16 - depth:]
            out += b"\0" + np.packbits(bits.reshape(-1)).tobytes()
        return out

    if interlaced:
        data = b"".join(rows(samples[y::dy, x::dx]) for x, y, dx, dy in ADAM7 if samples[y::dy, x::dx].size)
    else:
        data = rows(samples)
    out = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, color_type, 0, 0, interlaced))
    if exif is not None:
        out += chunk(b"eXIf", exif)
    if palette is not None:
        out += chunk(b"PLTE", palette.astype(np.uint8).tobytes())
    if transparency is not None:
        out += chunk(b"tRNS", transparency)
    packed = zlib.compress(data, 9)
    half = len(packed) // 2  # two IDAT chunks, as large files have many
    return out + chunk(b"IDAT", packed[:half]) + chunk(b"IDAT", packed[half:]) + chunk(b"IEND", b"")


def png_files(rng, size):
    layouts = [("grey", d) for d in (1, 2, 4, 8, 16)] + [("palette", d) for d in (1, 2, 4, 8)] + [
        (kind, d) for kind in ("greyalpha", "rgb", "rgba") for d in (8, 16)]
    for kind, depth in layouts:
        for interlaced in (False, True):
            width, height = size()
            channels = CHANNELS[COLOR_TYPES[kind]]
            samples = rng.integers(0, 1 << depth, (height, width, channels))
            if depth == 16 and kind == "grey":
                samples[:, ::2] //= 200  # some values below 256, of which nothing is left in eight bits
            palette, transparency = None, None
            if kind == "palette":
                colors = (1 << depth) - 1 if depth > 1 else 2
                samples %= colors
                palette = rng.integers(0, 256, (colors, 3))
                transparency = rng.integers(0, 256, colors // 2).astype(np.uint8).tobytes() if interlaced else None
            elif kind == "grey" and interlaced:
                transparency = struct.pack(">H", int(samples[0, 0, 0]))
            elif kind == "rgb" and interlaced:
                transparency = struct.pack(">3H", *samples[0, 0].tolist())
            name = f"{kind}{depth}{'-interlaced' if interlaced else ''}.png"
            data = png(samples, depth, COLOR_TYPES[kind], interlaced, palette, transparency)
            yield name, data, {color: decode_png(data, samples, depth, kind, palette, transparency, color)
                               for color in ("#ffffff", "#204060")}
    exif = Image.Exif()
    exif[0x0112] = 6
    data = png(scene(rng, 9, 5), 8, 2, exif=exif.tobytes()[6:])
    yield "exif6.png", data, {"#ffffff": decode(data)}


def decode_png(data, samples, depth, kind, palette, transparency, background):
    """What a PNG looks like on a background: Pillow's `paste` with the opacity as a mask.

    Pillow's own `convert("RGB")` drops opacity and clips 16-bit grey at 255; elsewhere this must be equal to it.
    """
    height, width, _ = samples.shape
    alpha = np.full((height, width), 255)
    if kind == "palette":
        color = palette[samples[..., 0]]
        if transparency is not None:
            opacity = np.full(len(palette), 255)
            opacity[:len(transparency)] = np.frombuffer(transparency, np.uint8)
            alpha = opacity[samples[..., 0]]
    else:
        eight = samples >> 8 if depth == 16 else samples * 255 // ((1 << depth) - 1)
        has_alpha = kind in ("greyalpha", "rgba")
        color = eight[..., :-1] if has_alpha else eight
        if has_alpha:
            alpha = eight[..., -1]
        elif transparency is not None:
            hidden = np.frombuffer(transparency, ">u2").astype(int)
            alpha = np.where((samples == hidden).all(-1), 0, 255)
        color = np.broadcast_to(color, (height, width, 3))
    color = Image.fromarray(np.ascontiguousarray(color).astype(np.uint8))
    if (kind, depth) != ("grey", 16):
        assert (np.array(color) == decode(data)).all(), (kind, depth)
    canvas = Image.new("RGB", (width, height), background)
    canvas.paste(color, mask=Image.fromarray(alpha.astype(np.uint8)))
    return np.array(canvas)


def jpeg(image, **options):
    out = io.BytesIO()
    image.save(out, "JPEG", **options)
    return out.getvalue()


def without_segment(data, marker):
    start = data.index(bytes([0xFF, marker]))
    return data[:start] + data[start + 2 + int.from_bytes(data[start + 2:start + 4], "big"):]


def jpeg_files(rng, size):
    def picture():
        return Image.fromarray(scene(rng, *size()))

    for name, subsampling in (("444", 0), ("422", 1), ("420", 2)):
        yield f"baseline{name}.jpg", jpeg(picture(), quality=int(rng.integers(20, 96)), subsampling=subsampling)
        yield f"progressive{name}.jpg", jpeg(picture(), quality=int(rng.integers(20, 96)), subsampling=subsampling, progressive=True)
    yield "grey.jpg", jpeg(picture().convert("L"), quality=80)
    yield "grey-progressive.jpg", jpeg(picture().convert("L"), quality=80, progressive=True)
    yield "restarts.jpg", jpeg(picture(), quality=70, restart_marker_blocks=1)
    yield "keeprgb.jpg", jpeg(picture(), quality=80, keep_rgb=True)
    inks = Image.fromarray(rng.integers(0, 256, (1, 1, 4), dtype=np.uint8).repeat(11, 0).repeat(13, 1), "CMYK")
    inks.paste(picture().resize((7, 6)).convert("CMYK"), (3, 2))
    cmyk = jpeg(inks, quality=90)
    yield "cmyk.jpg", cmyk
    # The same data declared as YCCK, and not declared at all.
    start = cmyk.index(b"Adobe")
    yield "ycck.jpg", cmyk[:start + 11] + b"\x02" + cmyk[start + 12:]
    yield "cmyk-undeclared.jpg", without_segment(cmyk, 0xEE)
    yield "trailing.jpg", jpeg(picture(), quality=75) + b"bytes after the end of the image"
    stray = jpeg(picture(), quality=75)
    start = stray.index(b"\xFF\xDB")
    yield "stray.jpg", stray[:start] + b"\0\0\0" + stray[start:]
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        exif[0x010E] = "a description before it"
        if orientation % 2:
            exif.endian = ">"
        yield f"exif{orientation}.jpg", jpeg(picture(), quality=85, exif=exif)
    yield "xmp8.jpg", jpeg(picture(), quality=85, xmp=b'<x:xmpmeta><rdf:Description tiff:Orientation="8"/></x:xmpmeta>')
    exif = Image.Exif()
    exif[0x0112] = 9
    yield "exif9.jpg", jpeg(picture(), quality=85, exif=exif)


def decode(data):
    return np.array(ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB"))


def resampled(rng, extra):
    # Pillow 13 begins with the columns where the height shrinks by more than twice what the width does.
    cases = [((37, 23), (11, 31)), ((37, 23), (37, 7)), ((37, 23), (5, 23)), ((37, 23), (80, 50)), ((1, 1), (4, 3)),
             ((16, 1), (3, 5)), ((64, 48), (1, 1)), ((3, 41), (7, 2)), ((29, 31), (30, 32)), ((40, 40), (20, 10)),
             ((40, 60), (31, 41)), ((40, 60), (30, 40)), ((40, 61), (30, 40)), ((20, 30), (25, 29)), ((20, 30), (25, 31))]
    for _ in range(extra):
        cases.append((tuple(rng.integers(1, 200, 2).tolist()), tuple(rng.integers(1, 200, 2).tolist())))
    out = {}
    for number, (source, target) in enumerate(cases):
        image = scene(rng, *source) if number % 2 else rng.choice(np.array([0, 255, 3, 250], np.uint8), (source[1], source[0], 3))
        out[f"{number}.source"] = image
        for name, method in FILTERS.items():
            out[f"{number}.{name}"] = np.array(Image.fromarray(image).resize(target, method))
    return out


def tensors(rng):
    import torch
    from diffusers.image_processor import VaeImageProcessor
    processor = VaeImageProcessor()
    image = np.arange(256 * 3).reshape(16, 16, 3) % 256
    image = image.astype(np.uint8)
    tensor = processor.preprocess(Image.fromarray(image))[0]
    steps = np.arange(-1030, 1031, dtype=np.float32) / 1024  # beyond both ends, and through many ties
    ties = ((np.arange(0, 255) + 0.5) / 255 * 2 - 1).astype(np.float32)
    values = np.concatenate([steps, ties, rng.normal(0, 1, 3 * 28 * 28 - steps.size - ties.size).astype(np.float32)])
    values = torch.from_numpy(values.reshape(3, 28, 28))
    back = processor.postprocess(values[None], output_type="pil")[0]
    return {"image": image, "image.tensor": tensor.numpy(), "tensor": values.numpy(), "tensor.image": np.array(back)}


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--extra", type=int, default=0)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(args.seed)
    decoded = {}
    for round in range(args.extra + 1):
        def size():
            return (21, 13) if round == 0 else tuple(rng.integers(1, 150, 2).tolist())
        for name, data, pictures in png_files(rng, size):
            name = f"{round}-{name}" if round else name
            (args.out / name).write_bytes(data)
            for background, picture in pictures.items():
                decoded[name if background == "#ffffff" else name + background] = picture
        for name, data in jpeg_files(rng, size):
            name = f"{round}-{name}" if round else name
            (args.out / name).write_bytes(data)
            decoded[name] = decode(data)
    save_file(decoded, args.out / "decoded.safetensors")
    save_file(resampled(rng, args.extra), args.out / "resampled.safetensors")
    save_file(tensors(rng), args.out / "tensors.safetensors")
