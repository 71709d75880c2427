import CStorage
public import TensorCore

/// A group: a folder inside an HDF5 file.
///
/// Names may be paths such as `adapter/block.0/lora_A`; writing makes the groups on the way.
public final class HDF5Group: HDF5Object, @unchecked Sendable {
    /// What a member of a group is.
    public enum Member: Hashable, Sendable {
        /// A group.
        case group
        /// A tensor, for ``HDF5Group/tensor(_:)``.
        case tensor(TensorInfo)
        /// This many strings, for ``HDF5Group/strings(_:)``.
        case strings(Int)
        /// Something else, in a few words: a link, or a dataset of another type.
        case other(String)
    }

    convenience init(store: HDF5Store, opening location: String) throws {
        let handle = try store.perform {
            HDF5Handle(try store.check(H5Gopen2(store.id, location, hid_t(H5P_DEFAULT)), location, "a group"))
        }
        self.init(store: store, location: location, handle: handle)
    }

    /// The names of all members: in the order in which they were made where the file knows it, otherwise sorted.
    ///
    /// Throws ``FileError`` when the file is damaged, or has two names that are one text.
    public var members: [String] {
        get throws {
            try store.perform {
                let count = Int(try store.check(storage_h5_member_count(id), location, "a list of members"))
                // A link takes more than eight bytes of its file.
                guard store.isWritable || count <= store.fileByteCount / 8 else {
                    throw fault(expected: "members that fit into the file", found: "\(count)")
                }
                var seen = Set<String>()
                return try (0..<hsize_t(count)).map { index in
                    let name = try name(at: index, storage_h5_member_name)
                    guard seen.insert(name).inserted else {
                        throw fault(hdf5Join(location, name), expected: "each member once", found: "it twice")
                    }
                    return name
                }
            }
        }
    }

    /// Whether there is a member of this name. Throws ``FileError`` when the file is damaged.
    public func exists(_ name: String) throws -> Bool {
        try store.perform { try deepest(name).missing == nil }
    }

    /// What a member is. Throws ``FileError`` when there is none of this name or the file is damaged.
    public func kind(of name: String) throws -> Member {
        try store.perform {
            let key = hdf5Join(location, name)
            if try storage_h5_is_hard_link(id, checkedName(name)) == 0 { return .other("a link") }
            let member = try open(name, "a member")
            switch H5Iget_type(member.id) {
            case H5I_GROUP: return .group
            case H5I_DATASET:
                let type = HDF5Handle(try store.check(H5Dget_type(member.id), key, "a readable type"))
                if H5Tget_class(type.id) == H5T_STRING {
                    let object = HDF5Object(store: store, location: key, handle: member)
                    return .strings(try HDF5Dataset.shape(of: object, elementByteCount: 16).count)
                }
                guard HDF5ElementType.dtype(of: type.id, mark: DType.bfloat16.rawValue) != nil else {
                    return .other(HDF5ElementType.name(of: type.id))
                }
                return .tensor(try HDF5Dataset(opening: member, at: key, in: store).info)
            default: return .other("a named type")
            }
        }
    }

    // MARK: Groups

    /// Makes a group, and those on the way to it. Throws ``FileError`` when the name is taken.
    @discardableResult
    public func createGroup(_ name: String) throws -> HDF5Group {
        try store.perform {
            let key = try newLocation(name)
            let links = try HDF5Handle(store.check(storage_h5_property_list(STORAGE_H5_LINK_CREATION), key, "a group"))
            let group = try HDF5Handle(store.check(storage_h5_property_list(STORAGE_H5_GROUP_CREATION), key, "a group"))
            let id = try store.check(H5Gcreate2(id, name, links.id, group.id, hid_t(H5P_DEFAULT)), key, "a new group")
            return HDF5Group(store: store, location: key, handle: HDF5Handle(id))
        }
    }

    /// Opens a group. Throws ``FileError`` when there is none of this name.
    public func group(_ name: String) throws -> HDF5Group {
        try store.perform {
            let key = hdf5Join(location, name)
            let member = try open(name, "a group")
            guard H5Iget_type(member.id) == H5I_GROUP else { throw fault(key, expected: "a group", found: "a dataset") }
            return HDF5Group(store: store, location: key, handle: member)
        }
    }

