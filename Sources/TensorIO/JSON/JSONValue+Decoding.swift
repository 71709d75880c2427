extension JSONValue {
    /// The value of Swift that `Codable` makes of this one. Numbers must fit their types; texts `nan`, `inf` and `-inf` are
    /// numbers where `coding` writes such. Throws `DecodingError`.
    package func decoded<Value: Decodable>(
        as type: Value.Type = Value.self, _ coding: JSONCoding = JSONCoding()
    ) throws -> Value {
        try TreeDecoder(value: self, coding: coding, codingPath: []).decode(type)
    }

    /// The same of a text. Throws `DecodingError`, without a path where the text is no JSON.
    package static func decoding<Value: Decodable>(
        _ type: Value.Type = Value.self, from bytes: some Sequence<UInt8>, _ coding: JSONCoding = JSONCoding()
    ) throws -> Value {
        let value: JSONValue
        do { value = try JSONValue(parsing: Array(bytes)) } catch {
            throw DecodingError.dataCorrupted(
                DecodingError.Context(codingPath: [], debugDescription: "\(error)", underlyingError: error))
        }
        return try value.decoded(as: type, coding)
    }
}

private struct TreeDecoder: Decoder {
    let value: JSONValue
    let coding: JSONCoding
    let codingPath: [any CodingKey]
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    func container<Key: CodingKey>(keyedBy type: Key.Type) throws -> KeyedDecodingContainer<Key> {
        guard let fields = value.fields else { throw mismatch([String: JSONValue].self) }
        return KeyedDecodingContainer(Fields(decoder: self, fields: fields))
    }

    func unkeyedContainer() throws -> any UnkeyedDecodingContainer {
        guard let elements = value.elements else { throw mismatch([JSONValue].self) }
        return Elements(decoder: self, elements: elements)
    }

    func singleValueContainer() -> any SingleValueDecodingContainer { Single(decoder: self) }

    /// The decoder of a value inside this one.
    func inner(_ value: JSONValue, _ key: any CodingKey) -> TreeDecoder {
        TreeDecoder(value: value, coding: coding, codingPath: codingPath + [key])
    }

    func mismatch(_ type: Any.Type) -> DecodingError {
        let context = DecodingError.Context(
            codingPath: codingPath, debugDescription: "expected \(type), found \(value.kind)")
        return value.isNull ? .valueNotFound(type, context) : .typeMismatch(type, context)
    }

    func decode<Value: Decodable>(_ type: Value.Type) throws -> Value {
        let found: Any?
        switch type {
        case is Bool.Type: found = value.bool
        case is String.Type: found = value.string
        case is Double.Type: found = try floatingPoint(Double.self)
        case is Float.Type: found = try floatingPoint(Float.self)
        case let type as any FixedWidthInteger.Type: found = try integer(type)
        default: return try Value(from: self)
        }
        guard let found = found as? Value else { throw mismatch(type) }
        return found
    }

    private func floatingPoint<Value: BinaryFloatingPoint & LosslessStringConvertible>(
        _ type: Value.Type
    ) throws -> Value? {
        switch value {
        case .number(let number):
            guard let result = Value(number.literal), result.isFinite else { throw outOfRange(type, number) }
            return result
        case .string("nan") where coding.writesNonFiniteAsText: return .nan
        case .string("inf") where coding.writesNonFiniteAsText: return .infinity
        case .string("-inf") where coding.writesNonFiniteAsText: return -.infinity
        default: return nil
        }
    }

    private func integer<Value: FixedWidthInteger>(_ type: Value.Type) throws -> Value? {
        guard case .number(let number) = value else { return nil }
        guard let result = number.integer(type) else { throw outOfRange(type, number) }
        return result
    }

    private func outOfRange(_ type: Any.Type, _ number: JSONNumber) -> DecodingError {
        .dataCorrupted(
            DecodingError.Context(codingPath: codingPath, debugDescription: "\(number) is no \(type)"))
    }

    struct Fields<Key: CodingKey>: KeyedDecodingContainerProtocol {
        let decoder: TreeDecoder
        let fields: [String: JSONValue]
        var codingPath: [any CodingKey] { decoder.codingPath }
        var allKeys: [Key] { fields.keys.compactMap(Key.init(stringValue:)) }

        func contains(_ key: Key) -> Bool { fields[key.stringValue] != nil }

        private func inner(_ key: any CodingKey) throws -> TreeDecoder {
            guard let value = fields[key.stringValue] else {
                throw DecodingError.keyNotFound(
                    key, DecodingError.Context(codingPath: codingPath, debugDescription: "no '\(key.stringValue)'"))
            }
            return decoder.inner(value, key)
        }

        func decodeNil(forKey key: Key) throws -> Bool { try inner(key).value.isNull }

        func decode<Value: Decodable>(_ type: Value.Type, forKey key: Key) throws -> Value {
            try inner(key).decode(type)
        }

        func nestedContainer<Nested: CodingKey>(
            keyedBy type: Nested.Type, forKey key: Key
        ) throws -> KeyedDecodingContainer<Nested> { try inner(key).container(keyedBy: type) }

        func nestedUnkeyedContainer(forKey key: Key) throws -> any UnkeyedDecodingContainer {
            try inner(key).unkeyedContainer()
        }

        func superDecoder() throws -> any Decoder { try inner(Name(stringValue: "super")) }
        func superDecoder(forKey key: Key) throws -> any Decoder { try inner(key) }
    }

    struct Elements: UnkeyedDecodingContainer {
        let decoder: TreeDecoder
        let elements: [JSONValue]
        var currentIndex = 0
        var codingPath: [any CodingKey] { decoder.codingPath }
        var count: Int? { elements.count }
        var isAtEnd: Bool { currentIndex == elements.count }

        init(decoder: TreeDecoder, elements: [JSONValue]) {
            self.decoder = decoder
            self.elements = elements
        }

        private mutating func next() throws -> TreeDecoder {
            let key = Name(intValue: currentIndex)
            guard !isAtEnd else {
                throw DecodingError.valueNotFound(
                    JSONValue.self,
                    DecodingError.Context(codingPath: codingPath + [key], debugDescription: "no more elements"))
            }
            defer { currentIndex += 1 }
            return decoder.inner(elements[currentIndex], key)
        }

        mutating func decodeNil() throws -> Bool {
            guard !isAtEnd, elements[currentIndex].isNull else { return false }
            currentIndex += 1
            return true
        }

        mutating func decode<Value: Decodable>(_ type: Value.Type) throws -> Value { try next().decode(type) }

        mutating func nestedContainer<Nested: CodingKey>(
            keyedBy type: Nested.Type
        ) throws -> KeyedDecodingContainer<Nested> { try next().container(keyedBy: type) }

        mutating func nestedUnkeyedContainer() throws -> any UnkeyedDecodingContainer { try next().unkeyedContainer() }
        mutating func superDecoder() throws -> any Decoder { try next() }
    }

    struct Single: SingleValueDecodingContainer {
        let decoder: TreeDecoder
        var codingPath: [any CodingKey] { decoder.codingPath }

        func decodeNil() -> Bool { decoder.value.isNull }
        func decode<Value: Decodable>(_ type: Value.Type) throws -> Value { try decoder.decode(type) }
    }

    /// A key that no enumeration has.
    struct Name: CodingKey {
        let stringValue: String
        let intValue: Int?

        init(stringValue: String) { (self.stringValue, intValue) = (stringValue, nil) }
        init(intValue: Int) { (stringValue, self.intValue) = ("\(intValue)", intValue) }
    }
}
