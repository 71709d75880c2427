import CStorage
public import TensorCore

/// A tensor in an HDF5 file, read and written whole or by ranges of rows.
public final class HDF5Dataset: HDF5Object, @unchecked Sendable {
    /// The element type.
    public let dtype: DType
    /// The bytes that rows may claim for each byte that is stored.
    private let expansion: Int
    /// Guarded by the library's lock.
    private var currentShape: Shape

    /// The extents now; ``append(_:)`` changes the first.
    public var shape: Shape { HDF5Library.locked { currentShape } }

    /// Type and shape.
    public var info: TensorInfo { TensorInfo(dtype: dtype, shape: shape) }

    /// Opens what `handle` refers to, under the lock. Throws ``FileError`` when it is no tensor or reaches out of the file.
    init(opening handle: HDF5Handle, at location: String, in store: HDF5Store) throws {
        let object = HDF5Object(store: store, location: location, handle: handle)
        let id = handle.id
        let type = HDF5Handle(try store.check(H5Dget_type(id), location, "a readable type"))
        var mark: String?
        if try object.hasAttributeUnlocked(HDF5ElementType.attribute) {
            mark = try object.attribute(HDF5ElementType.attribute)
        }
        guard let dtype = HDF5ElementType.dtype(of: type.id, mark: mark) else {
            let held = DType.allCases.map(\.rawValue).joined(separator: ", ")
            throw object.fault(expected: "elements of type " + held, found: HDF5ElementType.name(of: type.id))
        }
        self.dtype = dtype
        currentShape = try Self.shape(of: object, elementByteCount: 8)
        expansion = try Self.checkLayout(of: object, typeByteCount: H5Tget_size(type.id))
        super.init(store: store, location: location, handle: handle)
    }

    /// The extents of a dataset, none of whose products overflows.
    static func shape(of object: HDF5Object, elementByteCount: Int) throws -> Shape {
        let (store, key) = (object.store, object.location)
        let space = HDF5Handle(try store.check(H5Dget_space(object.id), key, "a readable shape"))
        guard H5Sget_simple_extent_type(space.id) != H5S_NULL else {
            throw object.fault(expected: "a dataset with a shape", found: "an empty one without")
        }
        let rank = Int(try store.check(H5Sget_simple_extent_ndims(space.id), key, "a readable shape"))
        var extents = [hsize_t](repeating: 0, count: rank)
        try store.check(H5Sget_simple_extent_dims(space.id, &extents, nil), key, "a readable shape")
        var byteCount = elementByteCount
        for extent in extents {
            let (product, overflow) = byteCount.multipliedReportingOverflow(by: max(Int(clamping: extent), 1))
            guard !overflow else {
                throw object.fault(expected: "a shape whose size fits into 63 bits", found: "\(extents)")
            }
            byteCount = product
        }
        return Shape(extents.map { Int($0) })
    }

    /// Refuses datasets whose elements lie in other files, and chunks that are out of proportion to the file.
    ///
    /// Gives how many bytes one stored byte can stand for: deflate cannot do better than 1032 to 1
    /// (https://zlib.net/zlib_tech.html).
    static func checkLayout(of object: HDF5Object, typeByteCount: Int) throws -> Int {
        let (store, key) = (object.store, object.location)
        let creation = HDF5Handle(try store.check(H5Dget_create_plist(object.id), key, "a readable layout"))
        let layout = H5Pget_layout(creation.id)
        let external = H5Pget_external_count(creation.id)
        guard layout == H5D_CONTIGUOUS || layout == H5D_CHUNKED || layout == H5D_COMPACT, external == 0 else {
            throw object.fault(expected: "elements in this file", found: "a reference to other files")
        }
        guard layout == H5D_CHUNKED else { return 1 }
        var extents = [hsize_t](repeating: 0, count: 33)
        let rank = Int(try store.check(H5Pget_chunk(creation.id, 33, &extents), key, "a readable layout"))
        let expansion = H5Pget_nfilters(creation.id) > 0 ? 1032 : 1
        var byteCount = typeByteCount
        for extent in extents.prefix(rank) {
            let (product, overflow) = byteCount.multipliedReportingOverflow(by: Int(clamping: extent))
            guard !overflow, product <= proportion(store.fileByteCount, expansion) else {
                throw object.fault(
                    expected: "chunks in proportion to the file", found: "\(Array(extents.prefix(rank)))")
            }
            byteCount = product
        }
        return expansion
    }

    /// The most bytes that `stored` bytes may stand for. A little may be claimed without being stored, since chunks that
    /// were never written are zeros.
    static func proportion(_ stored: Int, _ expansion: Int) -> Int {
        let (product, overflow) = stored.multipliedReportingOverflow(by: expansion)
        return overflow ? .max : max(product, 16 << 20)
    }

    // MARK: Reading

    /// The whole tensor. Throws ``FileError`` when the file is damaged, or declares more than it can hold.
    public func tensor() throws -> Tensor {
        try store.perform { try read(rows: nil) }
    }