    // MARK: Tensors

    /// Writes a tensor of any strides. Throws ``FileError`` when the name is taken or the disk is full.
    public func write(_ tensor: Tensor, to name: String, _ options: HDF5DatasetOptions = .plain) throws {
        try store.perform {
            try createDataset(name, dtype: tensor.dtype, shape: tensor.shape, options).write(tensor)
        }
    }

    /// Makes a dataset to be written by rows; rows that are not written are zeros.
    ///
    /// Scalars have neither chunks nor compression. Throws ``FileError`` when the name is taken.
    public func createDataset(
        _ name: String, dtype: DType, shape: Shape, _ options: HDF5DatasetOptions = .plain
    ) throws -> HDF5Dataset {
        precondition(!options.isResizable || shape.rank > 0, "a scalar cannot be resizable")
        return try store.perform {
            let key = try newLocation(name)
            let creation = try HDF5Handle(
                store.check(storage_h5_property_list(STORAGE_H5_DATASET_CREATION), key, "a new dataset"))
            let extents = shape.dimensions.map { hsize_t($0) }
            if options.isChunked, shape.rank > 0 {
                let chunk = options.chunkShape(for: shape.dimensions, elementByteCount: dtype.byteCount)
                precondition(chunk.count == shape.rank, "chunk \(chunk) for \(key) \(shape)")
                try store.check(
                    H5Pset_chunk(creation.id, Int32(chunk.count), chunk.map { hsize_t($0) }), key, "a valid chunk")
                if options.shuffle { try store.check(H5Pset_shuffle(creation.id), key, "the shuffle filter") }
                if options.checksum { try store.check(H5Pset_fletcher32(creation.id), key, "the checksum filter") }
                if let level = options.deflateLevel {
                    try store.check(H5Pset_deflate(creation.id, UInt32(level)), key, "the deflate filter")
                }
            }
            var most = extents
            if options.isResizable { most[0] = .max }
            let made = shape.rank == 0 ? H5Screate(H5S_SCALAR) : H5Screate_simple(Int32(extents.count), extents, most)
            let space = HDF5Handle(try store.check(made, key, "a new dataset"))
            let handle = try create(name, key, HDF5ElementType.identifier(of: dtype), space, creation)
            if HDF5ElementType.isMarked(dtype) {
                let object = HDF5Object(store: store, location: key, handle: handle)
                try object.setAttribute(HDF5ElementType.attribute, dtype.rawValue)
            }
            return try HDF5Dataset(opening: handle, at: key, in: store)
        }
    }

    /// Opens a dataset. Throws ``FileError`` when there is none of this name, or when no tensor has its element type.
    public func dataset(_ name: String) throws -> HDF5Dataset {
        try store.perform {
            let key = hdf5Join(location, name)
            let member = try open(name, "a tensor")
            guard H5Iget_type(member.id) == H5I_DATASET else {
                throw fault(key, expected: "a tensor", found: "a group")
            }
            return try HDF5Dataset(opening: member, at: key, in: store)
        }
    }

    /// Reads a tensor whole. Throws ``FileError`` when it is missing or the file is damaged.
    public func tensor(_ name: String) throws -> Tensor { try dataset(name).tensor() }

    /// Reads a list of numbers. Throws ``FileError`` when it is missing, of another type, or no list.
    public func numbers<Number: TensorElement>(_ name: String, as type: Number.Type = Number.self) throws -> [Number] {
        let dataset = try dataset(name)
        let found = dataset.info
        guard found.dtype == Number.dtype, found.shape.rank == 1 else {
            throw dataset.fault(
                expected: "a list of numbers of type \(Number.dtype)", found: "\(found.dtype) \(found.shape)")
        }
        return try dataset.tensor().elements()
    }

    /// Reads a tensor whole. Throws ``FileError`` when it is missing or not of this type and shape.
    public func tensor(_ name: String, dtype: DType, shape: Shape) throws -> Tensor {
        try dataset(name).tensor(dtype: dtype, shape: shape)
    }
}
