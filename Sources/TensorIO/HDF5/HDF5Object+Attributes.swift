import CStorage

extension HDF5Object {
    /// The names of all attributes, sorted. Throws ``FileError`` when the file is damaged.
    public var attributeNames: [String] {
        get throws {
            try store.perform {
                let count = try store.check(storage_h5_attribute_count(id), location, "a list of attributes")
                return try (0..<hsize_t(count)).map { index in
                    try name(at: index, storage_h5_attribute_name)
                }
            }
        }
    }

    /// Whether there is an attribute of this name.
    public func hasAttribute(_ name: String) throws -> Bool {
        guard !name.isEmpty, !name.utf8.contains(0) else { return false }
        return try store.perform { try hasAttributeUnlocked(name) }
    }

    /// Reads an attribute. Throws ``FileError`` when it is missing or of a kind that ``HDF5Attribute`` does not have.
    public func attribute(_ name: String) throws -> HDF5Attribute {
        let key = attributeKey(name)
        return try store.perform {
            guard try !name.isEmpty && !name.utf8.contains(0) && hasAttributeUnlocked(name) else {
                let names = try attributeNames
                throw fault(
                    key, expected: "an attribute of this name", found: "none among \(names.count)",
                    nearest: nearestName(to: name, among: names))
            }
            let attribute = HDF5Handle(
                try store.check(H5Aopen(id, name, hid_t(H5P_DEFAULT)), key, "a readable attribute"))
            return try read(attribute, key)
        }
    }

    /// Reads an attribute as a Swift value. Throws ``FileError`` when it is missing or of another kind.
    public func attribute<Value: HDF5AttributeValue>(_ name: String, as type: Value.Type = Value.self) throws -> Value {
        let attribute = try attribute(name)
        guard let value = Value(attribute) else {
            throw fault(attributeKey(name), expected: Value.attributeKind, found: attribute.kind)
        }
        return value
    }

    /// Sets an attribute, in place of one of the same name.
    ///
    /// Throws ``FileError`` when a text contains a zero byte, which HDF5 cannot store, or when the disk is full.
    public func setAttribute(_ name: String, _ value: some HDF5AttributeValue) throws {
        let key = attributeKey(name)
        precondition(store.isWritable, "\(path) is open for reading only")
        guard !name.isEmpty, !name.utf8.contains(0) else {
            throw fault(key, expected: "a name without zero bytes", found: name.isEmpty ? "no name" : "a zero byte")
        }
        try store.perform {
            if try hasAttributeUnlocked(name) {
                try store.check(H5Adelete(id, name), key, "an attribute that can be replaced")
            }
            switch value.attribute {
            case .string(let text): try write([text], isList: false, name, key)
            case .strings(let texts): try write(texts, isList: true, name, key)
            case .integer(let number): try write([Int64(number)], STORAGE_H5_INT64, isList: false, name, key)
            case .integers(let numbers): try write(numbers.map(Int64.init), STORAGE_H5_INT64, isList: true, name, key)
            case .real(let number): try write([number], STORAGE_H5_FLOAT64, isList: false, name, key)
            case .reals(let numbers): try write(numbers, STORAGE_H5_FLOAT64, isList: true, name, key)
            }
        }
    }

    // MARK: Under the lock

    func hasAttributeUnlocked(_ name: String) throws -> Bool {
        try store.check(H5Aexists(id, name), attributeKey(name), "a list of attributes") > 0
    }

    /// A name that the library gives in two steps, its length and then its bytes.
    func name(
        at index: hsize_t, _ get: (hid_t, hsize_t, UnsafeMutablePointer<CChar>?, Int) -> Int
    ) throws -> String {
        let length = try store.check(get(id, index, nil, 0), location, "a name")
        return try withUnsafeTemporaryAllocation(of: CChar.self, capacity: length + 1) { buffer in
            try store.check(get(id, index, buffer.baseAddress, length + 1), location, "a name")
            let bytes = buffer.prefix(length).map { UInt8(bitPattern: $0) }
            guard let name = String(validating: bytes, as: UTF8.self) else {
                throw fault(expected: "names in UTF-8", found: "other bytes")
            }
            return name
        }
    }

    private func attributeKey(_ name: String) -> String { location + "@" + name }

