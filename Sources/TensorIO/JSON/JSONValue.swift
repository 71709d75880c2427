/// A value of a JSON text (RFC 8259); an object keeps its members in the text's order.
///
/// ```swift
/// let settings: JSONValue = ["name": "tiny", "layers": 2, "shape": [4, 8]]
/// settings["layers"]?.integer  // 2
/// settings.text()              // {"name":"tiny","layers":2,"shape":[4,8]}
/// ```
///
/// Foundation's readers are not used: they take canonically equivalent keys for one, keep one of two equal keys in silence,
/// and lose the order of an object's members, which counts among a configuration's patterns and a vocabulary's pieces.
public enum JSONValue: Sendable, Equatable {
    /// `null`.
    case null
    /// `true` or `false`.
    case bool(Bool)
    /// A number, as it is written.
    case number(JSONNumber)
    /// A text, its escapes resolved.
    case string(String)
    /// A list of values.
    case array([JSONValue])
    /// Named values, each name once.
    case object([Member])

    /// A named value of an object.
    public struct Member: Sendable, Equatable {
        /// The name.
        public var key: String
        /// The value.
        public var value: JSONValue

        /// Names a value.
        public init(key: String, value: JSONValue) {
            self.key = key
            self.value = value
        }
    }

    /// Reads a text that is one value; white space may stand around it. Throws ``JSONFault``.
    package init(parsing bytes: [UInt8]) throws {
        var reader = JSONReader(bytes)
        self = try reader.value()
        try reader.end()
    }

    /// The same for a text.
    package init(parsing text: some StringProtocol) throws { try self.init(parsing: Array(text.utf8)) }

    /// An object of members in the order of their names; values that are nil are left out.
    package init(fields: [String: JSONValue?]) {
        let members = fields.compactMap { key, value in value.map { Member(key: key, value: $0) } }
        self = .object(members.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) })
    }

    // MARK: What it holds

    /// Whether it is `null`.
    public var isNull: Bool { self == .null }

    /// The truth value, nil for other values.
    public var bool: Bool? { if case .bool(let value) = self { value } else { nil } }

    /// The text, nil for other values.
    public var string: String? { if case .string(let value) = self { value } else { nil } }

    /// The number, nil for other values.
    public var double: Double? { if case .number(let value) = self { value.double } else { nil } }

    /// The number if it is whole, however it is written (`2`, `2.0`, `2e0`); nil for other values.
    public var integer: Int? { if case .number(let value) = self { value.integer() } else { nil } }

    /// The elements of an array, nil for other values.
    public var elements: [JSONValue]? { if case .array(let values) = self { values } else { nil } }

    /// The members of an object, nil for other values.
    public var members: [Member]? { if case .object(let members) = self { members } else { nil } }

    /// The texts of an array of nothing else, nil for other values.
    public var strings: [String]? {
        guard let texts = elements?.map(\.string), !texts.contains(nil) else { return nil }
        return texts.compactMap(\.self)
    }

    /// The members of an object by their names, nil for other values. Of canonically equivalent names the last counts.
    public var fields: [String: JSONValue]? {
        members.map { Dictionary($0.map { ($0.key, $0.value) }, uniquingKeysWith: { $1 }) }
    }

    /// A member of an object; nil when there is none of this name, and for other values.
    public subscript(_ key: String) -> JSONValue? {
        members?.first { $0.key.utf8.elementsEqual(key.utf8) }?.value
    }
}

extension JSONValue: CustomStringConvertible {
    /// A text as it is, other values in JSON.
    public var description: String { string ?? text(.spaced) }
}

extension JSONValue: ExpressibleByBooleanLiteral, ExpressibleByIntegerLiteral, ExpressibleByFloatLiteral,
    ExpressibleByStringLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
    /// A truth value.
    public init(booleanLiteral value: Bool) { self = .bool(value) }

    /// A whole number.
    public init(integerLiteral value: Int) { self = .number(JSONNumber(value)) }

    /// A number.
    public init(floatLiteral value: Double) { self.init(value) }

    /// A text.
    public init(stringLiteral value: String) { self = .string(value) }

    /// A list.
    public init(arrayLiteral elements: JSONValue...) { self = .array(elements) }

    /// An object; its keys must differ.
    public init(dictionaryLiteral elements: (String, JSONValue)...) {
        self = .object(elements.map { Member(key: $0, value: $1) })
    }
}

extension JSONValue {
    /// A whole number.
    public init(_ value: some BinaryInteger) { self = .number(JSONNumber(value)) }

    /// A truth value.
    public init(_ value: Bool) { self = .bool(value) }

    /// A text.
    public init(_ value: String) { self = .string(value) }

    /// A number; `null` for NaN and infinity, which JSON does not have.
    public init(_ value: Double) { self = JSONNumber(value).map(JSONValue.number) ?? .null }
}

/// A number of a JSON text as it is written, so that no digit is lost.
public struct JSONNumber: Sendable, Hashable, CustomStringConvertible {
    /// The number as JSON writes it.
    public let literal: String

    /// Takes a number in JSON's own form; nil when a `Double` cannot hold it.
    init?(literal: String) {
        // Few digits without an exponent are always within range.
        let isShort = literal.utf8.count < 100 && !literal.utf8.contains { $0 | 0x20 == UInt8(ascii: "e") }
        guard isShort || Double(literal)?.isFinite ?? false else { return nil }
        self.literal = literal
    }

    /// A whole number.
    public init(_ value: some BinaryInteger) { literal = String(value) }

    /// The shortest decimal that reads back as this number, `2` for 2.0; nil for NaN and infinity. `keepsFraction` writes `2.0`.
    public init?(_ value: Double, keepsFraction: Bool = false) {
        guard value.isFinite else { return nil }
        literal = Self.decimal("\(value)", keepsFraction: keepsFraction)
    }

    /// The same in single precision: `0.1` rather than `0.10000000149`.
    public init?(_ value: Float) {
        guard value.isFinite else { return nil }
        literal = Self.decimal("\(value)", keepsFraction: false)
    }

    private static func decimal(_ text: String, keepsFraction: Bool) -> String {
        !keepsFraction && text.hasSuffix(".0") ? String(text.dropLast(2)) : text
    }

    /// The nearest number of 64-bit floating point.
    public var double: Double { Double(literal)! }

    /// The number if it is whole and fits the type, however it is written.
    public func integer<Integer: FixedWidthInteger>(_ type: Integer.Type = Int.self) -> Integer? {
        Integer(literal) ?? Integer(exactly: double)
    }

    /// The ``literal``.
    public var description: String { literal }
}
