"""Writes Tests/Fixtures/hdf5/hostile.h5: what no honest program writes, but the format allows.

    python Tests/Reference/make_hostile_hdf5_fixture.py    (h5py, numpy)
"""

from pathlib import Path

import h5py
import numpy as np

path = Path(__file__).parent.parent / "Fixtures" / "hdf5" / "hostile.h5"
with h5py.File(path, "w", libver=("earliest", "v110"), track_order=False) as file:
    attributes = file.create_group("attributes").attrs
    # Dataspaces without a value: the rank of one value, and none of it.
    attributes["null.int"] = h5py.Empty("<i8")
    attributes["null.float"] = h5py.Empty("<f8")
    attributes["null.text"] = h5py.Empty(h5py.string_dtype(length=4))

    # Thirty groups, each twice a member of the one before: a billion ways to the last.
    lattice = file.create_group("lattice")
    for _ in range(30):
        inner = lattice.create_group("a")
        lattice["b"] = inner
        lattice = inner

    # One text in two spellings, composed and decomposed.
    twins = file.create_group("twins")
    twins["\u00e9"] = np.zeros(1, dtype="<f4")
    twins["e\u0301"] = np.zeros(1, dtype="<f4")
