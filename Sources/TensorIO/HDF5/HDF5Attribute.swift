import CStorage

/// A value that an attribute of an HDF5 object can have.
public enum HDF5Attribute: Hashable, Sendable {
    /// Text in UTF-8.
    case string(String)
    /// A list of texts.
    case strings([String])
    /// A whole number, stored in 64 bits.
    case integer(Int)
    /// A list of whole numbers.
    case integers([Int])
    /// A number, stored in double precision.
    case real(Double)
    /// A list of numbers.
    case reals([Double])

    /// What the value is, for errors.
    var kind: String {
        switch self {
        case .string: "a string"
        case .strings: "a list of strings"
        case .integer: "an integer"
        case .integers: "a list of integers"
        case .real: "a real number"
        case .reals: "a list of real numbers"
        }
    }
}

/// A Swift type of attribute values.
public protocol HDF5AttributeValue: Sendable {
    /// What values of the type are called in errors.
    static var attributeKind: String { get }
    /// The value as a file stores it.
    var attribute: HDF5Attribute { get }
    /// The value of a stored attribute, nil when it is of another kind.
    init?(_ attribute: HDF5Attribute)
}

extension String: HDF5AttributeValue {
    /// What values of the type are called in errors.
    public static var attributeKind: String { "a string" }
    /// The text.
    public var attribute: HDF5Attribute { .string(self) }
    /// The text of a string attribute.
    public init?(_ attribute: HDF5Attribute) {
        guard case .string(let text) = attribute else { return nil }
        self = text
    }
}

extension Int: HDF5AttributeValue {
    /// What values of the type are called in errors.
    public static var attributeKind: String { "an integer" }
    /// The number.
    public var attribute: HDF5Attribute { .integer(self) }
    /// The number of an integer attribute.
    public init?(_ attribute: HDF5Attribute) {
        guard case .integer(let number) = attribute else { return nil }
        self = number
    }
}

extension Bool: HDF5AttributeValue {
    /// What values of the type are called in errors.
    public static var attributeKind: String { "0 or 1" }
    /// 0 or 1.
    public var attribute: HDF5Attribute { .integer(self ? 1 : 0) }
    /// The truth of an integer attribute that is 0 or 1.
    public init?(_ attribute: HDF5Attribute) {
        guard case .integer(let number) = attribute, number == 0 || number == 1 else { return nil }
        self = number == 1
    }
}

extension Double: HDF5AttributeValue {
    /// What values of the type are called in errors.
    public static var attributeKind: String { "a real number" }
    /// The number.
    public var attribute: HDF5Attribute { .real(self) }
    /// The number of a real or an integer attribute.
    public init?(_ attribute: HDF5Attribute) {
        switch attribute {
        case .real(let number): self = number
        case .integer(let number): self = Double(number)
        default: return nil
        }
    }
}

extension Float: HDF5AttributeValue {
    /// What values of the type are called in errors.
    public static var attributeKind: String { "a real number" }
    /// The number; double precision holds it exactly.
    public var attribute: HDF5Attribute { .real(Double(self)) }
    /// The number of a real or an integer attribute, rounded to single precision.
    public init?(_ attribute: HDF5Attribute) {
        guard let number = Double(attribute) else { return nil }
        self = Float(number)
    }
}

/// An element of lists that attributes can have.
public protocol HDF5ListElement: Sendable {
    /// What lists of the type are called in errors.
    static var listKind: String { get }
    /// The list as a file stores it.
    static func list(_ elements: [Self]) -> HDF5Attribute
    /// The elements of a stored list, nil when the attribute is of another kind.
    static func elements(of attribute: HDF5Attribute) -> [Self]?
}

extension String: HDF5ListElement {
    /// What lists of the type are called in errors.
    public static var listKind: String { "a list of strings" }
    /// The list as a file stores it.
    public static func list(_ elements: [String]) -> HDF5Attribute { .strings(elements) }
    /// The texts of a list of strings.
    public static func elements(of attribute: HDF5Attribute) -> [String]? {
        guard case .strings(let texts) = attribute else { return nil }
        return texts
    }
}

extension Int: HDF5ListElement {
    /// What lists of the type are called in errors.
    public static var listKind: String { "a list of integers" }
    /// The list as a file stores it.
    public static func list(_ elements: [Int]) -> HDF5Attribute { .integers(elements) }
    /// The numbers of a list of integers.
    public static func elements(of attribute: HDF5Attribute) -> [Int]? {
        guard case .integers(let numbers) = attribute else { return nil }
        return numbers
    }
}

extension Double: HDF5ListElement {
    /// What lists of the type are called in errors.
    public static var listKind: String { "a list of real numbers" }
    /// The list as a file stores it.
    public static func list(_ elements: [Double]) -> HDF5Attribute { .reals(elements) }
    /// The numbers of a list of numbers.
    public static func elements(of attribute: HDF5Attribute) -> [Double]? {
        switch attribute {
        case .reals(let numbers): numbers
        case .integers(let numbers): numbers.map(Double.init)
        default: nil
        }
    }
}

extension Array: HDF5AttributeValue where Element: HDF5ListElement {
    /// What values of the type are called in errors.
    public static var attributeKind: String { Element.listKind }
    /// The list.
    public var attribute: HDF5Attribute { Element.list(self) }
    /// The elements of a list of the same kind.
    public init?(_ attribute: HDF5Attribute) {
        guard let elements = Element.elements(of: attribute) else { return nil }
        self = elements
    }
}
