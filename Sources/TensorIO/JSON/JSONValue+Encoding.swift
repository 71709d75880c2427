/// How values of Swift become JSON.
package struct JSONCoding: Sendable {
    /// Whether the names of properties become snake case: `topK` is `top_k`. Keys of dictionaries stay.
    package var usesSnakeCase = false
    /// Whether NaN and infinities stand as the texts `nan`, `inf` and `-inf`; else they are refused.
    package var writesNonFiniteAsText = false

    /// Chooses.
    package init(usesSnakeCase: Bool = false, writesNonFiniteAsText: Bool = false) {
        self.usesSnakeCase = usesSnakeCase
        self.writesNonFiniteAsText = writesNonFiniteAsText
    }
}

extension JSONValue {
    /// The value that `Codable` makes of a value of Swift, members in the order in which they are encoded. Throws
    /// `EncodingError` for NaN and infinities unless `coding` has texts for them.
    package init(encoding value: some Encodable, _ coding: JSONCoding = JSONCoding()) throws {
        let place = Place()
        try place.encode(value, coding, [])
        self = place.value
    }
}

/// A dictionary whose keys are names of its own, not of properties.
private protocol NamedByTexts {}

extension Dictionary: NamedByTexts where Key == String {}

/// A place in a tree that is being built. It stays open while more comes into it.
private final class Place {
    enum Kind {
        case empty, value, list, object
    }

    private var kind = Kind.empty
    private var scalar = JSONValue.null
    private var elements: [Place] = []
    private var fields: [(key: String, place: Place)] = []

    var value: JSONValue {
        switch kind {
        case .value: scalar
        case .list: .array(elements.map(\.value))
        // What encodes nothing of itself is an empty object, as for every encoder of Foundation.
        case .empty, .object:
            .object(fields.map { JSONValue.Member(key: $0.key, value: $0.place.value) })
        }
    }

    var count: Int { elements.count }

    func set(_ value: JSONValue) { (kind, scalar) = (.value, value) }

    func open(_ kind: Kind) { self.kind = kind }

    func field(_ key: String) -> Place {
        let place = Place()
        fields.append((key, place))
        return place
    }

    func element() -> Place {
        let place = Place()
        elements.append(place)
        return place
    }

    func encode(_ value: any Encodable, _ coding: JSONCoding, _ path: [any CodingKey]) throws {
        switch value {
        case let value as Bool: set(.bool(value))
        case let value as String: set(.string(value))
        case let value as Float: set(try number(JSONNumber(value), Double(value), coding, path))
        case let value as Double: set(try number(JSONNumber(value), value, coding, path))
        case let value as any BinaryInteger: set(JSONValue(value))
        default:
            var inner = coding
            if value is any NamedByTexts { inner.usesSnakeCase = false }
            let encoder = TreeEncoder(place: self, coding: inner, valueCoding: coding, codingPath: path)
            try value.encode(to: encoder)
        }
    }

    private func number(
        _ number: JSONNumber?, _ value: Double, _ coding: JSONCoding, _ path: [any CodingKey]
    ) throws -> JSONValue {
        if let number { return .number(number) }
        guard coding.writesNonFiniteAsText else {
            throw EncodingError.invalidValue(
                value, EncodingError.Context(codingPath: path, debugDescription: "JSON has no \(value)"))
        }
        return .string(value.isNaN ? "nan" : value > 0 ? "inf" : "-inf")
    }
}

private struct TreeEncoder: Encoder {
    let place: Place
    /// For the names of this value's own fields.
    let coding: JSONCoding
    /// For the values in it.
    let valueCoding: JSONCoding
    let codingPath: [any CodingKey]
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> {
        place.open(.object)
        return KeyedEncodingContainer(Fields(encoder: self))
    }

    func unkeyedContainer() -> any UnkeyedEncodingContainer {
        place.open(.list)
        return Elements(encoder: self)
    }

    func singleValueContainer() -> any SingleValueEncodingContainer { Single(encoder: self) }

    /// The encoder of a value inside this one.
    func inner(_ place: Place, _ key: (any CodingKey)? = nil) -> TreeEncoder {
        TreeEncoder(
            place: place, coding: valueCoding, valueCoding: valueCoding,
            codingPath: codingPath + (key.map { [$0] } ?? []))
    }

    struct Fields<Key: CodingKey>: KeyedEncodingContainerProtocol {
        let encoder: TreeEncoder
        var codingPath: [any CodingKey] { encoder.codingPath }

        private func place(_ key: any CodingKey) -> Place {
            encoder.place.field(
                encoder.coding.usesSnakeCase ? JSONCoding.snakeCase(key.stringValue) : key.stringValue)
        }

        func encodeNil(forKey key: Key) throws { place(key).set(.null) }

        func encode<Value: Encodable>(_ value: Value, forKey key: Key) throws {
            try place(key).encode(value, encoder.valueCoding, codingPath + [key])
        }

        func nestedContainer<Nested: CodingKey>(
            keyedBy type: Nested.Type, forKey key: Key
        ) -> KeyedEncodingContainer<Nested> { encoder.inner(place(key), key).container(keyedBy: type) }

        func nestedUnkeyedContainer(forKey key: Key) -> any UnkeyedEncodingContainer {
            encoder.inner(place(key), key).unkeyedContainer()
        }

        func superEncoder() -> any Encoder { encoder.inner(encoder.place.field("super")) }
        func superEncoder(forKey key: Key) -> any Encoder { encoder.inner(place(key), key) }
    }

    struct Elements: UnkeyedEncodingContainer {
        let encoder: TreeEncoder
        var codingPath: [any CodingKey] { encoder.codingPath }
        var count: Int { encoder.place.count }

        func encodeNil() throws { encoder.place.element().set(.null) }

        func encode<Value: Encodable>(_ value: Value) throws {
            try encoder.place.element().encode(value, encoder.valueCoding, codingPath)
        }

        func nestedContainer<Nested: CodingKey>(keyedBy type: Nested.Type) -> KeyedEncodingContainer<Nested> {
            encoder.inner(encoder.place.element()).container(keyedBy: type)
        }

        func nestedUnkeyedContainer() -> any UnkeyedEncodingContainer {
            encoder.inner(encoder.place.element()).unkeyedContainer()
        }

        func superEncoder() -> any Encoder { encoder.inner(encoder.place.element()) }
    }

    struct Single: SingleValueEncodingContainer {
        let encoder: TreeEncoder
        var codingPath: [any CodingKey] { encoder.codingPath }

        func encodeNil() throws { encoder.place.set(.null) }

        func encode<Value: Encodable>(_ value: Value) throws {
            try encoder.place.encode(value, encoder.valueCoding, codingPath)
        }
    }
}

extension JSONCoding {
    /// `readsEveryToken` as `reads_every_token`, `URLOfPage` as `url_of_page`.
    static func snakeCase(_ name: String) -> String {
        let letters = Array(name)
        var result = ""
        for (index, letter) in letters.enumerated() {
            guard letter.isUppercase else {
                result.append(letter)
                continue
            }
            if index > 0, letters[index - 1] != "_" {
                let endsCapitals = index + 1 < letters.count && letters[index + 1].isLowercase
                if !letters[index - 1].isUppercase || endsCapitals { result.append("_") }
            }
            result += letter.lowercased()
        }
        return result
    }
}
