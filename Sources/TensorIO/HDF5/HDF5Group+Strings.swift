import CStorage
import TensorCore

extension HDF5Group {
    /// Writes a list of texts, deflated. Throws ``FileError`` when the name is taken, when a text contains a zero byte, or when the
    /// disk is full.
    public func write(_ texts: [String], to name: String) throws {
        try store.perform {
            let key = try newLocation(name)
            let creation = try HDF5Handle(
                store.check(storage_h5_property_list(STORAGE_H5_DATASET_CREATION), key, "a new dataset"))
            if !texts.isEmpty {
                try store.check(H5Pset_chunk(creation.id, 1, [hsize_t(min(texts.count, 256))]), key, "a valid chunk")
                try store.check(H5Pset_deflate(creation.id, 4), key, "the deflate filter")
            }
            let space = HDF5Handle(
                try store.check(H5Screate_simple(1, [hsize_t(texts.count)], nil), key, "a new dataset"))
            try withStored(texts, key) { type, start in
                let dataset = try create(name, key, type, space, creation)
                guard !texts.isEmpty else { return }
                try store.check(
                    H5Dwrite(dataset.id, type, hid_t(H5S_ALL), hid_t(H5S_ALL), hid_t(H5P_DEFAULT), start), key,
                    "room for the strings")
            }
        }
    }

    /// Reads a list of texts, or a single one. Throws ``FileError`` when it is missing or not of strings.
    public func strings(_ name: String) throws -> [String] {
        try store.perform {
            let key = hdf5Join(location, name)
            let member = try open(name, "a list of strings")
            guard H5Iget_type(member.id) == H5I_DATASET else {
                throw fault(key, expected: "a list of strings", found: "a group")
            }
            let object = HDF5Object(store: store, location: key, handle: member)
            let type = HDF5Handle(try store.check(H5Dget_type(member.id), key, "a readable type"))
            let size = H5Tget_size(type.id)
            guard H5Tget_class(type.id) == H5T_STRING, size > 0 else {
                throw fault(key, expected: "a list of strings", found: HDF5ElementType.name(of: type.id))
            }
            let count = try HDF5Dataset.shape(of: object, elementByteCount: size).count
            let expansion = try HDF5Dataset.checkLayout(of: object, typeByteCount: size)
            if !store.isWritable {
                let stored = Int(clamping: H5Dget_storage_size(member.id))
                let limit = HDF5Dataset.proportion(min(stored, store.fileByteCount), expansion)
                guard count * size <= limit else {
                    throw fault(
                        key, expected: "at most \(limit) bytes for \(stored) bytes stored", found: "\(count) strings")
                }
            }
            let space = HDF5Handle(try store.check(H5Dget_space(member.id), key, "a readable shape"))
            return try readStrings(type: type.id, space: space.id, count: count, key) { memoryType, buffer in
                H5Dread(member.id, memoryType, hid_t(H5S_ALL), hid_t(H5S_ALL), hid_t(H5P_DEFAULT), buffer)
            }
        }
    }
}