    private func read(_ attribute: HDF5Handle, _ key: String) throws -> HDF5Attribute {
        let type = HDF5Handle(try store.check(H5Aget_type(attribute.id), key, "a readable type"))
        let space = HDF5Handle(try store.check(H5Aget_space(attribute.id), key, "a readable shape"))
        guard H5Sget_simple_extent_type(space.id) != H5S_NULL else {
            throw fault(key, expected: "a value", found: "an attribute without any")
        }
        let count = Int(try store.check(H5Sget_simple_extent_npoints(space.id), key, "a readable shape"))
        let rank = try store.check(H5Sget_simple_extent_ndims(space.id), key, "a readable shape")
        // An attribute lies in the file as it is declared: no more elements than bytes.
        let (byteCount, overflow) = count.multipliedReportingOverflow(by: max(H5Tget_size(type.id), 1))
        guard rank <= 1, rank == 1 || count == 1, !overflow, byteCount <= store.fileByteCount, count <= 1 << 24 else {
            throw fault(
                key, expected: "one value or a list that fits into the file",
                found: rank > 1 ? "\(rank) axes" : "\(count) elements")
        }
        switch H5Tget_class(type.id) {
        case H5T_STRING:
            let texts = try readStrings(type: type.id, space: space.id, count: count, key) { memoryType, buffer in
                H5Aread(attribute.id, memoryType, buffer)
            }
            return rank == 0 ? .string(texts[0]) : .strings(texts)
        case H5T_INTEGER, H5T_ENUM:
            let isWide =
                H5Tget_class(type.id) == H5T_INTEGER && H5Tget_size(type.id) > 4
                && H5Tget_sign(type.id) == H5T_SGN_NONE
            if isWide {
                let numbers: [UInt64] = try read(attribute, STORAGE_H5_UINT64, count, key)
                if let big = numbers.first(where: { $0 > UInt64(Int.max) }) {
                    throw fault(key, expected: "numbers up to \(Int.max)", found: "\(big)")
                }
                return rank == 0 ? .integer(Int(numbers[0])) : .integers(numbers.map(Int.init))
            }
            let numbers: [Int64] = try read(attribute, STORAGE_H5_INT64, count, key)
            return rank == 0 ? .integer(Int(numbers[0])) : .integers(numbers.map(Int.init))
        case H5T_FLOAT:
            let numbers: [Double] = try read(attribute, STORAGE_H5_FLOAT64, count, key)
            return rank == 0 ? .real(numbers[0]) : .reals(numbers)
        default:
            throw fault(key, expected: "strings, integers or real numbers", found: HDF5ElementType.name(of: type.id))
        }
    }

    private func read<Number: BitwiseCopyable>(
        _ attribute: HDF5Handle, _ element: storage_h5_element, _ count: Int, _ key: String
    ) throws -> [Number] {
        try [Number](unsafeUninitializedCapacity: count) { buffer, initialized in
            if count > 0 {
                let start = buffer.baseAddress
                try store.check(H5Aread(attribute.id, storage_h5_type(element), start), key, "a readable attribute")
            }
            initialized = count
        }
    }

    private func write<Number: BitwiseCopyable>(
        _ numbers: [Number], _ element: storage_h5_element, isList: Bool, _ name: String, _ key: String
    ) throws {
        try write(storage_h5_type(element), count: isList ? numbers.count : nil, name, key) { attribute, type in
            numbers.withUnsafeBytes { H5Awrite(attribute, type, $0.baseAddress) }
        }
    }

    private func write(_ texts: [String], isList: Bool, _ name: String, _ key: String) throws {
        try withStored(texts, key) { type, start in
            try write(type, count: isList ? texts.count : nil, name, key) { H5Awrite($0, $1, start) }
        }
    }

    private func write(
        _ type: hid_t, count: Int?, _ name: String, _ key: String, _ body: (hid_t, hid_t) -> herr_t
    ) throws {
        var extent = hsize_t(count ?? 0)
        let made = count == nil ? H5Screate(H5S_SCALAR) : H5Screate_simple(1, &extent, nil)
        let space = HDF5Handle(try store.check(made, key, "a new attribute"))
        let attribute = HDF5Handle(
            try store.check(
                H5Acreate2(id, name, type, space.id, hid_t(H5P_DEFAULT), hid_t(H5P_DEFAULT)), key, "a new attribute"))
        if count != 0 { try store.check(body(attribute.id, type), key, "a new attribute") }
    }
}