    /// The whole tensor, which must be of this type and shape. Throws ``FileError`` when it is not.
    public func tensor(dtype: DType, shape: Shape) throws -> Tensor {
        let found = info
        guard found == TensorInfo(dtype: dtype, shape: shape) else {
            throw fault(expected: "\(dtype) \(shape)", found: "\(found.dtype) \(found.shape)")
        }
        return try tensor()
    }

    /// The rows `rows` along axis 0. Throws ``FileError`` as ``tensor()`` does, and when there are not so many.
    public func tensor(rows: Range<Int>) throws -> Tensor {
        try store.perform {
            guard currentShape.rank > 0, rows.lowerBound >= 0, rows.upperBound <= currentShape[0] else {
                throw fault(expected: "the rows \(rows)", found: "\(dtype) \(currentShape)")
            }
            return try read(rows: rows)
        }
    }

    private func read(rows: Range<Int>?) throws -> Tensor {
        var shape = currentShape
        if let rows { shape[0] = rows.count }
        if shape.count == 0 { return Tensor(zeros: shape, dtype: dtype) }
        if !store.isWritable {
            let stored = Int(clamping: H5Dget_storage_size(id))
            let limit = Self.proportion(min(stored, store.fileByteCount), expansion)
            guard shape.count * dtype.byteCount <= limit else {
                throw fault(expected: "at most \(limit) bytes for \(stored) bytes stored", found: "\(dtype) \(shape)")
            }
        }
        let tensor = Tensor(uninitialized: shape, dtype: dtype)
        let type = HDF5ElementType.identifier(of: dtype)
        try withSpaces(rows: rows, shape) { memory, file in
            try store.check(
                H5Dread(id, type, memory, file, hid_t(H5P_DEFAULT), tensor.storage.base), location, "readable elements")
        }
        if dtype == .bool {
            let bytes = UnsafeRawBufferPointer(start: tensor.storage.base, count: tensor.count)
            if let wrong = bytes.first(where: { $0 > 1 }) {
                throw fault(expected: "bytes 0 or 1 for bool", found: "\(wrong)")
            }
        }
        return tensor
    }

    // MARK: Writing

    /// Writes `tensor`, of any strides, to the rows that begin at `row` along axis 0; type and row shape must agree.
    ///
    /// Throws ``FileError`` when the disk is full.
    public func write(_ tensor: Tensor, atRow row: Int) throws {
        try store.perform {
            checkRows(tensor)
            precondition(
                row >= 0 && row + tensor.shape[0] <= currentShape[0], "row \(row) of \(location) \(currentShape)")
            try write(tensor, rows: row..<row + tensor.shape[0])
        }
    }

    /// Adds the rows of `tensor`, of any strides, after the last. The dataset must have been made resizable.
    ///
    /// Throws ``FileError`` when the disk is full.
    public func append(_ tensor: Tensor) throws {
        try store.perform {
            checkRows(tensor)
            var shape = currentShape
            shape[0] += tensor.shape[0]
            let extents = shape.dimensions.map { hsize_t($0) }
            try store.check(H5Dset_extent(id, extents), location, "a resizable dataset")
            let rows = currentShape[0]..<shape[0]
            currentShape = shape
            try write(tensor, rows: rows)
        }
    }

    /// Writes the whole tensor, under the lock.
    func write(_ tensor: Tensor) throws { try write(tensor, rows: nil) }

    private func checkRows(_ tensor: Tensor) {
        precondition(store.isWritable, "\(path) is open for reading only")
        precondition(
            tensor.dtype == dtype && tensor.rank > 0 && tensor.rank == currentShape.rank
                && tensor.shape.dimensions.dropFirst() == currentShape.dimensions.dropFirst(),
            "writing \(tensor.dtype) \(tensor.shape) to rows of \(location) \(dtype) \(currentShape)")
    }

    private func write(_ tensor: Tensor, rows: Range<Int>?) throws {
        guard tensor.count > 0 else { return }
        let dense = tensor.contiguous()
        let start = dense.storage.base + dense.offset * dtype.byteCount
        try withSpaces(rows: rows, dense.shape) { memory, file in
            try store.check(
                H5Dwrite(id, HDF5ElementType.identifier(of: dtype), memory, file, hid_t(H5P_DEFAULT), start), location,
                "room for the elements")
        }
    }

    /// Lends the selections of some rows, or of everything, in memory and in the file.
    private func withSpaces(rows: Range<Int>?, _ shape: Shape, _ body: (hid_t, hid_t) throws -> Void) throws {
        guard let rows else { return try body(hid_t(H5S_ALL), hid_t(H5S_ALL)) }
        let file = HDF5Handle(try store.check(H5Dget_space(id), location, "a readable shape"))
        let extents = shape.dimensions.map { hsize_t($0) }
        var start = [hsize_t](repeating: 0, count: extents.count)
        start[0] = hsize_t(rows.lowerBound)
        try store.check(
            H5Sselect_hyperslab(file.id, H5S_SELECT_SET, start, nil, extents, nil), location, "rows of the dataset")
        let memory = HDF5Handle(try store.check(H5Screate_simple(Int32(extents.count), extents, nil), location, "rows"))
        try body(memory.id, file.id)
    }
}
