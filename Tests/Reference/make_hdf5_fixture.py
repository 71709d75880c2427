"""Writes Tests/Fixtures/hdf5/h5py.h5, what h5py makes of every kind of value, for the reader's tests.

    python Tests/Reference/make_hdf5_fixture.py

Needs h5py and numpy. Python has no part in the toolkit itself.
"""

import pathlib

import h5py
import numpy as np

folder = pathlib.Path(__file__).parent.parent / "Fixtures" / "hdf5"
folder.mkdir(parents=True, exist_ok=True)

with h5py.File(folder / "h5py.h5", "w") as file:
    tensors = file.create_group("tensors")
    tensors["float32"] = np.arange(6, dtype="<f4").reshape(2, 3) / 4
    tensors["float32.big"] = np.arange(6, dtype=">f4").reshape(2, 3) / 4
    tensors["float16"] = np.array([1, -2.5, 65504, 6e-8], dtype="<f2")
    tensors["int32"] = np.array([-(2**31), 0, 2**31 - 1], dtype="<i4")
    tensors["int64"] = np.array([-(2**63), 0, 2**63 - 1], dtype="<i8")
    tensors["uint8"] = np.array([0, 127, 255], dtype="u1")
    tensors["bool"] = np.array([True, False, True])
    tensors["scalar"] = np.float32(2.5)
    tensors["empty"] = np.zeros((0, 4), dtype="<f4")
    tensors.create_dataset(
        "deflated", data=np.arange(4000, dtype="<i4").reshape(100, 40), chunks=(16, 40), compression="gzip",
        shuffle=True, fletcher32=True)

    strings = file.create_group("strings")
    strings["variable"] = ["one", "zwei", "три", "", "四"]
    strings["fixed"] = np.array([b"ab", b"abc", b""], dtype="S3")
    strings["single"] = "alone"

    attributes = file.create_group("attributes").attrs
    attributes["text"] = "größe"
    attributes["fixed"] = np.bytes_("bytes")
    attributes["texts"] = ["a", "ß"]
    attributes["int"] = 42
    attributes["int8"] = np.int8(-3)
    attributes["bool"] = True
    attributes["uint64"] = np.uint64(2**63 - 1)
    attributes["uint64.big"] = np.uint64(2**64 - 1)
    attributes["ints"] = [1, -2, 3]
    attributes["float"] = 0.1
    attributes["float32"] = np.float32(0.5)
    attributes["floats"] = [0.5, 0.25]
    attributes["matrix"] = np.eye(2)
    attributes["complex"] = 1j

    other = file.create_group("other")
    other["float64"] = np.zeros(2)
    other["uint16"] = np.zeros(2, dtype="<u2")
    other["compound"] = np.zeros(2, dtype=[("a", "<i4"), ("b", "<f4")])
    other["null"] = h5py.Empty("<f4")
    other["soft"] = h5py.SoftLink("/tensors/float32")
    other["dangling"] = h5py.SoftLink("/nowhere")
    other["external.link"] = h5py.ExternalLink("/etc/hostname", "/")
    other.create_dataset("external", shape=(4,), dtype="u1", external=[("/etc/hostname", 0, 4)])
    layout = h5py.VirtualLayout(shape=(2, 3), dtype="<f4")
    layout[:] = h5py.VirtualSource("absent.h5", "x", shape=(2, 3))
    other.create_virtual_dataset("virtual", layout)
    other.create_dataset("huge", shape=(2**40, 1024), dtype="<f4")
    other.create_dataset("huge.chunked", shape=(2**40, 1024), chunks=(1, 1024), dtype="<f4", compression="gzip")
    other.create_dataset("huge.chunk", shape=(2**20, 1024), chunks=(2**19, 1024), dtype="<f4", compression="gzip")
    other.create_dataset("huge.strings", shape=(2**30,), dtype=h5py.string_dtype())
    other.create_dataset("overflow", shape=(2**62, 0, 8), chunks=(1, 1, 1), dtype="<f4", maxshape=(None, None, None))
    other["itself"] = other
